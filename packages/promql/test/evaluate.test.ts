import { describe, expect, it } from 'vitest';
import { PromqlError } from '../src/errors.ts';
import type { QueryOptions } from '../src/limits.ts';
import { MemoryQueryable, type Point } from '../src/memory-queryable.ts';
import { evaluateInstant, evaluateRange } from '../src/query.ts';

/** Points at a fixed interval from time 0; `undefined` leaves a gap. */
function every(intervalMs: number, values: readonly (Point | undefined)[]): [number, Point][] {
  return values.flatMap((value, index): [number, Point][] =>
    value === undefined ? [] : [[index * intervalMs, value]],
  );
}

const minute = 60_000;

function counting(step: number, count: number, from = 0): Point[] {
  return Array.from({ length: count }, (_, index) => from + index * step);
}

const shop = new MemoryQueryable()
  .add('requests_total{job="shop",code="200"}', every(15_000, counting(30, 41)))
  .add('requests_total{job="shop",code="500"}', every(15_000, counting(3, 41)))
  .add('requests_total{job="admin",code="200"}', every(15_000, counting(15, 41)))
  .add('up{job="shop"}', every(15_000, [1, 1, 'stale']))
  .add('up{job="admin"}', every(15_000, [1, 1, 0]))
  .add('latency_bucket{le="0.1"}', every(15_000, [10]))
  .add('latency_bucket{le="1"}', every(15_000, [40]))
  .add('latency_bucket{le="+Inf"}', every(15_000, [50]));

function vector(query: string, timeMs = 10 * minute, options?: QueryOptions): Record<string, number> {
  const result = evaluateInstant(shop, query, timeMs, options);
  if (result.type !== 'vector') throw new Error(`Expected a vector, got a ${result.type}.`);
  // To 12 digits: the last bits belong to the order of the arithmetic.
  return Object.fromEntries(result.samples.map(({ labels, value }) => [labels.toString(), round(value)]));
}

function round(value: number): number {
  return Number(value.toPrecision(12));
}

function failure(query: string, options?: QueryOptions): PromqlError {
  try {
    evaluateInstant(shop, query, 10 * minute, options);
  } catch (error) {
    if (error instanceof PromqlError) return error;
    throw error;
  }
  throw new Error(`Expected \`${query}\` to fail.`);
}

describe('an instant query', () => {
  it('rates a counter per second and drops its name', () => {
    expect(vector('rate(requests_total{job="shop"}[1m])')).toEqual({
      '{code="200", job="shop"}': 2,
      '{code="500", job="shop"}': 0.2,
    });
  });

  it('leaves the left end of a range out, so that four scrapes of 15 s make one minute', () => {
    expect(vector('count_over_time(requests_total{code="500"}[1m])')).toEqual({
      '{code="500", job="shop"}': 4,
    });
  });

  it('sums by labels and without them', () => {
    expect(vector('sum by (job) (rate(requests_total[2m]))')).toEqual({
      '{job="admin"}': 1,
      '{job="shop"}': 2.2,
    });
    expect(vector('max without (code) (requests_total)')).toEqual({
      '{job="admin"}': 600,
      '{job="shop"}': 1200,
    });
  });

  it('divides vectors whose labels match and names the many side with group_left', () => {
    const ratio =
      'rate(requests_total{code="500"}[2m]) / on (job) group_left () sum by (job) (rate(requests_total[2m]))';
    expect(vector(ratio)).toEqual({ '{code="500", job="shop"}': round(0.2 / 2.2) });
  });

  it('says which series are in the way when a match is not unique', () => {
    const error = failure('requests_total / on (job) requests_total');
    expect(error.errorType).toBe('execution');
    expect(error.message).toContain(
      'many-to-many matching not allowed: matching labels must be unique on one side',
    );
  });

  it('takes a series out at its stale marker and not before', () => {
    expect(vector('up', 29_999)).toEqual({
      '{__name__="up", job="admin"}': 1,
      '{__name__="up", job="shop"}': 1,
    });
    expect(vector('up', 30_000)).toEqual({ '{__name__="up", job="admin"}': 0 });
  });

  it('interpolates quantiles of a classic histogram within the bucket', () => {
    expect(vector('histogram_quantile(0.5, latency_bucket)', 0)).toEqual({
      '{}': round(0.1 + 0.9 * (15 / 30)),
    });
  });

  it('evaluates a subquery at multiples of its step', () => {
    expect(vector('max_over_time(sum(rate(requests_total[1m]))[5m:1m])')).toEqual({
      '{}': round(3.2),
    });
  });

  it('looks at the time of @ and back by offset', () => {
    expect(vector('requests_total{code="500"} @ 60 offset 15s')).toEqual({
      '{__name__="requests_total", code="500", job="shop"}': 9,
    });
  });

  it('answers scalars, strings and range vectors in their own type', () => {
    expect(evaluateInstant(shop, '1 + 2 ^ 3 ^ 0', 0)).toMatchObject({ type: 'scalar', value: 3 });
    expect(evaluateInstant(shop, '"weir"', 0)).toMatchObject({ type: 'string', value: 'weir' });
    const range = evaluateInstant(shop, 'up[1m]', 60_000);
    expect(range).toMatchObject({ type: 'matrix' });
    if (range.type === 'matrix') expect(range.series.map(({ values }) => [...values])).toEqual([[1, 0], [1]]);
  });

  it('notes a rate of what does not look like a counter', () => {
    expect(evaluateInstant(shop, 'rate(up[1m])', 30_000).infos).toEqual([
      'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "up" (1:6)',
    ]);
  });
});

