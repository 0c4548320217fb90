import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { evaluateInstant, MemoryQueryable, type PromqlError } from '../src/index.ts';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const run = (file: string) =>
  promisify(execFile)(process.execPath, ['--conditions=@weir/source', file], { timeout: 20_000 });

it('shows the example and its very output in the README', async () => {
  const file = join(root, 'examples/array.ts');
  const { stdout } = await run(file);
  expect(readme).toContain(readFileSync(file, 'utf8').trim());
  expect(readme).toContain(stdout.trim());
});

it('prints what the second example of the README says', async () => {
  const code = [...readme.matchAll(/```ts\n([\s\S]+?)```/g)][1]?.[1] ?? '';
  // Inside the package, where its own name resolves to it.
  const folder = mkdtempSync(join(root, '.docs-'));
  try {
    writeFileSync(join(folder, 'example.ts'), code);
    const { stdout } = await run(join(folder, 'example.ts'));
    expect(stdout.trim().split('\n')).toEqual([...code.matchAll(/; \/\/ (.+)$/gm)].map(([, text]) => text));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('names every error code in the README and throws no other', () => {
  const source = readFileSync(join(root, 'src/errors.ts'), 'utf8');
  const codes = (text: string) => [...new Set(text.match(/ERR_WEIR_PROMQL_[A-Z_]+[A-Z]/g))].sort();
  expect(codes(readme)).toEqual(codes(source));
});

it.each([
  ['a wrong query', 'ERR_WEIR_PROMQL_BAD_DATA', 'up +', {}],
  ['too many series', 'ERR_WEIR_PROMQL_EXECUTION', 'up', { maxSeries: 1 }],
  ['a cancelled query', 'ERR_WEIR_PROMQL_CANCELED', 'up', { isCanceled: () => true }],
  ['an option out of range', 'ERR_WEIR_PROMQL_INVALID_OPTION', 'up', { maxSamples: 0 }],
] as const)('answers %s with the code %s', (_, code, query, options) => {
  const store = new MemoryQueryable().add('up{job="a"}', [[0, 1]]).add('up{job="b"}', [[0, 1]]);
  let thrown: unknown;
  try {
    evaluateInstant(store, query, 0, options);
  } catch (error) {
    thrown = error;
  }
  expect((thrown as PromqlError).code).toBe(code);
});
