import { expect, test } from 'vitest';
import { heatMapCells } from '../src/model/heat-map.ts';

const series = [
  { labels: { le: '+Inf' }, values: [6, 8, null] },
  { labels: { le: '0.1' }, values: [2, 3, null] },
  { labels: { le: '0.5' }, values: [6, 7, null] },
  { labels: { le: '0.01' }, values: [0, 0, null] },
];

test('cumulative buckets are taken apart, and empty ones at the ends are left out', () => {
  const cells = heatMapCells([10, 20, 30], series);
  expect(cells.floor).toBe(0.01);
  expect(cells.bounds).toEqual([0.1, 0.5, Number.POSITIVE_INFINITY]);
  expect(cells.counts).toEqual([
    [2, 3, null],
    [4, 4, null],
    [0, 1, null],
  ]);
  expect(cells.highest).toBe(4);
});

test('a bound that is written in two ways is one bucket', () => {
  const twice = [...series, { labels: { le: '0.10' }, values: [1, null, 4] }];
  expect(heatMapCells([10, 20, 30], twice).counts[0]).toEqual([3, 3, 4]);
});

test('a place of the plot names its bucket and moment, and a gap names nothing', () => {
  const cells = heatMapCells([10, 20, 30], series);
  expect(cells.at(0.1, 0.5)).toEqual({ seconds: 10, low: 0.1, high: 0.5, perSecond: 4 });
  expect(cells.at(0.95, 0.5)).toBeUndefined();
});

test('the summary tells where most observations lie now', () => {
  expect(heatMapCells([10, 20, 30], series).summary(String)).toBe('most now between 0.1 and 0.5');
  expect(heatMapCells([], []).summary(String)).toBe('nothing now');
});
