import { expect, test } from 'vitest';
import { complete } from '../src/model/complete.ts';

const known = {
  metrics: ['http_requests_total', 'process_cpu_seconds_total', 'up'],
  labels: ['http_route', 'job'],
};
const at = (text: string): readonly string[] => complete(text, text.length, known).candidates;

test('a name is completed with metrics and functions, those that begin with it first', () => {
  expect(at('sum(http')).toEqual(['http_requests_total']);
  expect(at('sum(rat')).toEqual(['rate', 'irate']);
  expect(at('cpu')).toEqual(['process_cpu_seconds_total']);
});

test('labels are offered inside braces and groupings, and nothing inside a string', () => {
  expect(at('up{jo')).toEqual(['job']);
  expect(at('sum by (htt')).toEqual(['http_route']);
  expect(at('up{job="ht')).toEqual([]);
});

test('the choice replaces the typed name alone', () => {
  expect(complete('sum(up) / cou', 13, known)).toMatchObject({ from: 10, to: 13 });
  expect(at('sum(')).toEqual([]);
});
