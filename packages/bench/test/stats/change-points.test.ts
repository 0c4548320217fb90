import { seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { findChangePoints } from '../../src/stats/change-points.ts';
import otava from './otava-series.json' with { type: 'json' };

function noise(seed: number, length: number, level = 100, sd = 2): number[] {
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length }, () => level + sd * normal());
}

test.each<[string, (normal: number) => number]>([
  ['noise', (normal) => normal],
  ['noise with a long tail', (normal) => Math.exp(normal) * 2],
])('200 stationary series of %s have no change points', (_name, shape) => {
  let found = 0;
  for (let seed = 0; seed < 200; seed += 1) {
    const series = noise(seed, 60, 0, 1).map((normal) => 100 + 2 * shape(normal));
    found += findChangePoints(series).length;
  }
  expect(found).toBe(0);
});

test('injected steps are found within two runs of where they are', () => {
  for (const [seed, step] of [
    [1, 10],
    [2, -10],
    [3, 20],
  ] as const) {
    const series = [...noise(seed, 40), ...noise(seed + 100, 40, 100 + step)];
    const [point, ...more] = findChangePoints(series);
    expect(more).toEqual([]);
    expect(Math.abs((point?.index ?? 0) - 40)).toBeLessThanOrEqual(2);
    expect(point?.change).toBeCloseTo(step / 100, 1);
  }
});

test('several steps are told apart, and the same series always gives the same answer', () => {
  const series = [...noise(1, 30), ...noise(2, 30, 120), ...noise(3, 30, 90)];
  const points = findChangePoints(series);
  expect(points.map((point) => Math.round(point.index / 30))).toEqual([1, 2]);
  expect(findChangePoints(series)).toEqual(points);
});

test('a single outlier is no change, nor is a series too short or constant', () => {
  const series = noise(5, 40);
  series[20] = 500;
  expect(findChangePoints(series)).toEqual([]);
  expect(findChangePoints([1, 2, 3])).toEqual([]);
  expect(findChangePoints(Array.from({ length: 40 }, () => 7))).toEqual([]);
});

test('a change that is certain but too small is not worth a word', () => {
  const series = [...noise(6, 40, 100, 0.1), ...noise(7, 40, 101, 0.1)];
  expect(findChangePoints(series)).toEqual([]);
  expect(findChangePoints(series, { minChange: 0.005 })).toHaveLength(1);
});

test("Otava's published series have the change points that Otava finds in them", () => {
  const [twoSteps, oneStep, tigerbeetle] = otava.series;
  if (twoSteps === undefined || oneStep === undefined || tigerbeetle === undefined)
    throw new Error('no series');
  const found = (values: number[], options = {}) =>
    findChangePoints(values, options).map(({ index }) => index);
  // Three values between two steps: fewer permutations than our alpha needs.
  expect(found(twoSteps.values, { minLength: 3, alpha: 0.05 })).toEqual(twoSteps.found);
  expect(found(oneStep.values)).toEqual(oneStep.found);
  const ours = found(tigerbeetle.values, { minChange: 0 });
  expect(ours).toHaveLength(8);
  expect(ours).toEqual(expect.arrayContaining(tigerbeetle.found));
  expect(tigerbeetle.foundAtOurAlpha).toEqual(expect.arrayContaining(ours));
});
