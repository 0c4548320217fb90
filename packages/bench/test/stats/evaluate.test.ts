import { seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { evaluate, evaluateStoredBaseline } from '../../scripts/prove/evaluate.ts';
import { gatedMetrics } from '../../src/compare/compare-builds.ts';
import type { PairSample } from '../../src/index.ts';

/** Pairs as the machine gives them: the speed wanders a lot between pairs, the two arms of one pair hardly differ. */
function simulate(seed: number, injected: number, count: number): PairSample[] {
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: count }, () => {
    const machine = Math.exp(0.3 * normal());
    const arm = (factor: number) => {
      const cost = machine * factor * Math.exp(0.01 * normal());
      return {
        perSecond: 10_000 / cost,
        p50Ms: cost,
        p99Ms: 3 * cost,
        cpuUs: 50 * factor * Math.exp(0.005 * normal()),
        answered: 1_000,
        errors: 0,
        non2xx: 0,
      };
    };
    return { base: arm(1), head: arm(1 + injected), conditions: { generatorBusy: 0.5 } };
  });
}

test('whole comparisons on simulated pairs find what is injected and nothing else, where a stored baseline fails', () => {
  const unchanged = simulate(1, 0, 160);
  const slower = simulate(2, 0.05, 160);
  const quiet = evaluate(unchanged, 200);
  expect(quiet.disjoint.trials).toBeGreaterThanOrEqual(10);
  expect(quiet.disjoint).toMatchObject({ slower: 0, faster: 0 });
  expect(quiet.resampled.slower + quiet.resampled.faster).toBeLessThanOrEqual(0.01);
  const found = evaluate(slower, 200);
  expect(found.resampled.slower).toBeGreaterThanOrEqual(0.95);
  expect(evaluateStoredBaseline(unchanged, unchanged, 0.05, 200)).toBeGreaterThan(0.1);
});

test('p99 does not decide, and processor time only where every pair has it', () => {
  const pairs = simulate(3, 0, 2);
  expect(gatedMetrics(pairs).map(({ name }) => name)).toEqual(['perSecond', 'p50Ms', 'cpuUs']);
  const [first, second] = pairs;
  if (first === undefined || second === undefined) throw new Error('no pairs');
  const { cpuUs, ...withoutTime } = second.head;
  expect(gatedMetrics([first, { ...second, head: withoutTime }]).map(({ name }) => name)).toEqual([
    'perSecond',
    'p50Ms',
  ]);
});
