import { expect, test } from 'vitest';
import { placeInSection, sections } from '../src/model/dashboard.ts';
import {
  assignSeriesColors,
  fieldConfigFor,
  seriesColorCount,
  thresholdColor,
} from '../src/model/display.ts';
import { alignValues, legendName, reduce, stackValues, timeline } from '../src/model/frame.ts';

test('overrides match by name, pattern and query, and later ones win', () => {
  const source = {
    defaults: { unit: 's', custom: { lineWidth: 1 } },
    overrides: [
      { matcher: { id: 'byRegexp', options: '/^p9/' }, properties: [{ id: 'custom.lineWidth', value: 3 }] },
      { matcher: { id: 'byName', options: 'p99' }, properties: [{ id: 'unit', value: 'ms' }] },
      { matcher: { id: 'byFrameRefID', options: 'B' }, properties: [{ id: 'decimals', value: 0 }] },
    ],
  };
  expect(fieldConfigFor(source, { name: 'p99', refId: 'A' })).toEqual({
    unit: 'ms',
    custom: { lineWidth: 3 },
  });
  expect(fieldConfigFor(source, { name: 'p50', refId: 'B' })).toEqual({
    unit: 's',
    decimals: 0,
    custom: { lineWidth: 1 },
  });
});

test('values stand at their step, and gaps and NaN are null', () => {
  const times = timeline({ fromMs: 10_000, toMs: 30_000 }, 5000);
  expect(times).toEqual([10, 15, 20, 25, 30]);
  const series = {
    metric: {},
    values: [
      [10, '1'],
      [20, 'NaN'],
      [30, '+Inf'],
    ] as const,
  };
  expect(alignValues(series, times, 5000)).toEqual([1, null, null, null, Number.POSITIVE_INFINITY]);
});

test('stacked series lie on one another; a hole in one is no hole in all', () => {
  expect(
    stackValues([
      [1, null, null],
      [2, 3, null],
    ]),
  ).toEqual([
    [1, 0, null],
    [3, 3, null],
  ]);
});

test('legends fill in labels, and fall back to the series itself', () => {
  expect(legendName('{{job}} {{ instance }}', { job: 'shop', instance: 'a:1' })).toBe('shop a:1');
  expect(legendName('', { __name__: 'up', job: 'shop' })).toBe('up{job="shop"}');
  expect(legendName('{{route}}', { job: 'shop' })).toBe('{job="shop"}');
});

test('a reduction skips gaps, and nothing reduces to nothing', () => {
  expect(reduce([1, null, 3, null], 'lastNotNull')).toBe(3);
  expect(reduce([1, null, 3], 'mean')).toBe(2);
  expect(reduce([1, null, 3], 'max')).toBe(3);
  expect(reduce([null], 'sum')).toBeNull();
});

test('a threshold colours values from itself upwards', () => {
  const config = {
    thresholds: {
      mode: 'absolute',
      steps: [
        { value: null, color: 'green' },
        { value: 0.5, color: 'orange' },
        { value: 1, color: 'red' },
      ],
    },
  };
  expect([0, 0.5, 0.99, 1].map((value) => thresholdColor(config, value))).toEqual([
    'green',
    'orange',
    'orange',
    'red',
  ]);
});

test('series colours do not depend on order and do not clash while there are enough', () => {
  const names = Array.from({ length: seriesColorCount }, (_, index) => `series ${index}`);
  const colors = assignSeriesColors(names);
  expect(new Set(colors.values()).size).toBe(seriesColorCount);
  expect(assignSeriesColors([...names].reverse())).toEqual(colors);
});

test('panels stand under their rows in reading order, folded rows with the panels inside them', () => {
  const panel = (id: number, type: string, x: number, y: number, inside: { id: number }[] = []) =>
    ({ id, type, title: '', gridPos: { x, y, w: 6, h: 4 }, panels: inside }) as never;
  const found = sections([
    panel(101, 'stat', 6, 5),
    panel(100, 'row', 0, 4),
    panel(102, 'stat', 0, 5),
    panel(1, 'stat', 0, 0),
    panel(200, 'row', 0, 9, [{ id: 201 }]),
  ]);
  expect(found.map(({ row, panels }) => [row?.id, panels.map(({ id }) => id)])).toEqual([
    [undefined, [1]],
    [100, [102, 101]],
    [200, [201]],
  ]);
  expect(placeInSection({ x: 6, y: 5, w: 6, h: 4 }, 5)['--column']).toBe('7 / span 6');
});
