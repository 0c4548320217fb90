import { expect, test } from 'vitest';
import { doubtRun } from '../src/conditions.ts';
import type { BenchmarkResult } from '../src/index.ts';
import { checkObjective, describeObjective, explainObjective, parseObjective } from '../src/objective.ts';

const result = {
  requests: { total: 1_000, ok: 990, non2xx: 5, errors: 5, timeouts: 2, perSecond: 500 },
  latencyMs: { min: 1, mean: 2, p50: 2, p90: 3, p95: 4, p99: 250, p999: 300, max: 400 },
} as BenchmarkResult;

test.each([
  ['p99 < 250ms', false],
  ['p99 <= 250ms', true],
  ['p99.9 < .3s', undefined],
  ['p99.9 < 0.31s', true],
  ['p50<2500us', true],
  ['errors < 0.1%', false],
  ['errors <= 1%', true],
  ['timeouts < 0.01', true],
  ['rate >= 500/s', true],
  ['achievedRate > 99%', false],
  ['p99 < 250', undefined],
  ['p99 > ', undefined],
  ['errors < 1ms', undefined],
  ['p98 < 1s', undefined],
])('%s: %s', (expression, met) => {
  if (met === undefined) expect(explainObjective(expression)).toContain(expression);
  else expect(checkObjective(parseObjective(expression), result).met).toBe(met);
});

test('an outcome says what was measured', () => {
  const describe = (expression: string) =>
    describeObjective(checkObjective(parseObjective(expression), result));
  expect(describe('p99 < 1s')).toBe('p99 < 1s: 250 ms');
  expect(describe('errors < 1%')).toBe('errors < 1%: 1.00 %');
  expect(describe('checks > 1%')).toBe('checks > 1%: not measured');
});

test('a run without requests meets no objective', () => {
  const empty = { ...result, requests: { ...result.requests, total: 0 } };
  expect(checkObjective(parseObjective('p99 < 1s'), empty).met).toBe(false);
});

test('runs are doubted for a generator without time to spare, late requests, and steal', () => {
  const codes = (...args: Parameters<typeof doubtRun>) => doubtRun(...args).map((doubt) => doubt.code);
  expect(codes({ generatorBusy: 0.5, generatorWaited: 0.1, steal: 0 }, undefined)).toEqual([]);
  expect(codes({ generatorBusy: 0.97 }, undefined)).toEqual(['generator-saturated']);
  expect(codes({ generatorBusy: 0.3, generatorWaited: 0.69 }, undefined)).toEqual(['generator-starved']);
  expect(codes({ generatorBusy: 1 }, { late: 5, intended: 1_000 })).toEqual([]);
  expect(codes({ generatorBusy: 1 }, { late: 50, intended: 1_000 })).toEqual(['generator-late']);
  expect(codes({ generatorBusy: 0.1, steal: 0.3 }, undefined)).toEqual(['cpu-steal']);
});
