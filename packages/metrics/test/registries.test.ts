import { channel, hasSubscribers } from 'node:diagnostics_channel';
import * as successor from '@prometheus-io/client';
import client from 'prom-client';
import { describe, expect, test } from 'vitest';
import { createMetrics, type Metrics, metricCatalogue } from '../src/index.ts';
import { samplesOf } from './samples.ts';

const quiet = { service: 'test', runtime: false } as const;
const RUNTIME = /^(nodejs|v8js|process)_/;

describe.each([
  ['prom-client', client],
  ['its successor', successor as unknown as typeof client],
])('after collectDefaultMetrics of %s', (_name, library) => {
  test('each family is in the scrape once, in every format', async () => {
    const registry = new library.Registry();
    library.collectDefaultMetrics({ register: registry });
    const theirs = registry.getMetricsAsArray().map(({ name }) => name);
    const metrics = createMetrics({ service: 'test', registries: [registry] });
    for (const accept of ['text/plain', 'application/openmetrics-text']) {
      const { body } = await metrics.scrape(accept);
      const families = [...body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
      expect(new Set(families).size).toBe(families.length);
      expect(body).toMatch(/^process_cpu_seconds_total \d/m);
      expect(body).toMatch(/^nodejs_active_resources\{type=/m);
      expect(body).toMatch(/^nodejs_eventloop_delay_seconds_count \d/m);
    }
    const accept =
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';
    const { body } = await metrics.expose(accept);
    expect(String(body).match(/process_cpu_seconds_total/g)).toHaveLength(1);
    await metrics.close();
    expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual(theirs);
    registry.clear();
  });
});

const takes = (name: string): client.Registry => {
  const registry = new client.Registry();
  new client.Gauge({ name, help: 'taken', registers: [registry] }).set(7);
  return registry;
};

describe.each(metricCatalogue.map(({ name }) => name))('where %s is taken', (name) => {
  const names = (registry: client.Registry): string[] =>
    registry.getMetricsAsArray().map((metric) => metric.name);
  const make = (registry: client.Registry): Metrics => {
    const metrics = createMetrics({ service: 'test', registries: [registry] });
    try {
      metrics.health({ checks: {} });
      metrics.slo({ name: 'all', objective: 0.9, thresholdMs: 1 });
    } catch (error) {
      void metrics.close();
      throw error;
    }
    return metrics;
  };

  test('it is left to the team, or nothing stays behind and a second try works', async () => {
    const registry = takes(name);
    if (RUNTIME.test(name)) {
      const metrics = make(registry);
      expect((await samplesOf(metrics)).get(name)).toBe(7);
      await metrics.close();
    } else {
      const code = 'ERR_WEIR_METRICS_DUPLICATE';
      expect(() => make(registry)).toThrow(expect.objectContaining({ code }));
    }
    expect(names(registry)).toEqual([name]);
    for (const created of ['weir:cache:created', 'weir:ratelimit:created', 'weir:ratelimit:guard-created'])
      expect(hasSubscribers(created)).toBe(false);
    registry.clear();
    await make(registry).close();
  });
});

test('objectives and health checks that meet a taken name register nothing, and work once it is free', async () => {
  const taken = ['weir_slo_apdex_events_total', 'weir_health_check_duration_seconds'];
  const registry = takes(taken[0] as string);
  new client.Gauge({ name: taken[1] as string, help: 'taken', registers: [registry] });
  const metrics = createMetrics({ ...quiet, registries: [registry] });
  const before = registry.getMetricsAsArray().length;
  const slo = { name: 'all', objective: 0.9, thresholdMs: 1 } as const;
  for (let tries = 0; tries < 2; tries += 1) {
    expect(() => metrics.slo(slo)).toThrow(/weir_slo_apdex_events_total/);
    expect(() => metrics.health({ checks: {} })).toThrow(/weir_health_check_duration_seconds/);
  }
  expect(registry.getMetricsAsArray()).toHaveLength(before);
  for (const name of taken) registry.removeSingleMetric(name);
  metrics.slo(slo);
  metrics.health({ checks: {} });
  await metrics.close();
});

test('what is no list of registries is refused, and one given twice counts once', async () => {
  for (const registries of [client, [client], [null], client.register, ['register']]) {
    expect(() => createMetrics({ ...quiet, registries: registries as never })).toThrow(/`registries`/);
  }
  const registry = new client.Registry();
  const metrics = createMetrics({ ...quiet, registries: [registry, registry] });
  expect(await registry.metrics()).toContain('target_info');
  await metrics.close();
});

test('closing leaves a metric alone that took our name after the team cleared its registry', async () => {
  const registry = new client.Registry();
  const metrics = createMetrics({ ...quiet, registries: [registry] });
  registry.clear();
  new client.Gauge({ name: 'target_info', help: 'theirs', registers: [registry] });
  await metrics.close();
  expect(registry.getSingleMetric('target_info')).toBeDefined();
});

test('a reset starts counts anew and leaves the gauges that state what is', async () => {
  const registry = new client.Registry();
  const metrics = createMetrics({ service: 'test', registries: [registry] });
  metrics.slo({ name: 'all', objective: 0.9, thresholdMs: 100 });
  await metrics.health({ checks: { works: () => {} } }).check();
  const stats = { name: 'shop', l1Hits: 5, l2Hits: 0, staleHits: 0, coalesced: 0, misses: 0, loads: 0 };
  const rest = { loadErrors: 0, sets: 0, deletes: 0, evictions: 0, entries: 3 };
  const cache = { name: 'shop', stats: () => ({ ...stats, ...rest }) };
  channel('weir:cache:created').publish({ cache });
  const own = metrics.gauge({ name: 'own', help: 'Own' });
  own.set(4);
  const full = metrics.counter({ name: 'full_total', help: 'Full', labels: ['a'], maxSeries: 1 });
  for (const value of ['a', 'b', 'c']) full.labels(value).inc();
  const exchange = metrics.http.begin('GET');
  registry.resetMetrics();
  const seen = async (): Promise<Record<string, number | undefined>> => {
    const samples = await samplesOf(metrics);
    return {
      info: samples.get('target_info{service_name="test",service_version=""}'),
      objective: samples.get('weir_slo_objective_ratio{slo="all"}'),
      up: samples.get('weir_health_check_up{check="works"}'),
      active: samples.get('http_server_active_requests{http_request_method="GET"}'),
      entries: samples.get('weir_cache_entries{cache="shop"}'),
      own: samples.get('own'),
      hits: samples.get('weir_cache_reads_total{cache="shop",result="l1_hit"}'),
      overflow: samples.get('weir_metrics_overflow_total{metric="full_total"}'),
    };
  };
  const states = { info: 1, objective: 0.9, up: 1, entries: 3 };
  expect(await seen()).toEqual({ ...states, active: 1, own: 0, hits: 0, overflow: 0 });
  const cpuSeconds = (await samplesOf(metrics)).get('process_cpu_seconds_total') as number;
  expect(cpuSeconds).toBeLessThan(process.cpuUsage().user / 1e6);
  stats.l1Hits = 7;
  full.labels('d').inc();
  metrics.http.end(exchange, { statusCode: 200 });
  expect(await seen()).toEqual({ ...states, active: 0, own: 0, hits: 2, overflow: 1 });
  registry.resetMetrics();
  expect(await seen()).toEqual({ ...states, active: 0, own: 0, hits: 0, overflow: 0 });
  await metrics.close();
});
