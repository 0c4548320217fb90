import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres } from '@weir/test-kit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

/** The values that an example's `console.log` lines promise in the comment behind them. */
function promised(example: string): string[] {
  return [...example.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].flatMap((match) =>
    (match[1] ?? '').split(', '),
  );
}

describe('every example of the README', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/\*\*(.+)\*\* \(.+\n\n```ts\n([\s\S]+?)```/g)].map((match) => ({
    title: match[1] ?? '',
    code: match[2] ?? '',
  }));
  let postgres: Awaited<ReturnType<typeof startPostgres>>;
  let folder: string;

  beforeAll(async () => {
    postgres = await startPostgres();
    // Inside the shop: there every package that the examples import resolves, as in a team's backend.
    folder = await mkdtemp(join(root, 'examples/shop/.readme-'));
  });
  afterAll(async () => {
    await postgres?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  test('is found: one a package', () => {
    expect(examples.map((example) => example.title)).toEqual([
      'Cache',
      'Rate limit',
      'Metrics',
      'Benchmarks',
    ]);
  });

  test.each(examples)(
    '$title runs, ends by itself and prints what its comments say',
    async ({ title, code }) => {
      const file = join(folder, `${title.replaceAll(' ', '-')}.ts`);
      await writeFile(file, code);
      const child = spawn(process.execPath, ['--conditions=@weir/source', file], {
        env: { ...process.env, DATABASE_URL: postgres.url },
      });
      let output = '';
      child.stdout.on('data', (chunk) => (output += chunk));
      child.stderr.on('data', (chunk) => (output += chunk));
      const [exitCode] = await once(child, 'close');
      expect(output.trim().split('\n')).toEqual(promised(code));
      expect(exitCode).toBe(0);
    },
  );
});
