import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type SpendingLook, signFlipTest, steadyWeights } from '../../src/stats/sign-flip.ts';

test.each([
  [1, 0.5],
  [5, 1 / 32],
  [7, 1 / 128],
  [10, 1 / 1_024],
])('%i positive values have p = 2^-n', (count, p) => {
  const values = Array.from({ length: count }, (_, index) => 1 + index / 10);
  expect(signFlipTest([values])).toEqual([{ pGreater: p, pLess: 1 }]);
  expect(signFlipTest([values.map((value) => -value)])).toEqual([{ pGreater: 1, pLess: p }]);
});

test('the larger half weighs alike, and nothing beyond one and a half upper quartiles', () => {
  expect(steadyWeights([1, 2, 3, 4, 5, 6])).toEqual([2, 4, 6, 6, 6, 6]);
  expect(steadyWeights([1, 2, 3, 4, 5, 6, 7, 11])).toEqual([2, 4, 6, 8, 8, 8, 8, 0]);
  expect(steadyWeights([1, 1, 1, 30, 30])).toEqual([4, 4, 4, 6, 6]);
  expect(steadyWeights([])).toEqual([]);
});

/** T of a sample as the docstring defines it. */
function statistic(sample: readonly number[]): number {
  const weights = steadyWeights(sample.map(Math.abs));
  const norm = Math.hypot(...sample.map((value, index) => (value === 0 ? 0 : (weights[index] ?? 0))));
  const sum = sample.reduce((total, value, index) => total + Math.sign(value) * (weights[index] ?? 0), 0);
  return norm === 0 ? 0 : sum / norm;
}

function flipped(metrics: readonly (readonly number[])[], flip: number): number[][] {
  return metrics.map((values) => values.map((value, index) => ((flip >> index) & 1 ? -value : value) + 0));
}

const metricsOf = (pairs: number) =>
  fc.array(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: pairs, maxLength: pairs }), {
    minLength: 1,
    maxLength: 3,
  });

test('it equals the count over every flip of whole pairs, metric after metric, ties and zeros included', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }).chain(metricsOf), (metrics) => {
      const observed = metrics.map(statistic);
      const flips = Array.from({ length: 2 ** (metrics[0]?.length ?? 0) }, (_, flip) =>
        flipped(metrics, flip).map(statistic),
      );
      const order = observed.map((_, index) => index).sort((a, b) => (observed[b] ?? 0) - (observed[a] ?? 0));
      let highest = 0;
      const tests = signFlipTest(metrics);
      order.forEach((metric, place) => {
        if ((observed[metric] ?? 0) <= 0) return;
        const left = order.slice(place);
        const reached = flips.filter(
          (sums) => Math.max(...left.map((index) => sums[index] ?? 0)) >= (observed[metric] ?? 0) - 1e-9,
        );
        highest = Math.max(highest, reached.length / flips.length);
        expect(tests[metric]?.pGreater).toBeCloseTo(highest, 12);
      });
    }),
    { numRuns: 60 },
  );
});

test('turning every sign around swaps the two directions', () => {
  fc.assert(
    fc.property(metricsOf(6), (metrics) => {
      const earlier = [{ pairs: 4, spent: 0.2 }];
      const there = signFlipTest(flipped(metrics, 63), { earlier });
      signFlipTest(metrics, { earlier }).forEach(({ pGreater, pLess }, index) => {
        expect(there[index]?.pLess).toBeCloseTo(pGreater, 12);
        expect(there[index]?.pGreater).toBeCloseTo(pLess, 12);
      });
    }),
  );
});

const looks: readonly SpendingLook[] = [
  { pairs: 4, spent: 0.13 },
  { pairs: 6, spent: 0.2 },
  { pairs: 8, spent: 0.26 },
];

/** Whether any look rejects any metric, as a comparison goes from one to the next. */
function isRejected(metrics: readonly (readonly number[])[]): boolean {
  return looks.some(({ pairs, spent }, index) =>
    signFlipTest(
      metrics.map((values) => values.slice(0, pairs)),
      { earlier: looks.slice(0, index) },
    ).some(({ pGreater }) => pGreater <= spent),
  );
}

test('of all flips of any data the looks together reject no more than is spent, and nearly all of it where there are no ties', () => {
  const rejectedOf = (metrics: readonly (readonly number[])[]): number => {
    let rejected = 0;
    for (let flip = 0; flip < 256; flip += 1) if (isRejected(flipped(metrics, flip))) rejected += 1;
    return rejected / 256;
  };
  fc.assert(
    fc.property(metricsOf(8), (metrics) => {
      expect(rejectedOf(metrics)).toBeLessThanOrEqual(0.26);
    }),
    { numRuns: 20 },
  );
  const separate = [
    [1.1, -2.3, 3.7, 0.4, -5.2, 2.9, 0.7, -4.1],
    [0.9, -2.8, 3.1, 0.6, 4.7, -1.3, 2.2, -3.9],
  ];
  expect(rejectedOf(separate)).toBeGreaterThan(0.2);
});

test('a metric that says nothing of a pair leaves the pair to the others', () => {
  const clear = [1, 2, 3, 4, 5, 6, 7, 8];
  const [whole] = signFlipTest([clear]);
  const [same, silent] = signFlipTest([clear, clear.map(() => 0)]);
  expect(same).toEqual(whole);
  expect(silent).toEqual({ pGreater: 1, pLess: 1 });
});

test('metrics that say the same are judged as one of them alone', () => {
  const clear = [1, 2, 3, 4, 5, 6, 7, -1];
  const [alone] = signFlipTest([clear]);
  for (const metric of signFlipTest([clear, clear, clear])) expect(metric).toEqual(alone);
});

test('where all flips are too many a sample of them, always the same, comes close', () => {
  const metrics = [
    [0.4, 1.1, -0.2, 0.9, 1.4, -0.6, 0.3, 0.8, 1.2, -0.1, 0.5, 0.7],
    [0.2, 0.8, -0.5, 0.3, 1.9, -0.1, 0.6, 0.4, 1.0, 0.9, -0.3, 0.1],
  ];
  const earlier = [{ pairs: 9, spent: 0.01 }];
  const all = signFlipTest(metrics, { earlier });
  const some = signFlipTest(metrics, { earlier, flips: 2_048 });
  expect(signFlipTest(metrics, { earlier, flips: 2_048 })).toEqual(some);
  some.forEach(({ pGreater }, index) => {
    expect(pGreater).toBeGreaterThan((all[index]?.pGreater ?? 0) / 2);
    expect(pGreater).toBeLessThan((all[index]?.pGreater ?? 0) * 2);
  });
});
