import { expect, test } from 'vitest';
import { formatCount, formatValue } from '../src/model/format-value.ts';

test.each([
  [0.0124, 's', '12.4 ms'],
  [0.00000831, 's', '8.31 µs'],
  [1.5, 's', '1.5 s'],
  [90, 's', '1.5 min'],
  [0, 's', '0 s'],
  [0.9999, 's', '1 s'],
  [4.1, 'ms', '4.1 ms'],
  [1234, 'ms', '1.23 s'],
  [0.5, 'ms', '500 µs'],
  [1536, 'bytes', '1.5 KiB'],
  [1500, 'decbytes', '1.5 kB'],
  [0, 'bytes', '0 B'],
  [8123, 'reqps', '8.12K req/s'],
  [12.34, 'reqps', '12.3 req/s'],
  [2_500_000, 'short', '2.5M'],
  [999.96, 'short', '1K'],
  [7, 'none', '7'],
  [0.9995, 'percentunit', '99.95 %'],
  [0.207, 'percentunit', '20.7 %'],
  [0.00332, 'percentunit', '0.33 %'],
  [1, 'percentunit', '100 %'],
  [50, 'percent', '50 %'],
  [92, 'cpm', '92 /min'],
  [-3.5, 'short', '−3.5'],
  [3, 'unheard', '3 unheard'],
])('%d in %s reads %s', (value, unit, text) => {
  expect(formatValue(value, unit)).toBe(text);
});

test('decimals that the dashboard sets are kept', () => {
  expect(formatValue(3, 'short', 0)).toBe('3');
  expect(formatValue(1.5, 's', 3)).toBe('1.500 s');
});

test('what is no number is named and never drawn as one', () => {
  expect(formatValue(null, 's')).toBe('–');
  expect(formatValue(undefined)).toBe('–');
  expect(formatValue(Number.NaN)).toBe('NaN');
  expect(formatValue(Number.POSITIVE_INFINITY, 's')).toBe('+Inf');
});

test('counts are written in full', () => {
  expect(formatCount(8092.4)).toBe('8,092');
  expect(formatCount(12.34)).toBe('12.3');
});