describe('a range query', () => {
  it('answers a matrix with a point at every step that has one', () => {
    const result = evaluateRange(shop, 'up', { startMs: 0, endMs: 45_000, stepMs: 15_000 });
    if (result.type !== 'matrix') throw new Error('Expected a matrix.');
    expect(result.series.map(({ labels, values }) => [labels.get('job'), [...values]])).toEqual([
      ['admin', [1, 1, 0, 0]],
      ['shop', [1, 1]],
    ]);
  });

  it('refuses more than 11,000 points a series', () => {
    const range = { startMs: 0, endMs: 11_001, stepMs: 1 };
    expect(() => evaluateRange(shop, 'up', range)).toThrow(/exceeded maximum resolution of 11,000 points/);
  });

  it('refuses a range vector as its result', () => {
    expect(() => evaluateRange(shop, 'up[1m]', { startMs: 0, endMs: 1, stepMs: 1 })).toThrow(
      'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    );
  });
});

describe('the limits of a query', () => {
  it('stop it at the samples it may hold', () => {
    expect(failure('requests_total', { maxSamples: 2 })).toMatchObject({ errorType: 'execution' });
    expect(failure('vector(1)[100y:1ms]')).toMatchObject({ errorType: 'execution' });
  });

  it('stop it at the series it may select', () => {
    expect(failure('requests_total', { maxSeries: 2 }).message).toContain(
      'selects 3 series, more than the limit of 2',
    );
  });

  it('refuse an expression with hundreds of groups', () => {
    const query = (groups: number): string =>
      `label_replace(requests_total, "a", "$1", "job", "${'(.*)'.repeat(groups)}")`;
    expect(failure(query(101))).toMatchObject({ errorType: 'execution' });
    expect(() => failure(query(100))).toThrow();
  });

  it('stop it when its time is up', () => {
    let now = 0;
    const clock = (): number => {
      now += 10;
      return now;
    };
    expect(failure('requests_total', { timeoutMs: 5, clock })).toMatchObject({ errorType: 'timeout' });
  });

  it('stop it within a window function, where one series alone takes long', () => {
    let now = 0;
    const clock = (): number => now++;
    const query = 'max_over_time(max_over_time(vector(1)[1h:1s])[1h:1s])';
    expect(failure(query, { timeoutMs: 15, clock })).toMatchObject({ errorType: 'timeout' });
  });

  it('stop it when it is canceled', () => {
    expect(failure('requests_total', { isCanceled: () => true })).toMatchObject({ errorType: 'canceled' });
  });
});
