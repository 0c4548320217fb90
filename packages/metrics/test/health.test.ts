import { createServer, type RequestListener } from 'node:http';
import { expressMetrics } from '@weir/metrics/express';
import { fastifyMetrics } from '@weir/metrics/fastify';
import { withHttpMetrics } from '@weir/metrics/http';
import { createManualClock } from '@weir/test-kit';
import express from 'express';
import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { createMetrics, type Health, type Metrics } from '../src/index.ts';
import { listen } from './otlp-receiver.ts';
import { samplesOf } from './samples.ts';

const quiet = { service: 'test', runtime: false } as const;

test('readiness follows its checks, hides their messages, and is kept for a moment', async () => {
  const clock = createManualClock();
  const metrics = createMetrics({ ...quiet, clock });
  let works = true;
  let runs = 0;
  const health = metrics.health({
    keepMs: 500,
    checks: {
      database: () => {
        runs += 1;
        if (!works) throw new Error('password s3cr3t is wrong');
      },
      queue: async () => {},
    },
  });
  const readiness = health.readiness();
  const server = createServer((request, response) => readiness(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const ask = async (): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
    return [response.status, await response.text()];
  };
  expect(await ask()).toEqual([200, '{"status":"ready","checks":{"database":"ok","queue":"ok"}}']);
  works = false;
  expect((await ask())[0]).toBe(200);
  expect(runs).toBe(1);
  clock.advance(500);
  expect(await ask()).toEqual([503, '{"status":"failed","checks":{"database":"failed","queue":"ok"}}']);
  const samples = await samplesOf(metrics);
  expect(samples.get('weir_health_check_up{check="database"}')).toBe(0);
  expect(samples.get('weir_health_check_up{check="queue"}')).toBe(1);
  works = true;
  clock.advance(500);
  health.drain();
  expect(await ask()).toEqual([503, '{"status":"draining","checks":{"database":"ok","queue":"ok"}}']);
  server.close();
  await metrics.close();
});

test('a check that hangs fails by its timeout, with its signal told', async () => {
  const metrics = createMetrics(quiet);
  let aborted = false;
  const health = metrics.health({
    timeoutMs: 20,
    checks: {
      hangs: ({ signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            aborted = true;
          });
        }),
    },
  });
  const { ready, checks } = await health.check();
  expect([ready, checks[0]?.ok, aborted]).toEqual([false, false, true]);
  await metrics.close();
});

test('an objective counts good events and Apdex zones of its routes alone', async () => {
  const clock = createManualClock();
  const metrics = createMetrics({ ...quiet, clock });
  metrics.slo({ name: 'shop', objective: 0.99, thresholdMs: 100, routes: ['/buy', '/cart/*'] });
  const jobs = metrics.slo({ name: 'jobs', objective: 0.9, thresholdMs: 1_000, routes: false });
  const serve = (route: string | undefined, durationMs: number, statusCode: number): void => {
    const exchange = metrics.http.begin('GET');
    exchange.route = route;
    clock.advance(durationMs);
    metrics.http.end(exchange, { statusCode });
  };
  serve('/buy', 100, 200); // good, satisfied
  serve('/cart/:id', 101, 404); // slow, tolerating
  serve('/buy', 10, 500); // failed, frustrated
  serve('/buy', 401, 200); // frustrated
  serve('/buy', 50, 499); // the client left early: not counted
  serve('/other', 1, 200);
  serve(undefined, 1, 404);
  jobs.record({ durationMs: 900, failed: false });
  const samples = await samplesOf(metrics);
  const of = (name: string): (number | undefined)[] =>
    ['shop', 'jobs'].map((slo) => samples.get(`${name}{slo="${slo}"}`));
  expect(of('weir_slo_events_total')).toEqual([4, 1]);
  expect(of('weir_slo_good_events_total')).toEqual([1, 1]);
  expect(of('weir_slo_objective_ratio')).toEqual([0.99, 0.9]);
  const zones = ['satisfied', 'tolerating', 'frustrated'].map((zone) =>
    samples.get(`weir_slo_apdex_events_total{slo="shop",zone="${zone}"}`),
  );
  expect(zones).toEqual([1, 1, 2]);
  await metrics.close();
});

