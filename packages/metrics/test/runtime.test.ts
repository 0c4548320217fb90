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

test('counts and times of every garbage collection equal an independent observer’s', async () => {
  const before = await samplesOf(metrics);
  let count = 0;
  let seconds = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if ((entry as { detail?: { kind?: number } }).detail?.kind !== constants.NODE_PERFORMANCE_GC_MAJOR)
        continue;
      count += 1;
      seconds += entry.duration / 1_000;
    }
  });
  await turn();
  observer.observe({ entryTypes: ['gc'] });
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let index = 0; index < 20; index += 1) collect();
  await expect.poll(() => count).toBeGreaterThanOrEqual(20);
  const after = await samplesOf(metrics);
  observer.disconnect();
  const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  expect(grown('v8js_gc_duration_seconds_count{v8js_gc_type="major"}')).toBe(count);
  expect(grown('v8js_gc_duration_seconds_sum{v8js_gc_type="major"}')).toBeCloseTo(seconds, 9);
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
