import { expect, test } from 'vitest';
import type { BenchmarkResult } from '../src/index.ts';
import { checkObjective, describeObjective } from '../src/result/check-objective.ts';
import { doubtRun } from '../src/result/doubts.ts';
import { explainObjective, parseObjective } from '../src/scenario/objective.ts';

const result = {
  requests: { total: 1_000, ok: 990, non2xx: 5, errors: 5, timeouts: 2, perSecond: 500 },
  latencyMs: { min: 1, mean: 2, p50: 2, p90: 3, p95: 4, p99: 250, p999: 300, max: 400 },
  statusCodes: { 200: 990, 302: 5 },
  failures: { timeout: 2, cut: 3 },
} as unknown as BenchmarkResult;

test.each([
  ['p99 < 250ms', false],
  ['p99 <= 250ms', true],
  ['p99.9 < .3s', undefined],
  // Of 1,000 requests 5 were never answered, so no more than 99.5 % have a latency.
  ['p99.9 < 0.31s', false],
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
  // A share that is always or never met decides nothing.
  ['errors < 5', undefined],
  ['errors < 101%', undefined],
  ['timeouts <= 100%', undefined],
  ['errors < 0', undefined],
  ['checks > 100%', undefined],
  ['achievedRate >= 99', undefined],
  ['achievedRate >= 0%', undefined],
  ['errors <= 0', false],
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

/** A run of 1,000 requests that took 1 ms each where they were answered. */
function runOf(counts: {
  readonly statusCodes?: Readonly<Record<string, number>>;
  readonly failures?: BenchmarkResult['failures'];
  readonly checks?: { readonly passed: number; readonly failed: number };
}): BenchmarkResult {
  const { statusCodes = {}, failures = {}, checks } = counts;
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
  const ok = statusCodes[200] ?? 0;
  const answered = sum(Object.values(statusCodes));
  const errors = sum(Object.values(failures));
  const recorded = answered + (failures.timeout ?? 0) + (failures.dropped ?? 0);
  const ms = recorded === 0 ? 0 : 1;
  return {
    requests: {
      total: answered + errors,
      ok,
      non2xx: answered - ok,
      errors,
      timeouts: failures.timeout ?? 0,
      perSecond: answered,
    },
    latencyMs: { min: ms, mean: ms, p50: ms, p90: ms, p95: ms, p99: ms, p999: ms, max: ms },
    statusCodes,
    failures,
    ...(checks === undefined ? {} : { checks: { ...checks, failures: {} } }),
  } as unknown as BenchmarkResult;
}

const latencies = ['min', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max', 'mean'];

test.each<[string, Parameters<typeof runOf>[0], readonly string[]]>([
  ['answered all of its requests', { statusCodes: { 200: 1_000 } }, latencies],
  ['was redirected', { statusCodes: { 302: 1_000 } }, latencies],
  ['answered nothing', { failures: { refused: 1_000 } }, []],
  ['had one request cut off', { statusCodes: { 200: 999 }, failures: { cut: 1 } }, latencies.slice(0, 6)],
  ['had one timeout', { statusCodes: { 200: 999 }, failures: { timeout: 1 } }, latencies.slice(0, 6)],
  [
    'had one malformed answer',
    { statusCodes: { 200: 999 }, failures: { malformed: 1 } },
    latencies.slice(0, 6),
  ],
  ['timed out in 2 %', { statusCodes: { 200: 980 }, failures: { timeout: 20 } }, latencies.slice(0, 4)],
  ['never sent 20 %', { statusCodes: { 200: 800 }, failures: { dropped: 200 } }, latencies.slice(0, 2)],
  ['could not write 60 %', { statusCodes: { 200: 400 }, failures: { unsent: 600 } }, ['min']],
  ['died half-way', { statusCodes: { 200: 499 }, failures: { refused: 501 } }, ['min']],
  ['answered 2 % with 500', { statusCodes: { 200: 980, 500: 20 } }, latencies.slice(0, 4)],
  ['answered all with 401', { statusCodes: { 401: 1_000 } }, ['min']],
  [
    'had 0.5 % of its requests refused with 429',
    { statusCodes: { 200: 995, 429: 5 } },
    latencies.filter((name) => name !== 'p99.9'),
  ],
  [
    'passed every check of its flows, one for status 404',
    { statusCodes: { 200: 500, 404: 500 }, checks: { passed: 1_000, failed: 0 } },
    latencies,
  ],
  [
    'failed 20 % of its checks with status 200',
    { statusCodes: { 200: 1_000 }, checks: { passed: 800, failed: 200 } },
    latencies.slice(0, 2),
  ],
])('a run that %s meets a latency objective only where enough requests succeeded', (_name, counts, met) => {
  const outcomes = latencies.map((name) => checkObjective(parseObjective(`${name} < 5s`), runOf(counts)));
  expect(outcomes.filter((outcome) => outcome.met).map(({ expression }) => expression)).toEqual(
    met.map((name) => `${name} < 5s`),
  );
  for (const outcome of outcomes) {
    expect(outcome.actual).toBe(outcome.met ? 1 : null);
    expect(describeObjective(outcome)).toMatch(
      outcome.met ? /: 1\.00 ms$/ : /: not measured, too many requests failed$/,
    );
  }
});

test.each<[Parameters<typeof runOf>[0], number]>([
  [{ statusCodes: { 200: 1_000 } }, 1_000],
  [{ statusCodes: { 200: 600, 302: 400 }, failures: { cut: 500 } }, 1_000],
  [{ statusCodes: { 200: 600, 503: 400 } }, 600],
  [{ statusCodes: { 500: 1_000 } }, 0],
  [{ statusCodes: { 200: 600, 404: 400 }, checks: { passed: 1_000, failed: 0 } }, 1_000],
  [{ statusCodes: { 200: 1_000 }, failures: { timeout: 100 }, checks: { passed: 700, failed: 400 } }, 700],
  [{ failures: { refused: 1_000 } }, 0],
])('the objective `rate` counts successful answers: %j', (counts, perSecond) => {
  const { actual } = checkObjective(parseObjective('rate > 0/s'), runOf(counts));
  expect(actual).toBeCloseTo(perSecond, 6);
});

test('a latency that misses its bound is told, however many requests failed', () => {
  const run = runOf({ statusCodes: { 200: 500 }, failures: { timeout: 500 } });
  expect(checkObjective(parseObjective('p99 < 500us'), run)).toMatchObject({ met: false, actual: 1 });
});

test('what a run does not have misses every bound, upper and lower', () => {
  const none = runOf({ statusCodes: { 200: 1 }, checks: { passed: 0, failed: 0 } });
  for (const expression of ['checks > 99%', 'checks < 1%', 'achievedRate > 0%', 'achievedRate <= 99%'])
    expect(checkObjective(parseObjective(expression), none)).toEqual({
      expression,
      met: false,
      actual: null,
    });
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