const listeners: Readonly<Record<string, (metrics: Metrics, health: Health) => Promise<RequestListener>>> = {
  fastify: async (metrics, health) => {
    const app = Fastify();
    await app.register(fastifyMetrics, { metrics });
    const handlers = {
      '/livez': health.liveness(),
      '/readyz': health.readiness(),
      '/raw': metrics.handler(),
    };
    for (const [path, handler] of Object.entries(handlers)) {
      app.get(path, (request, reply) => {
        reply.hijack();
        handler(request.raw, reply.raw);
      });
    }
    app.get('/cart', (_request, reply) => reply.code(500).send('failed'));
    await app.ready();
    return (request, response) => app.routing(request, response);
  },
  express: async (metrics, health) =>
    express()
      .use(expressMetrics({ metrics }))
      .get('/metrics', metrics.handler())
      .get('/raw', metrics.handler())
      .get('/livez', health.liveness())
      .get('/readyz', health.readiness())
      .get('/cart', (_request, response) => void response.status(500).send('failed')),
  'node:http': async (metrics, health) => {
    const scrape = metrics.handler();
    const handlers: Record<string, RequestListener> = {
      '/metrics': scrape,
      '/raw': scrape,
      '/livez': health.liveness(),
      '/readyz': health.readiness(),
      '/cart': (_request, response) => response.writeHead(500).end('failed'),
    };
    return withHttpMetrics({ metrics, route: ({ url }) => url }, (request, response) =>
      handlers[request.url ?? '']?.(request, response),
    );
  },
};

test.each(Object.entries(listeners))(
  'with %s an objective without routes counts users alone, and one that names a probe counts it',
  async (_name, make) => {
    const metrics = createMetrics(quiet);
    metrics.slo({ name: 'users', objective: 0.99, thresholdMs: 1e6 });
    metrics.slo({ name: 'named', objective: 0.99, thresholdMs: 1e6, routes: ['/readyz', '/me*'] });
    const { url, stop } = await listen(await make(metrics, metrics.health({ checks: {} })));
    for (const path of ['/cart', '/metrics', '/raw', '/livez', '/readyz'])
      await fetch(url + path).then((response) => response.text());
    const of = async (name: string): Promise<(number | undefined)[]> => {
      const samples = await samplesOf(metrics);
      return ['users', 'named'].map((slo) => samples.get(`${name}{slo="${slo}"}`));
    };
    await expect.poll(() => of('weir_slo_events_total')).toEqual([1, 2]);
    expect(await of('weir_slo_good_events_total')).toEqual([0, 2]);
    await stop();
    await metrics.close();
  },
);

test.each(['a scrape', 'a scrape that fails', 'readiness', 'liveness'])(
  '%s leaves a response alone that something else has answered',
  async (name) => {
    const uncaught: unknown[] = [];
    const onUncaught = (error: unknown): number => uncaught.push(error);
    process.on('unhandledRejection', onUncaught);
    const metrics = createMetrics(quiet);
    if (name === 'a scrape that fails')
      metrics.registry.onCollect(() => {
        throw new Error('failed');
      });
    const health = metrics.health({ checks: { works: () => {} } });
    const handler = { readiness: health.readiness(), liveness: health.liveness() }[name] ?? metrics.handler();
    const { url, stop } = await listen((request, response) => {
      response.writeHead(503).write('late');
      handler(request, response);
      setImmediate(() => response.end());
    });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([503, 'late']);
    expect(uncaught).toEqual([]);
    process.off('unhandledRejection', onUncaught);
    await stop();
    await metrics.close();
  },
);
