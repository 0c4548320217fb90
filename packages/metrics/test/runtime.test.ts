import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../src/index.ts';
import { samplesOf } from './samples.ts';

let metrics: Metrics;
beforeAll(() => {
  metrics = createMetrics({ service: 'test' });
});
afterAll(() => metrics.close());

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const KINDS = {
  minor: constants.NODE_PERFORMANCE_GC_MINOR,
  major: constants.NODE_PERFORMANCE_GC_MAJOR,
  incremental: constants.NODE_PERFORMANCE_GC_INCREMENTAL,
  weakcb: constants.NODE_PERFORMANCE_GC_WEAKCB,
};

test('counts and times of garbage collections of every kind equal an independent observer’s', async () => {
  const observed = new Map<number, { count: number; seconds: number }>();
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const kind = (entry as { detail?: { kind?: number } }).detail?.kind ?? -1;
      const { count, seconds } = observed.get(kind) ?? { count: 0, seconds: 0 };
      observed.set(kind, { count: count + 1, seconds: seconds + entry.duration / 1_000 });
    }
  });
  const own = createMetrics({ service: 'test' });
  observer.observe({ entryTypes: ['gc'] });
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;
  const countOf = (kind: keyof typeof KINDS): number => observed.get(KINDS[kind])?.count ?? 0;
  // A growing old generation is marked incrementally.
  const kept: object[][] = [];
  for (let round = 0; round < 200 && countOf('incremental') === 0; round += 1) {
    kept.push(Array.from({ length: 50_000 }, (_, index) => ({ round, index, self: [index] })));
    if (kept.length > 40) kept.length = 0;
    await turn();
  }
  for (let index = 0; index < 20; index += 1) {
    collect({ type: 'minor' });
    collect();
  }
  await expect.poll(() => countOf('major')).toBeGreaterThanOrEqual(20);
  const samples = await samplesOf(own);
  // The scrape includes collections since the last callback, so the observer must see them too.
  await turn();
  observer.disconnect();
  expect(countOf('minor')).toBeGreaterThanOrEqual(20);
  expect(countOf('incremental')).toBeGreaterThan(0);
  for (const [name, kind] of Object.entries(KINDS)) {
    const { count, seconds } = observed.get(kind) ?? { count: 0, seconds: 0 };
    expect([name, samples.get(`v8js_gc_duration_seconds_count{v8js_gc_type="${name}"}`)]).toEqual([
      name,
      count,
    ]);
    expect(samples.get(`v8js_gc_duration_seconds_sum{v8js_gc_type="${name}"}`)).toBeCloseTo(seconds, 9);
  }
  await own.close();
});

test('a 300 ms block shows to both of two scrapers, and neither takes it from the other', async () => {
  const slow = async (): Promise<number> => {
    const samples = await samplesOf(metrics);
    const name = 'nodejs_eventloop_delay_seconds';
    return (samples.get(`${name}_count`) ?? 0) - (samples.get(`${name}_bucket{le="0.25"}`) ?? 0);
  };
  await turn();
  const [firstBefore, secondBefore] = [await slow(), await slow()];
  const end = performance.now() + 300;
  while (performance.now() < end);
  for (let index = 0; index < 5; index += 1) await turn();
  expect([await slow(), await slow()]).toEqual([firstBefore + 1, secondBefore + 1]);
});

test('the event-loop histogram is a histogram: cumulative, counted and summed', async () => {
  for (let index = 0; index < 200; index += 1) await turn();
  const samples = await samplesOf(metrics);
  const buckets = [...samples].filter(([name]) => name.startsWith('nodejs_eventloop_delay_seconds_bucket'));
  const counts = buckets.map(([, count]) => count);
  expect(counts).toEqual([...counts].sort((a, b) => a - b));
  expect(counts.at(-1)).toBe(samples.get('nodejs_eventloop_delay_seconds_count'));
  expect(samples.get('nodejs_eventloop_delay_seconds_sum')).toBeGreaterThan(0);
});

test('process metrics are there and plausible', async () => {
  const samples = await samplesOf(metrics);
  expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(1e7);
  expect(samples.get('process_open_fds')).toBeGreaterThan(2);
  expect(samples.get('process_start_time_seconds')).toBeCloseTo(performance.timeOrigin / 1_000, 0);
  expect(samples.get('nodejs_eventloop_time_seconds_total{nodejs_eventloop_state="active"}')).toBeGreaterThan(
    0,
  );
  expect(samples.get('v8js_memory_heap_used_bytes{v8js_heap_space_name="old_space"}')).toBeGreaterThan(1e6);
});
