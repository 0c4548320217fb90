import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { algorithms } from '../src/policies/policy.ts';

const docs = join(import.meta.dirname, '../docs');
const pages = (await readdir(docs)).filter((name) => name.endsWith('.md')).sort();
const texts = new Map(
  await Promise.all(pages.map(async (page) => [page, await readFile(join(docs, page), 'utf8')] as const)),
);
const examples = [...texts].flatMap(([page, text]) =>
  [...text.matchAll(/```ts\n([\s\S]+?)```/g)].map((match, index) => ({
    title: `${page}, example ${index + 1}`,
    code: match[1] ?? '',
  })),
);

let redis: RedisServer;
let folder: string;

beforeAll(async () => {
  redis = await startRedis();
  // Inside the package: there its own name and every framework resolve, as for a team that installed them.
  folder = await mkdtemp(join(import.meta.dirname, '../.docs-'));
});

afterAll(async () => {
  await redis?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

describe.concurrent('the examples of docs', () => {
  test.each(examples)('$title prints what its comments say', async ({ title, code }) => {
    const promised = [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map((match) => match[1]);
    expect(promised.length).toBeGreaterThan(0);
    const file = join(folder, `${title.replaceAll(/[^\w]/g, '-')}.ts`);
    await writeFile(file, code);
    const child = spawn(process.execPath, ['--conditions=@weir/source', file], {
      env: { ...process.env, REDIS_URL: redis.url, NO_COLOR: '1' },
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    const [exitCode] = await once(child, 'close');
    expect(output.trim().split('\n')).toEqual(promised);
    expect(exitCode).toBe(0);
  });
});

test('every algorithm has a page with its picture and its bound, every page an example or a link to one', () => {
  for (const name of Object.keys(algorithms)) {
    const text = texts.get(`${name}.md`) ?? '';
    expect(text).toContain(`](${name}.svg)`);
    expect(text).toContain('**Worst burst:**');
    expect(texts.get('README.md')).toContain(`](${name}.md)`);
  }
  const withExample = new Set(examples.map(({ title }) => title.split(',')[0]));
  expect(pages.filter((page) => !withExample.has(page))).toEqual(['README.md']);
  for (const page of pages.filter((page) => page !== 'README.md'))
    expect(texts.get('README.md')).toContain(`](${page})`);
});
