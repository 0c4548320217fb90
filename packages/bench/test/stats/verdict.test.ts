import { seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { judge, look, lookSizes, overallVerdict, type PairedMetric } from '../../src/stats/verdict.ts';

/** Pairs whose log ratio is normal around `effect` (positive: head is worse) with standard deviation `sd`. */
function simulate(random: () => number, pairs: number, effect: number, sd: number): PairedMetric[] {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const metric = (name: string, better: 'higher' | 'lower'): PairedMetric => ({
    name,
    better,
    pairs: Array.from({ length: pairs }, () => {
      const ratio = Math.exp(effect + sd * normal());
      return better === 'higher' ? { base: 1_000 * ratio, head: 1_000 } : { base: 5, head: 5 * ratio };
    }),
  });
  return [metric('perSecond', 'higher'), metric('p50', 'lower'), metric('cpu', 'lower')];
}

test('a clear change in either direction is found with its size', () => {
  const random = seededRandom(1);
  const [slower] = judge(simulate(random, 10, Math.log(1.05), 0.002));
  expect(slower).toMatchObject({ name: 'perSecond', verdict: 'slower', pairs: 10 });
  expect(slower?.effect).toBeCloseTo(0.05, 2);
  expect(overallVerdict(judge(simulate(random, 10, -Math.log(1.05), 0.002)))).toBe('faster');
});

test('one pair of sixteen out of all proportion hides no change of 10 %', () => {
  const metrics = simulate(seededRandom(5), 16, Math.log(1.1), 0.02).map((metric) => {
    const faster = metric.better === 'higher' ? { base: 1_000, head: 1_150 } : { base: 5.75, head: 5 };
    return { ...metric, pairs: metric.pairs.with(7, faster) };
  });
  expect(judge(metrics, { looks: [{ pairs: 16, spent: 0.2 }] }).map(({ verdict }) => verdict)).toEqual([
    'slower',
    'slower',
    'slower',
  ]);
});

test('a tight interval around nothing is the same, a wide one is inconclusive', () => {
  const random = seededRandom(2);
  expect(overallVerdict(judge(simulate(random, 10, 0, 0.01)))).toBe('same');
  expect(overallVerdict(judge(simulate(random, 10, 0, 0.2)))).toBe('inconclusive');
});

test('a significant effect below the tolerance is not an alarm', () => {
  const [metric] = judge(simulate(seededRandom(3), 20, 0.005, 0.001));
  expect(metric?.p).toBeLessThan(0.001);
  expect(metric?.verdict).toBe('same');
});

test('one slower metric outweighs faster ones, and nothing measured is inconclusive', () => {
  const [metric] = judge(simulate(seededRandom(4), 10, 0.1, 0.001));
  if (metric === undefined) throw new Error('no metric');
  expect(overallVerdict([{ ...metric, verdict: 'faster' }, metric])).toBe('slower');
  expect(overallVerdict([])).toBe('inconclusive');
  expect(judge([{ name: 'x', better: 'higher', pairs: [{ base: 0, head: 1 }] }])[0]?.verdict).toBe(
    'inconclusive',
  );
});

test('looks come at their sizes and the last one decides', () => {
  expect(lookSizes()).toEqual([10, 13, 16]);
  expect(lookSizes({ minPairs: 8, maxPairs: 8 })).toEqual([8]);
  const wide = simulate(seededRandom(5), 16, 0, 0.2);
  const upTo = (count: number) => wide.map((metric) => ({ ...metric, pairs: metric.pairs.slice(0, count) }));
  expect(look(upTo(9))).toMatchObject({ done: false, pairs: 10 });
  expect(look(upTo(10))).toMatchObject({ done: false, pairs: 13 });
  expect(look(upTo(16))).toMatchObject({ done: true, verdict: 'inconclusive' });
});

test('between looks nothing is decided, however clear it is', () => {
  const clear = simulate(seededRandom(5), 16, 0.2, 0.01);
  const upTo = (count: number) => clear.map((metric) => ({ ...metric, pairs: metric.pairs.slice(0, count) }));
  for (const between of [9, 11, 12, 14, 15]) expect(look(upTo(between))).toMatchObject({ done: false });
  for (const size of [10, 13, 16]) expect(look(upTo(size))).toMatchObject({ done: true, verdict: 'slower' });
});

/** Runs comparisons to their end and counts the verdicts. */
function outcomes(seed: number, effect: number, sd: number, trials: number) {
  const random = seededRandom(seed);
  const counts = { faster: 0, slower: 0, same: 0, inconclusive: 0 };
  for (let trial = 0; trial < trials; trial += 1) {
    const metrics = simulate(random, 16, effect, sd);
    for (const size of lookSizes()) {
      const seen = metrics.map((metric) => ({ ...metric, pairs: metric.pairs.slice(0, size) }));
      const result = look(seen, {}, { flips: 2_048 });
      if (!result.done) continue;
      counts[result.verdict] += 1;
      break;
    }
  }
  return counts;
}

test('over all looks at most 1 % of comparisons without a change raise an alarm, however noisy', () => {
  for (const sd of [0.012, 0.03, 0.1]) {
    const { slower, faster } = outcomes(6, 0, sd, 400);
    expect(slower + faster).toBeLessThanOrEqual(4 + 4);
  }
});

test('at the spread of the duet nearly every change of 5 % is found, and none is invented', () => {
  expect(outcomes(7, Math.log(1.05), 0.012, 200).slower).toBeGreaterThanOrEqual(196);
  expect(outcomes(8, 0, 0.012, 200)).toMatchObject({ slower: 0, faster: 0 });
});
