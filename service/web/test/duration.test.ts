import { expect, test } from 'vitest';
import { formatAge, formatDuration, parseDuration } from '../src/model/time-range.ts';

test('durations of Prometheus are read in milliseconds', () => {
  expect(parseDuration('5s')).toBe(5000);
  expect(parseDuration('1h30m')).toBe(5_400_000);
  expect(parseDuration('250ms')).toBe(250);
});

test('anything but a duration is refused', () => {
  for (const text of ['', '5', 's', '5 s', '5x', 'x5s', '-5s'])
    expect(parseDuration(text), text).toBeUndefined();
});

test('durations are written in whole units, largest first', () => {
  expect(formatDuration(90_000)).toBe('1m30s');
  expect(formatDuration(20_000)).toBe('20s');
  expect(formatDuration(93_600_000)).toBe('1d2h');
  expect(formatDuration(0)).toBe('1ms');
});

test('what is written is read back as the same duration', () => {
  for (const ms of [1, 999, 1000, 61_001, 3_600_000, 90_061_001]) {
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  }
});

test('an age is told in the unit that people would use', () => {
  expect(formatAge(4200)).toBe('4 s ago');
  expect(formatAge(125_000)).toBe('2 min ago');
  expect(formatAge(3 * 3_600_000)).toBe('3 h ago');
  expect(formatAge(86_400_000)).toBe('1 day ago');
  expect(formatAge(-50)).toBe('0 s ago');
});
