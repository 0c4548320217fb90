import { expect, test } from 'vitest';
import { describeRange, fitRange, parseMoment, resolveRange } from '../src/model/time-range.ts';

const now = 1_700_000_000_000;
const quarter = { from: 'now-15m', to: 'now' };

test('moments are relative to now or Unix milliseconds', () => {
  expect(parseMoment('now', now)).toBe(now);
  expect(parseMoment('now-15m', now)).toBe(now - 900_000);
  expect(parseMoment('1699999999000', now)).toBe(1_699_999_999_000);
  expect(parseMoment('yesterday', now)).toBeUndefined();
});

test('an unreadable or reversed range becomes the last 15 minutes', () => {
  const fallback = { fromMs: now - 900_000, toMs: now };
  expect(resolveRange({ from: 'x', to: 'now' }, now)).toEqual(fallback);
  expect(resolveRange({ from: 'now', to: 'now-1h' }, now)).toEqual(fallback);
});

test('a range is described by its quick name, else by its ends', () => {
  expect(describeRange(quarter)).toBe('Last 15 minutes');
  expect(describeRange({ from: 'now-90s', to: 'now' })).toBe('Last 90s');
  expect(describeRange({ from: '1699999000000', to: '1699999999000' })).toContain(' – ');
});

test('a young store is shown whole instead of mostly empty', () => {
  expect(fitRange(quarter, now - 40_000, now)).toEqual({ from: 'now-2m', to: 'now' });
  expect(fitRange(quarter, now - 150_000, now)).toEqual({ from: 'now-5m', to: 'now' });
  expect(fitRange(quarter, now - 600_000, now)).toEqual(quarter);
});

test('a store older than the range, or of unknown age, leaves the range alone', () => {
  expect(fitRange(quarter, now - 3_600_000, now)).toEqual(quarter);
  expect(fitRange(quarter, undefined, now)).toEqual(quarter);
  const past = { from: '1699999000000', to: '1699999999000' };
  expect(fitRange(past, now - 1000, now)).toEqual(past);
});
