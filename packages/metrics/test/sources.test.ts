import { channel } from 'node:diagnostics_channel';
import { createCache } from '@weir/cache';
import { createRateLimiter } from '@weir/ratelimit';
import { createConcurrencyLimiter, createLoadShedder } from '@weir/ratelimit/overload';
import { expect, test } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { samplesOf } from './samples.ts';

const quiet = { service: 'test', runtime: false } as const;

test('caches made before and after the metrics are both read, and their totals survive a close', async () => {
  const before = createCache({ name: 'before', l1: { maxEntries: 100 }, defaults: { ttlMs: 60_000 } });
  await before.getOrSet('k', async () => 1);
  const metrics = createMetrics(quiet);
  const after = createCache({ name: 'after', l1: { maxEntries: 100 }, defaults: { ttlMs: 60_000 } });
  await after.getOrSet('k', async () => 1);
  await after.getOrSet('k', async () => 1);
  const check = async (): Promise<void> => {
    const samples = await samplesOf(metrics);
    expect(samples.get('weir_cache_reads_total{cache="before",result="miss"}')).toBe(1);
    expect(samples.get('weir_cache_reads_total{cache="after",result="miss"}')).toBe(1);
    expect(samples.get('weir_cache_reads_total{cache="after",result="l1_hit"}')).toBe(1);
    expect(samples.get('weir_cache_loads_total{cache="after",outcome="ok"}')).toBe(1);
  };
  await check();
  expect((await samplesOf(metrics)).get('weir_cache_load_duration_seconds_count{cache="after"}')).toBe(1);
  await after.close();
  await before.close();
  await check();
  await metrics.close();
});

test('a limiter is read by decision, source and policy', async () => {
  const metrics = createMetrics(quiet);
  const limiter = createRateLimiter({
    name: 'search',
    policies: [{ name: 'per-client', algorithm: 'gcra', limit: 2, windowMs: 60_000, burst: 2 }],
  });
  for (let index = 0; index < 5; index += 1) await limiter.consume('client');
  const samples = await samplesOf(metrics);
  expect(
    samples.get('weir_ratelimit_decisions_total{limiter="search",decision="allowed",source="memory"}'),
  ).toBe(2);
  expect(samples.get('weir_ratelimit_violations_total{limiter="search",policy="per-client"}')).toBe(3);
  await limiter.close();
  await metrics.close();
});

test('what shadow mode let pass is told from what was allowed', async () => {
  const metrics = createMetrics(quiet);
  const policy = { algorithm: 'gcra', limit: 1, windowMs: 60_000, burst: 1 } as const;
  const whole = createRateLimiter({ name: 'whole', mode: 'shadow', policies: [{ name: 'p', ...policy }] });
  const one = createRateLimiter({ name: 'one', policies: [{ name: 'p', shadow: true, ...policy }] });
  const enforced = createRateLimiter({ name: 'enforced', policies: [{ name: 'p', ...policy }] });
  for (const limiter of [whole, one, enforced]) {
    for (let index = 0; index < 3; index += 1) await limiter.consume('client');
  }
  const samples = await samplesOf(metrics);
  const denials = (name: string) => samples.get(`weir_ratelimit_shadow_denials_total{limiter="${name}"}`);
  expect([denials('whole'), denials('one'), denials('enforced')]).toEqual([2, 2, 0]);
  await Promise.all([whole.close(), one.close(), enforced.close()]);
  await metrics.close();
});

test('guards made before and after the metrics are read: admissions, limit against use, and shedding', async () => {
  const pool = createConcurrencyLimiter({ name: 'pool', limit: 2, tiers: [{ name: 'all' }], queue: false });
  const metrics = createMetrics(quiet);
  const shedder = createLoadShedder({
    name: 'loop',
    sampleMs: 60_000,
    measure: () => ({ delayMs: 1000, utilization: 1 }),
    random: () => 0,
  });
  const permits = [await pool.acquire(), await pool.acquire()];
  expect(await pool.acquire()).toBeUndefined();
  for (let index = 0; index < 2; index++) {
    shedder.sheds('critical');
    shedder.sample();
  }
  expect(shedder.sheds('background')).toBe(true);
  const check = async (): Promise<void> => {
    const samples = await samplesOf(metrics);
    expect(samples.get('weir_overload_requests_total{guard="pool",admission="admitted"}')).toBe(2);
    expect(samples.get('weir_overload_requests_total{guard="pool",admission="refused"}')).toBe(1);
    expect(samples.get('weir_overload_requests_total{guard="loop",admission="refused"}')).toBe(1);
  };
  await check();
  const samples = await samplesOf(metrics);
  expect(samples.get('weir_overload_limit{guard="pool"}')).toBe(2);
  expect(samples.get('weir_overload_in_flight{guard="pool"}')).toBe(2);
  expect(samples.get('weir_overload_queued{guard="pool"}')).toBe(0);
  expect(samples.get('weir_overload_shed_ratio{guard="loop"}')).toBeCloseTo(0.4, 6);
  expect(samples.has('weir_overload_limit{guard="loop"}')).toBe(false);
  shedder.close();
  await check();
  for (const permit of permits) permit?.release();
  expect((await samplesOf(metrics)).get('weir_overload_in_flight{guard="pool"}')).toBe(0);
  await metrics.close();
});

test('closed metrics leave no subscriber behind', async () => {
  const metrics = createMetrics(quiet);
  expect(channel('weir:cache:load').hasSubscribers).toBe(true);
  await metrics.close();
  for (const name of [
    'cache:created',
    'cache:closed',
    'cache:load',
    'cache:redis',
    'ratelimit:created',
    'ratelimit:redis',
    'ratelimit:guard-created',
    'ratelimit:guard-closed',
  ]) {
    expect(channel(`weir:${name}`).hasSubscribers).toBe(false);
  }
});
