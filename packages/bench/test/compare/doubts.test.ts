import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { doubtComparison, doubtPair } from '../../src/compare/doubts.ts';
import { parseCpuList } from '../../src/compare/duet-plan.ts';
import type { ArmSample, PairConditions, PairSample } from '../../src/index.ts';
import { pinned, readCpuTime, readTreeCpuTime } from '../../src/process/cpu.ts';

const arm: ArmSample = { perSecond: 1_000, p50Ms: 1, p99Ms: 2, answered: 1_000, errors: 0, non2xx: 0 };

const pair = (conditions: Partial<PairConditions>, head = arm): PairSample => ({
  base: arm,
  head,
  conditions: { generatorBusy: 0.5, ...conditions },
});

const codes = (sample: PairSample) => doubtPair(sample).map((doubt) => doubt.code);

test('a quiet pair raises no doubt', () => {
  expect(codes(pair({ generatorWaited: 0.02, steal: 0, targetsRan: 0.97 }))).toEqual([]);
});

test('a target faster than the generator, a starved generator and a greedy hypervisor are told apart', () => {
  expect(codes(pair({ generatorBusy: 0.97, generatorWaited: 0.01 }))).toEqual(['generator-saturated']);
  expect(codes(pair({ generatorBusy: 0.3, generatorWaited: 0.68 }))).toEqual(['generator-starved']);
  expect(codes(pair({ steal: 0.2 }))).toEqual(['cpu-steal']);
});

test('a generator that shares its processor but still keeps up is believed', () => {
  expect(codes(pair({ generatorBusy: 0.4, generatorWaited: 0.4 }))).toEqual([]);
});

test('on one processor the generator waits while a server runs, and only what others take is a doubt', () => {
  const slices = { oneCore: true, generatorBusy: 0.3, targetsRan: 0.65 } as const;
  expect(codes(pair({ ...slices, generatorWaited: 0.7 }))).toEqual([]);
  expect(codes(pair({ ...slices, targetsRan: 0.35, generatorWaited: 0.7 }))).toEqual(['generator-starved']);
  expect(codes(pair({ ...slices, generatorBusy: 0.8, targetsRan: 0.2 }))).toEqual(['generator-saturated']);
});

test('failures of one arm and an arm without an answer are doubted', () => {
  expect(codes(pair({}, { ...arm, non2xx: 100 }))).toEqual(['errors']);
  expect(codes(pair({}, { ...arm, answered: 0 }))).toEqual(['errors']);
});

test('of flows the checks tell what failed, whatever the status', () => {
  const flows = { ...arm, non2xx: 500, failedChecks: 0 };
  expect(codes(pair({}, flows))).toEqual([]);
  expect(codes(pair({}, { ...flows, non2xx: 0, failedChecks: 20 }))).toEqual(['errors']);
});

test('a comparison is doubted when half of its pairs are', () => {
  const good = pair({});
  const bad = pair({ steal: 0.3 });
  expect(doubtComparison([good, good, good, bad])).toEqual([]);
  expect(doubtComparison([good, bad])).toMatchObject([{ code: 'cpu-steal' }]);
  expect(doubtComparison([])).toEqual([]);
});

test('a build that fails or ends in one pair of ten is doubted, and the pairs are counted', () => {
  const good = pair({});
  const doubts = (head: Partial<ArmSample>) =>
    doubtComparison([...Array.from({ length: 9 }, () => good), pair({}, { ...arm, ...head })]);
  expect(doubts({})).toEqual([]);
  expect(doubts({ errors: 5 })).toEqual([]);
  expect(doubts({ errors: 20 })).toMatchObject([
    {
      code: 'errors',
      message: expect.stringMatching(/^head failed 2\.0 % of its requests in 1 of 10 pairs; /),
    },
  ]);
  expect(doubts({ non2xx: 20 })).toMatchObject([{ code: 'errors' }]);
  expect(
    doubts({ answered: 0, perSecond: 0, ended: 'exited with code 1; its last words: boom' }),
  ).toMatchObject([
    {
      code: 'target-ended',
      message: expect.stringContaining(
        'head ended under load in 1 of 10 pairs: it exited with code 1; its last words: boom',
      ),
    },
  ]);
  // It may have ended after its last answer.
  expect(doubts({ ended: 'was ended by SIGKILL' })).toMatchObject([{ code: 'target-ended' }]);
});

test('processor lists are read as taskset writes them', () => {
  expect(parseCpuList(' 0-2,5\n')).toEqual([0, 1, 2, 5]);
  expect(parseCpuList('nonsense')).toEqual([]);
  expect(pinned(['node', 'a'], 3)).toEqual(['taskset', '-c', '3', 'node', 'a']);
  expect(pinned(['node'], undefined)).toEqual(['node']);
});

test.runIf(process.platform === 'linux')(
  'processor time of a process grows with its work, and none is told of a process that is not',
  () => {
    const before = readCpuTime(process.pid);
    const until = performance.now() + 20;
    while (performance.now() < until);
    const after = readCpuTime(process.pid);
    expect((after?.runNs ?? 0) - (before?.runNs ?? 0)).toBeGreaterThan(1e6);
    expect(readCpuTime(2 ** 30)).toBeUndefined();
  },
);

test.runIf(process.platform === 'linux')(
  'a child counts in the time of its tree, and not in that of the process that started it',
  async () => {
    const child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
    try {
      await expect
        .poll(() => readCpuTime(child.pid ?? 0)?.runNs ?? 0, { timeout: 20_000 })
        .toBeGreaterThan(1e8);
      const own = readCpuTime(process.pid)?.runNs ?? 0;
      const tree = readTreeCpuTime(process.pid)?.runNs ?? 0;
      expect(tree - own).toBeGreaterThan(9e7);
    } finally {
      child.kill('SIGKILL');
    }
  },
);
