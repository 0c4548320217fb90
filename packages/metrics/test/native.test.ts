import { createServer } from 'node:http';
import { seededRandom, startPrometheus } from '@weir/test-kit';
import fc from 'fast-check';
import client from 'prom-client';
import { expect, test } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { NativeBuckets } from '../src/instruments/native-buckets.ts';

const quiet = { service: 'test', runtime: false } as const;

function decode(spans: ReturnType<NativeBuckets['positive']>): Map<number, number> {
  const buckets = new Map<number, number>();
  let index = 0;
  let count = 0;
  let at = 0;
  for (const { offset, length } of spans.spans) {
    index += offset;
    for (let step = 0; step < length; step += 1) {
      count += spans.deltas[at] as number;
      at += 1;
      buckets.set(index, count);
      index += 1;
    }
  }
  return buckets;
}

test('every value lies within the bounds of its bucket, at whatever schema the bound on buckets leaves', () => {
  const values = fc.array(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(values, fc.integer({ min: 8, max: 200 }), (all, maxBuckets) => {
      const native = new NativeBuckets(maxBuckets);
      for (const value of all) native.add(value);
      const buckets = decode(native.positive());
      const base = 2 ** (2 ** -native.schema);
      expect(buckets.size).toBeLessThanOrEqual(Math.max(maxBuckets, 5)); // at the coarsest schema
      expect([...buckets.values()].reduce((sum, count) => sum + count, 0)).toBe(all.length);
      for (const [index, count] of buckets) {
        const inside = all.filter(
          (value) => value > base ** (index - 1) * (1 - 1e-9) && value <= base ** index * (1 + 1e-9),
        );
        expect(inside.length).toBeGreaterThanOrEqual(count);
      }
    }),
  );
});

test('zeros and negative values have places of their own', () => {
  const native = new NativeBuckets();
  for (const value of [0, 0, -1, 1, 2]) native.add(value);
  expect(native.zeroCount).toBe(2);
  expect([...decode(native.negative())]).toEqual([[0, 1]]);
  expect([...decode(native.positive())].filter(([, count]) => count > 0)).toEqual([
    [0, 1],
    [8, 1],
  ]);
});

test('quantiles that a real Prometheus takes from the protobuf scrape are within a bucket of the raw samples', async () => {
  const registry = new client.Registry();
  new client.Histogram({ name: 'theirs_seconds', help: 'h', buckets: [1, 2], registers: [registry] }).observe(
    1.5,
  );
  new client.Summary({
    name: 'quantiles_seconds',
    help: 's',
    percentiles: [0.5],
    registers: [registry],
  }).observe(3);
  new client.Counter({ name: 'orders_total', help: 'c', labelNames: ['kind'], registers: [registry] })
    .labels('web')
    .inc(4);
  const metrics = createMetrics({ ...quiet, nativeHistograms: true, registries: [registry] });
  const histogram = metrics.histogram({ name: 'work_seconds', help: 'Work' });
  const random = seededRandom(11);
  const raw = Array.from({ length: 5_000 }, () => Math.exp(6 * random() - 4)).sort((a, b) => a - b);
  for (const value of raw) histogram.observe(value);
  const formats = new Set<string>();
  const handler = metrics.handler();
  const server = createServer((request, response) => {
    response.on('finish', () => formats.add(String(response.getHeader('content-type'))));
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const prometheus = await startPrometheus({
    targets: [{ job: 'native', address: `127.0.0.1:${port}` }],
    scrapeInterval: '200ms',
    args: ['--enable-feature=native-histograms'],
  });
  try {
    const query = async (expression: string): Promise<number> => {
      const response = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
      const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
      return Number(data.result[0]?.value[1] ?? Number.NaN);
    };
    await expect
      .poll(() => query('histogram_count(work_seconds)'), { timeout: 20_000, interval: 300 })
      .toBe(5_000);
    expect([...formats].some((type) => type.startsWith('application/vnd.google.protobuf'))).toBe(true);
    const factor = 2 ** (1 / 8);
    for (const quantile of [0.1, 0.5, 0.9, 0.99]) {
      const exact = raw[Math.ceil(quantile * raw.length) - 1] as number;
      const told = await query(`histogram_quantile(${quantile}, work_seconds)`);
      expect(told).toBeGreaterThan(exact / factor);
      expect(told).toBeLessThan(exact * factor);
    }
    expect(await query('orders_total{kind="web"}')).toBe(4);
    expect(await query('theirs_seconds_bucket{le="2"} or theirs_seconds_bucket{le="2.0"}')).toBe(1);
    expect(await query('quantiles_seconds{quantile="0.5"}')).toBe(3);
  } finally {
    await prometheus.stop();
    server.closeAllConnections();
    server.close();
    await metrics.close();
  }
});
