import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { alignRange, rateIntervalFor, stepFor } from '../src/model/time-range.ts';

const lastQuarter = { fromMs: 0, toMs: 900_000 };

test('the step is never below the scrape interval', () => {
  expect(stepFor(lastQuarter, 2000, 5000)).toBe(5000);
  expect(stepFor(lastQuarter, 2000, 15_000)).toBe(15_000);
});

test('the step grows with the range and shrinks with the width', () => {
  expect(stepFor({ fromMs: 0, toMs: 86_400_000 }, 400, 5000)).toBe(300_000);
  expect(stepFor({ fromMs: 0, toMs: 86_400_000 }, 1000, 5000)).toBe(120_000);
});

test('no chart asks for more points than it has pixels, whatever the range', () => {
  void fc.assert(
    fc.property(
      fc.integer({ min: 60_000, max: 1e13 }),
      fc.integer({ min: 50, max: 4000 }),
      (length, points) => {
        const step = stepFor({ fromMs: 0, toMs: length }, points, 1000);
        expect(length / step).toBeLessThanOrEqual(points);
      },
    ),
  );
});

test('the rate interval spans four scrapes, and a step with one scrape to spare', () => {
  expect(rateIntervalFor(5000, 5000)).toBe(20_000);
  expect(rateIntervalFor(60_000, 5000)).toBe(65_000);
});

test('aligned ranges keep their points between refreshes', () => {
  const first = alignRange({ fromMs: 12_300, toMs: 912_300 }, 5000);
  const later = alignRange({ fromMs: 22_300, toMs: 922_300 }, 5000);
  expect(first).toEqual({ fromMs: 10_000, toMs: 910_000 });
  expect((later.fromMs - first.fromMs) % 5000).toBe(0);
});
