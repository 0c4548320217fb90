import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { createAggregator } from '@weir/metrics/aggregation';
import client from 'prom-client';
import { expect, test } from 'vitest';
import { createMetrics, type GaugeAggregator } from '../src/index.ts';
import { mergeSnapshots, takeSnapshot } from '../src/push/snapshot.ts';
import { parseSamples } from './samples.ts';

test('a cluster is scraped as one, and what a killed worker counted stays while its gauges go', async () => {
  const primary = fork(join(import.meta.dirname, 'fixtures/cluster-app.process.ts'), [], {
    execArgv: ['--conditions=@weir/source'],
  });
  await once(primary, 'message');
  const scrape = async (): Promise<(number | undefined)[]> => {
    const answer = once(primary, 'message');
    primary.send({ scrape: true });
    const samples = parseSamples((await answer)[0] as string);
    return ['jobs_total{kind="mail"}', 'busy', 'took_seconds_bucket{le="2"}', 'took_seconds_sum'].map(
      (name) => samples.get(name),
    );
  };
  try {
    primary.send({ fork: 3 });
    primary.send({ fork: 4 });
    await expect.poll(scrape, { timeout: 20_000 }).toEqual([7, 2, 2, 3]);
    primary.send({ kill: 1 });
    await expect.poll(scrape, { timeout: 20_000 }).toEqual([7, 1, 2, 3]);
    primary.send({ fork: 10 });
    await expect.poll(scrape, { timeout: 20_000 }).toEqual([17, 2, 3, 4.5]);
  } finally {
    primary.kill('SIGKILL');
    await once(primary, 'exit');
  }
});

test('worker threads are gathered with the main thread’s own metrics', async () => {
  const own = createMetrics({ service: 'main', runtime: false });
  const aggregator = createAggregator({ own });
  own
    .counter({ name: 'jobs_total', help: 'Jobs', labels: ['kind'] })
    .labels('mail')
    .inc();
  const source = `
    import { createMetrics } from '${new URL('../src/index.ts', import.meta.url).href}';
    import { publishMetrics } from '${new URL('../src/push/aggregation.ts', import.meta.url).href}';
    const metrics = createMetrics({ service: 'thread', runtime: false });
    metrics.counter({ name: 'jobs_total', help: 'Jobs', labels: ['kind'] }).labels('mail').inc(5);
    publishMetrics({ metrics })();`;
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  aggregator.add(thread);
  await once(thread, 'exit');
  const samples = parseSamples((await aggregator.scrape()).body);
  expect(samples.get('jobs_total{kind="mail"}')).toBe(6);
  expect(samples.get('target_info{service_name="main",service_version=""}')).toBe(1);
  aggregator.close();
  await own.close();
});

// The values of two workers, and the expected value in one scrape of both.
const gauges: readonly [string, GaugeAggregator | undefined, number, number, number][] = [
  ['busy', undefined, 2, 3, 5],
  ['busy', 'max', 2, 3, 3],
  ['busy', 'min', 2, 3, 2],
  ['used_ratio', undefined, 0.2, 0.3, 0.3],
  ['used_ratio', 'min', 0.2, 0.3, 0.2],
];

test.each(gauges)(
  'the gauge %s with aggregator %s of %d and %d is %d, in our aggregation and in prom-client’s',
  async (name, aggregator, one, other, expected) => {
    const members = [one, other].map((value) => {
      const registry = new client.Registry();
      const metrics = createMetrics({ service: 'test', runtime: false, registries: [registry] });
      metrics
        .gauge({ name, help: 'A gauge', ...(aggregator === undefined ? {} : { aggregator }) })
        .set(value);
      return { metrics, registry };
    });
    const [merged] = mergeSnapshots(members.map(({ metrics }) => takeSnapshot(metrics.registry))).filter(
      ({ definition }) => definition.name === name,
    );
    expect(merged?.rows).toEqual([{ labels: [], values: [expected] }]);
    const states = await Promise.all(members.map(({ registry }) => registry.getMetricsAsJSON()));
    const samples = parseSamples(await client.AggregatorRegistry.aggregate(states).metrics());
    expect(samples.get(name)).toBe(expected);
    for (const { metrics } of members) await metrics.close();
  },
);

test('a check that fails in one member shows as failed for all', async () => {
  const members = [true, false, true].map((works) => {
    const metrics = createMetrics({ service: 'test', runtime: false });
    const database = (): void => {
      if (!works) throw new Error('down');
    };
    return { metrics, health: metrics.health({ checks: { database } }) };
  });
  for (const { health } of members) await health.check();
  const merged = mergeSnapshots(members.map(({ metrics }) => takeSnapshot(metrics.registry)));
  const rowsOf = (name: string) => merged.find(({ definition }) => definition.name === name)?.rows;
  expect(rowsOf('weir_health_check_up')).toEqual([{ labels: ['database'], values: [0] }]);
  for (const { metrics } of members) await metrics.close();
});

test('an aggregator that does not exist is refused', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  expect(() => metrics.gauge({ name: 'g', help: 'g', aggregator: 'first' as never })).toThrow(/`aggregator`/);
  await metrics.close();
});

test('prom-client’s own cluster aggregation adds our families up too', async () => {
  const states = [];
  for (const step of [1, 2]) {
    const registry = new client.Registry();
    const metrics = createMetrics({ service: 'test', runtime: false, registries: [registry] });
    metrics.counter({ name: 'jobs_total', help: 'Jobs' }).inc(step);
    metrics.histogram({ name: 'took_seconds', help: 'Took', buckets: [1, 2] }).observe(step);
    states.push(await registry.getMetricsAsJSON());
    await metrics.close();
  }
  const samples = parseSamples(await client.AggregatorRegistry.aggregate(states).metrics());
  expect(samples.get('jobs_total')).toBe(3);
  expect(samples.get('took_seconds_bucket{le="1"}')).toBe(1);
  expect(samples.get('took_seconds_sum')).toBe(3);
});
