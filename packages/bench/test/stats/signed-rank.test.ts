import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hodgesLehmann, median } from '../../src/stats/hodges-lehmann.ts';
import { holm } from '../../src/stats/holm.ts';
import { doubledRanks, signedRankTest } from '../../src/stats/signed-rank.ts';

// Hollander, Wolfe, Chicken, table 3.1: Hamilton depression scale factor before and after tranquilliser therapy.
const before = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3];
const after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
const differences = before.map((value, index) => value - (after[index] ?? 0));

test('the published example gives its published values', () => {
  const { pGreater } = signedRankTest(differences);
  expect(pGreater).toBeCloseTo(0.01953, 5);
  const { estimate, low, high } = hodgesLehmann(differences, 0.96);
  expect(estimate).toBeCloseTo(0.46, 2);
  expect(low).toBeCloseTo(-0.0135, 1);
  expect(high).toBeCloseTo(0.786, 2);
});

test.each([
  [1, 0.5],
  [5, 1 / 32],
  [7, 1 / 128],
  [10, 1 / 1_024],
])('%i positive values have p = 2^-n', (count, p) => {
  const values = Array.from({ length: count }, (_, index) => 1 + index);
  expect(signedRankTest(values)).toEqual({ pGreater: p, pLess: 1, count });
});

const values = fc.array(fc.integer({ min: -6, max: 6 }), { minLength: 1, maxLength: 11 });

test('it equals the count over every assignment of signs, ties, zeros and bounded ranks included', () => {
  fc.assert(
    fc.property(values, fc.constantFrom(1, 0.5, 0.25), (sample, most) => {
      const nonZero = sample.filter((value) => value !== 0);
      const highest = 2 * Math.ceil(nonZero.length * most);
      const ranks = doubledRanks(nonZero.map(Math.abs)).map((rank) => Math.min(rank, highest));
      const observed = nonZero.reduce((sum, value, index) => sum + (value > 0 ? (ranks[index] ?? 0) : 0), 0);
      let atLeast = 0;
      let atMost = 0;
      for (let signs = 0; signs < 2 ** nonZero.length; signs += 1) {
        const sum = ranks.reduce((total, rank, index) => total + ((signs >> index) & 1) * rank, 0);
        if (sum >= observed) atLeast += 1;
        if (sum <= observed) atMost += 1;
      }
      const { pGreater, pLess } = signedRankTest(sample, most);
      expect(pGreater).toBeCloseTo(atLeast / 2 ** nonZero.length, 12);
      expect(pLess).toBeCloseTo(atMost / 2 ** nonZero.length, 12);
    }),
  );
});

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

test('Holm agrees with the published example and never lowers a value', () => {
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (ps) => {
      const adjusted = holm(ps);
      adjusted.forEach((value, index) => {
        expect(value).toBeGreaterThanOrEqual(ps[index] ?? 0);
        expect(value).toBeLessThanOrEqual(1);
      });
    }),
  );
});
