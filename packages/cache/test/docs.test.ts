import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCache } from '../src/index.ts';

const docs = join(import.meta.dirname, '../docs');
const pages = readdirSync(docs).filter((name) => name.endsWith('.md') && name !== 'README.md');
const textOf = (page: string) => readFileSync(join(docs, page), 'utf8');
const blocks = (page: string, language: string) =>
  [...textOf(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]+?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );

/** What an example promises: the comments behind its statements, and those that begin a line right after one. */
function promised(code: string): string[] {
  const lines: string[] = [];
  let follows = false;
  for (const line of code.split('\n')) {
    const behind = /; \/\/ (.+)$/.exec(line)?.[1];
    const below: string | undefined = follows ? /^\/\/ (.+)$/.exec(line)?.[1] : undefined;
    const text: string | undefined = behind ?? below;
    if (text !== undefined) lines.push(text);
    follows = text !== undefined;
  }
  return lines;
}

let redis: RedisServer;
let folder: string;

beforeAll(async () => {
  redis = await startRedis();
  // Inside the package, where its own name resolves to it.
  folder = mkdtempSync(join(import.meta.dirname, '../.docs-'));
});
afterAll(async () => {
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

function run(args: string[]): Promise<{ code: number; output: string }> {
  const env = { ...process.env, REDIS_URL: redis.url };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--conditions=@weir/source', ...args],
      { env, timeout: 30_000 },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: `${out}${err}` });
      },
    );
  });
}

test('the overview names every page, in links that lead somewhere', () => {
  const linked = [...textOf('README.md').matchAll(/\]\((.+?\.md)\)/g)].map((match) => match[1]);
  expect(linked.sort()).toEqual(pages.sort());
});

describe('the examples of', () => {
  test.each(pages.filter((page) => page !== 'cli.md'))(
    '%s run, end by themselves and print what they say',
    async (page) => {
      const examples = blocks(page, 'ts');
      expect(examples.length).toBeGreaterThan(0);
      for (const [index, code] of examples.entries()) {
        const file = join(folder, `${page}-${index}.ts`);
        writeFileSync(file, code);
        const { code: exitCode, output } = await run([file]);
        expect(output.trim().split('\n')).toEqual(promised(code));
        expect(exitCode).toBe(0);
      }
    },
  );

  test('cli.md run against a cache that has what they name', async () => {
    const client = new Redis(redis.url);
    const cache = createCache({ name: 'shop', redis: client });
    await cache.ready();
    const product = cache.define('product', {
      key: String,
      load: (id: number) => ({ id }),
      tags: ['products'],
    });
    await product.get(42);
    const main = join(import.meta.dirname, '../src/cli/main.ts');
    for (const line of blocks('cli.md', 'sh').join('').trim().split('\n')) {
      const [, ...args] = line
        .replace(/ +#.*$/, '')
        .replaceAll("'", '')
        .split(' ');
      expect(await run([main, ...args])).toMatchObject({ code: 0, output: expect.stringMatching(/\S/) });
    }
    await cache.close();
    client.disconnect();
  });
});
