import fc from 'fast-check';
import { expect, test } from 'vitest';
import { doubledRanks, type SignFlip, signFlipTest } from '../../src/stats/sign-flip.ts';
import { hodgesLehmann, median } from '../../src/stats/verdict.ts';

// Hollander, Wolfe, Chicken, table 3.1: Hamilton depression scale factor before and after tranquilliser therapy.
const before = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3];
const after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
const differences = before.map((value, index) => value - (after[index] ?? 0));

/** Of one metric with the ranks themselves as weights the sign-flip test is Wilcoxon's. */
function signedRankTest(sample: readonly number[]): SignFlip {
  const [test] = signFlipTest([sample], { weigh: doubledRanks });
  if (test === undefined) throw new Error('no metric');
  return test;
}

test('the published example gives its published values', () => {
  const { pGreater } = signedRankTest(differences);
  expect(pGreater).toBeCloseTo(0.01953, 5);
  const { estimate, low, high } = hodgesLehmann(differences, 0.96);
  expect(estimate).toBeCloseTo(0.46, 2);
  expect(low).toBeCloseTo(-0.0135, 1);
  expect(high).toBeCloseTo(0.786, 2);
});

const values = fc.array(fc.integer({ min: -6, max: 6 }), { minLength: 1, maxLength: 11 });

test('turning every sign around swaps the two sides and mirrors the estimate', () => {
  fc.assert(
    fc.property(values, (sample) => {
      const mirrored = sample.map((value) => -value);
      const here = signedRankTest(sample);
      const there = signedRankTest(mirrored);
      expect(there.pLess).toBeCloseTo(here.pGreater, 12);
      const estimate = hodgesLehmann(sample, 0.9);
      const other = hodgesLehmann(mirrored, 0.9);
      expect(other.estimate + 0).toBeCloseTo(-estimate.estimate + 0, 12);
      expect(other.high + 0).toBe(-estimate.low + 0);
    }),
  );
});

test('the interval holds the estimate, moves with a shift, and widens with the confidence', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 8, maxLength: 20 }), (sample) => {
      const narrow = hodgesLehmann(sample, 0.9);
      const wide = hodgesLehmann(sample, 0.98);
      const shifted = hodgesLehmann(
        sample.map((value) => value + 7),
        0.9,
      );
      expect(narrow.low).toBeLessThanOrEqual(narrow.estimate);
      expect(narrow.high).toBeGreaterThanOrEqual(narrow.estimate);
      expect(wide.low).toBeLessThanOrEqual(narrow.low);
      expect(wide.high).toBeGreaterThanOrEqual(narrow.high);
      expect(shifted.estimate).toBeCloseTo(narrow.estimate + 7, 9);
    }),
  );
});

test('the interval excludes zero exactly when the test rejects', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.double({ min: -1, max: 2, noNaN: true }), { minLength: 8, maxLength: 14 }),
      (sample) => {
        fc.pre(sample.every((value) => value !== 0) && new Set(sample.map(Math.abs)).size === sample.length);
        const { pGreater } = signedRankTest(sample);
        expect(hodgesLehmann(sample, 0.9).low > 0).toBe(pGreater <= 0.05);
      },
    ),
  );
});

test('a sample too small for the confidence has an infinite interval', () => {
  expect(hodgesLehmann([1, 2, 3], 0.98)).toEqual({ estimate: 2, low: -Infinity, high: Infinity });
  expect(median([1, 2, 3, 10])).toBe(2.5);
});
