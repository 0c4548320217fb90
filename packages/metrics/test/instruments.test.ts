import * as successor from '@prometheus-io/client';
import { promtool } from '@weir/test-kit';
import fc from 'fast-check';
import client from 'prom-client';
import { expect, test } from 'vitest';
import {
  createMetrics,
  type LabelValue,
  type Metrics,
  metricCatalogue,
  type OwnMetric,
} from '../src/index.ts';
import { parseSamples, samplesOf } from './samples.ts';

const quiet = { service: 'test', runtime: false } as const;

test('past the budget new label sets share one overflow series, and the overflow counter is exact', async () => {
  const metrics = createMetrics(quiet);
  const counter = metrics.counter({ name: 'jobs_total', help: 'Jobs', labels: ['kind'], maxSeries: 10 });
  for (let index = 0; index < 1_000; index += 1) counter.labels(`kind-${index}`).inc();
  counter.labels('kind-3').inc();
  const samples = await samplesOf(metrics);
  const series = [...samples].filter(([name]) => name.startsWith('jobs_total'));
  expect(series).toHaveLength(11);
  expect(samples.get('jobs_total{kind="kind-3"}')).toBe(2);
  expect(samples.get('jobs_total{kind="_OTHER"}')).toBe(990);
  expect(samples.get('weir_metrics_overflow_total{metric="jobs_total"}')).toBe(990);
  await metrics.close();
});

test('any sequence of observations scrapes the same as from prom-client', async () => {
  const buckets = [0.005, 0.1, 1, 10];
  const observations = fc.array(
    fc.tuple(fc.constantFrom('a', 'b"\\\n', ''), fc.double({ min: -1, max: 20, noNaN: true })),
    { maxLength: 50 },
  );
  await fc.assert(
    fc.asyncProperty(observations, async (values) => {
      const metrics = createMetrics(quiet);
      const ours = metrics.histogram({ name: 'h', help: 'h', labels: ['l'], buckets });
      const registry = new client.Registry();
      const theirs = new client.Histogram({
        name: 'h',
        help: 'h',
        labelNames: ['l'],
        buckets,
        registers: [registry],
      });
      for (const [label, value] of values) {
        ours.labels(label).observe(value);
        theirs.labels(label).observe(value);
      }
      const normal = (samples: Map<string, number>) =>
        [...samples]
          .filter(([name]) => name.startsWith('h_'))
          .map(([name, value]) => [[...name].sort().join(''), value])
          .sort();
      expect(normal(await samplesOf(metrics))).toEqual(normal(parseSamples(await registry.metrics())));
      await metrics.close();
    }),
    { numRuns: 40 },
  );
});

test('a value that is not finite, a negative increment and a wrong number of labels are refused by name', async () => {
  const metrics = createMetrics(quiet);
  const counter = metrics.counter({ name: 'c_total', help: 'c', labels: ['a'] });
  expect(() => counter.labels('x').inc(-1)).toThrow(/Expected a finite number for `c_total`/);
  expect(() => counter.labels('x', 'y')).toThrow(/Expected 1 label values for `c_total`, got 2/);
  expect(() => metrics.histogram({ name: 'h', help: 'h' }).observe(Number.NaN)).toThrow(
    /Expected a finite number for `h`/,
  );
  expect(() => metrics.gauge({ name: 'c_total', help: 'c' })).toThrow(/registered already/);
  await metrics.close();
});

const kinds = {
  counter: (metrics: Metrics, own: OwnMetric) => {
    const family = metrics.counter(own);
    return { add: (...values: LabelValue[]) => family.labels(...values).inc(), family };
  },
  gauge: (metrics: Metrics, own: OwnMetric) => {
    const family = metrics.gauge(own);
    return { add: (...values: LabelValue[]) => family.labels(...values).inc(), family };
  },
  histogram: (metrics: Metrics, own: OwnMetric) => {
    const family = metrics.histogram({ ...own, buckets: [10] });
    return { add: (...values: LabelValue[]) => family.labels(...values).observe(1), family };
  },
};

