import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Arm, profileBuilds } from '../../src/index.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-profiled-'));
  await writeFile(
    join(directory, 'server.mjs'),
    `import { createServer } from 'node:http';
const held = [];
function priceOf(steps) {
  let sum = 0;
  for (let step = 0; step < steps; step += 1) sum += Math.cbrt(step);
  return sum;
}
function remember(count) {
  for (let item = 0; item < count; item += 1) held.push({ item, text: 'x'.repeat(item % 7) + Math.random() });
}
createServer((request, response) => {
  remember(Number(process.env.KEEP ?? 0));
  response.end(String(priceOf(Number(process.env.BURN ?? 0)) >= 0));
}).listen(Number(process.env.PORT), '127.0.0.1');`,
  );
});
afterAll(() => rm(directory, { recursive: true }));

const arm = (env: string): Arm => ({
  directory,
  label: env,
  start: { command: `${env} exec "${process.execPath}" server.mjs`, ready: '/', readyTimeoutMs: 10_000 },
});
const scenario = { name: 'profiled', target: 'http://127.0.0.1:1', requests: [{ path: '/' }] };
const load = { connections: 4, warmupMs: 300, durationMs: 700 };

test('the function that takes more is named first, with its line', async () => {
  const result = await profileBuilds({
    base: arm('BURN=1'),
    head: arm('BURN=200000'),
    scenario,
    load,
    rounds: 1,
    minSamples: 0,
  });
  expect(result.pairs).toHaveLength(1);
  // V8 may inline it into its caller, which renames the function but not the line.
  expect(result.functions[0]?.name).toMatch(/^(priceOf server\.mjs:3|\(anonymous\) server\.mjs:11)$/);
  expect(result.functions[0]?.deltaUs).toBeGreaterThan(5);
  expect(result.lines[0]?.name).toMatch(/^server\.mjs:/);
  expect(result.functions[0]?.path?.at(-1)).toBe(result.functions[0]?.name);
});

test('rounds go on, up to twice as many, while there are too few samples to tell a little from chance', async () => {
  const rounds: number[] = [];
  const short = { ...load, warmupMs: 0, durationMs: 200 };
  const options = { base: arm(''), head: arm(''), scenario, load: short, rounds: 1 };
  const few = await profileBuilds({ ...options, minSamples: 1e9, onRound: (round) => rounds.push(round) });
  expect(few.pairs).toHaveLength(2);
  expect(rounds).toEqual([1, 2]);
});

test('allocations that are still held are named by the heap profiler', async () => {
  const result = await profileBuilds({
    base: arm('KEEP=0'),
    head: arm('KEEP=50'),
    scenario,
    load,
    kind: 'heap',
    rounds: 1,
  });
  expect(result.unit).toBe('B');
  // V8 may inline it into its caller.
  expect(result.functions[0]?.name).toMatch(/^(remember server\.mjs:8|\(anonymous\) server\.mjs:11)$/);
});

test('a build that is not a Node process cannot be profiled, and says so', async () => {
  const plain = {
    ...arm(''),
    start: {
      command: `env -u NODE_OPTIONS "${process.execPath}" server.mjs`,
      ready: '/',
      readyTimeoutMs: 10_000,
    },
  };
  await expect(profileBuilds({ base: plain, head: plain, scenario, load, rounds: 1 })).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_PROFILE',
    message: expect.stringContaining('keep NODE_OPTIONS'),
  });
});
