import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { calibrate, findDetectable } from '../src/compare/calibrate.ts';
import { compareMicro, defineMicro } from '../src/index.ts';
import { slicesPlan } from '../src/stats/verdict.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-micro-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function microFile(name: string, content: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, content);
  return file;
}

const work = (steps: number) =>
  `() => { let sum = 0; for (let i = 0; i < ${steps}; i += 1) sum += Math.cbrt(i); return sum; }`;

test('a function that does four times the work is slower', async () => {
  const file = await microFile(
    'slow.mjs',
    `export default { name: 'cubes', base: ${work(2_000)}, head: ${work(8_000)} };`,
  );
  const result = await compareMicro({
    file,
    roundMs: 10,
    rounds: 3,
    plan: { minPairs: 5, maxPairs: 5 },
    judge: { alpha: 0.1 },
  });
  expect(result).toMatchObject({ name: 'cubes', verdict: 'slower', partial: false });
  expect(result.pairs).toHaveLength(5);
  expect(result.metric?.effect).toBeGreaterThan(1);
});

test.each([
  ['none.mjs', 'export const a = 1;', /has no default export of `defineMicro/],
  [
    'throws.mjs',
    `export default { name: 'x', base: () => 1, head: () => { throw new Error('broken head'); } };`,
    /broken head/,
  ],
])('%s is one clear line', async (name, content, message) => {
  const file = await microFile(name, content);
  await expect(compareMicro({ file, roundMs: 5, rounds: 1 })).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_FILE',
    message: expect.stringMatching(message),
  });
});

test('a micro-benchmark without a function is refused where it is written', () => {
  expect(() => defineMicro({ name: 'x', base: () => 1 } as never)).toThrow(
    'Expected `head` to be a function',
  );
  expect(() => defineMicro({ name: 'x', base: () => 1, head: () => 2, tail: 3 } as never)).toThrow(
    'got also `tail`',
  );
});

test('calibration compares a server with itself, and claims nothing after an abort', async () => {
  const load = { connections: 2, warmupMs: 100, durationMs: 150 };
  const whole = await calibrate({ pairs: 3, load });
  expect(whole.comparison).toMatchObject({ partial: false, base: whole.comparison.head });
  expect(whole.comparison.pairs).toHaveLength(3);
  expect(Object.keys(whole.spread).slice(0, 2)).toEqual(['perSecond', 'p50Ms']);
  expect(Object.values(whole.spread).every((sd) => sd > 0)).toBe(true);
  const abort = new AbortController();
  const cut = await calibrate({ pairs: 3, load, signal: abort.signal, onPair: () => abort.abort() });
  expect(cut).toMatchObject({ detectable: null, comparison: { partial: true } });
});

test('what a machine can detect grows with its spread', () => {
  expect(findDetectable({ perSecond: 0.012, p50Ms: 0.012 }, 7)).toEqual({
    detectable: 0.03,
    seconds: expect.any(Number),
  });
  const noisy = findDetectable({ perSecond: 0.1 }, 7).detectable ?? 1;
  expect(noisy).toBeGreaterThan(0.07);
  expect(findDetectable({ perSecond: 1 }, 7)).toEqual({ detectable: null, seconds: 112 });
  expect(findDetectable({ perSecond: 1 }, 7, slicesPlan)).toEqual({ detectable: null, seconds: 147 });
});