test.each(Object.entries(kinds))(
  'label values of a %s that read alike are one series, whatever their type',
  async (_kind, make) => {
    const values: [string, LabelValue][] = [
      ['200', 200],
      ['1.5', 1.5],
      ['0', -0],
      ['NaN', Number.NaN],
      ['true', true],
    ];
    const metrics = createMetrics(quiet);
    const { add, family } = make(metrics, { name: 'x', help: 'x', labels: ['a', 'b', 'c'] });
    for (const [text, value] of values) {
      add(value, 'z', text);
      add(text, 'z', value);
      add(text, 'z', text);
    }
    const samples = [...(await samplesOf(metrics))].filter(([name]) => /^x(_count)?\{/.test(name));
    expect(samples.map(([, value]) => value)).toEqual(values.map(() => 3));
    for (const [text, value] of values) family.remove(value, 'z', text);
    expect(family.series).toEqual([]);
    await metrics.close();
  },
);

test('at its budget a family still finds a number among its series', async () => {
  const metrics = createMetrics(quiet);
  const counter = metrics.counter({ name: 'c_total', help: 'c', labels: ['code'], maxSeries: 1 });
  counter.labels('200').inc();
  counter.labels(404).inc();
  counter.labels(200).inc();
  const samples = await samplesOf(metrics);
  expect(samples.get('c_total{code="200"}')).toBe(2);
  expect(samples.get('c_total{code="_OTHER"}')).toBe(1);
  await metrics.close();
});

test('a label set of a caller’s own that reads like the overflow series is that series', async () => {
  const metrics = createMetrics(quiet);
  const counter = metrics.counter({ name: 'c_total', help: 'c', labels: ['code'], maxSeries: 1 });
  counter.labels('_OTHER').inc();
  expect((await samplesOf(metrics)).get('weir_metrics_overflow_total{metric="c_total"}')).toBe(0);
  for (const code of ['a', 'b', 'c']) counter.labels(code).inc();
  const lines = (await metrics.scrape()).body.split('\n').filter((line) => line.startsWith('c_total'));
  expect(lines).toEqual(['c_total{code="a"} 1', 'c_total{code="_OTHER"} 3']);
  expect((await samplesOf(metrics)).get('weir_metrics_overflow_total{metric="c_total"}')).toBe(2);
  await metrics.close();
});

test('a label that is named twice is refused', async () => {
  const metrics = createMetrics(quiet);
  expect(() => metrics.counter({ name: 'c_total', help: 'c', labels: ['a', 'b', 'a'] })).toThrow(/`labels`/);
  await metrics.close();
});

test('one scrape of a prom-client registry and one of ours both carry the metrics of either', async () => {
  const registry = new client.Registry();
  registry.setDefaultLabels({ app: 'shop' });
  const orders = new client.Counter({ name: 'orders_total', help: 'Orders', registers: [registry] });
  orders.inc(3);
  const metrics = createMetrics({ ...quiet, registries: [registry] });
  metrics
    .counter({ name: 'mails_total', help: 'Mails', labels: ['kind'] })
    .labels('welcome')
    .inc(2);
  metrics.histogram({ name: 'size_bytes', help: 'Sizes', buckets: [1, 2] }).observe(1.5);

  const theirs = parseSamples(await registry.metrics());
  expect(theirs.get('orders_total{app="shop"}')).toBe(3);
  expect(theirs.get('mails_total{kind="welcome",app="shop"}')).toBe(2);
  expect(theirs.get('size_bytes_bucket{le="2",app="shop"}')).toBe(1);
  const ours = await samplesOf(metrics);
  expect(ours.get('orders_total{app="shop"}')).toBe(3);
  expect(ours.get('mails_total{kind="welcome"}')).toBe(2);
  expect([...ours.keys()].filter((name) => name.startsWith('mails_total'))).toHaveLength(1);

  await metrics.close();
  expect(await registry.metrics()).not.toContain('mails_total');
});

test('after a reset of the team’s registry everything counts from 0 again, requests too', async () => {
  const registry = new client.Registry();
  const metrics = createMetrics({ ...quiet, registries: [registry] });
  const serve = (): void => {
    const exchange = metrics.http.begin('GET');
    exchange.route = '/';
    metrics.http.end(exchange, { statusCode: 200 });
  };
  serve();
  serve();
  registry.resetMetrics();
  serve();
  const counts = [...(await samplesOf(metrics))].filter(([name]) =>
    name.startsWith('http_server_request_duration_seconds_count'),
  );
  expect(counts.map(([, count]) => count)).toEqual([1]);
  await metrics.close();
});

test('a registry of prom-client’s successor does as well', async () => {
  const registry = new successor.Registry();
  new successor.Counter({ name: 'orders_total', help: 'Orders', registers: [registry] }).inc(3);
  const metrics = createMetrics({ ...quiet, registries: [registry] });
  metrics
    .counter({ name: 'mails_total', help: 'Mails', labels: ['kind'] })
    .labels('welcome')
    .inc(2);
  metrics.histogram({ name: 'size_bytes', help: 'Sizes', buckets: [1, 2] }).observe(1.5);
  const theirs = parseSamples(await registry.metrics());
  expect(theirs.get('orders_total')).toBe(3);
  expect(theirs.get('mails_total{kind="welcome"}')).toBe(2);
  expect(theirs.get('size_bytes_bucket{le="2"}')).toBe(1);
  expect(theirs.get('size_bytes_count')).toBe(1);
  const ours = await samplesOf(metrics);
  expect(ours.get('orders_total')).toBe(3);
  expect([...ours.keys()].filter((name) => name.startsWith('mails_total'))).toEqual([
    'mails_total{kind="welcome"}',
  ]);
  await metrics.close();
});

test('an OpenMetrics scrape passes through a prom-client registry in either format', async () => {
  const registry = new client.Registry();
  registry.setContentType(client.Registry.OPENMETRICS_CONTENT_TYPE as never);
  const metrics = createMetrics({ ...quiet, registries: [registry] });
  metrics.counter({ name: 'mails_total', help: 'Mails' }).inc();
  expect(await registry.metrics()).toContain('mails_total 1');
  const { body } = await metrics.scrape('application/openmetrics-text');
  expect(body).toContain('# TYPE mails counter\n# HELP mails Mails\nmails_total 1\n');
  await metrics.close();
});

test('the catalogue and a whole scrape pass the linter of Prometheus', async () => {
  const metrics = createMetrics({ service: 'test', version: '1.2.3' });
  for (const method of ['GET', 'odd']) {
    const exchange = metrics.http.begin(method);
    metrics.http.end(exchange, { statusCode: 200, requestBytes: 10, responseBytes: 20 });
  }
  const { body } = await metrics.scrape();
  const result = await promtool(['check', 'metrics'], { input: body });
  expect(result.stderr + result.stdout).toBe('');
  expect(result.code).toBe(0);
  const names = new Set(metricCatalogue.map(({ name }) => name));
  for (const family of metrics.registry.families()) expect(names).toContain(family.definition.name);
  await metrics.close();
});
