import type { RequestListener } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { withHttpMetrics } from '@weir/metrics/http';
import { koaMetrics } from '@weir/metrics/koa';
import { pushMetrics } from '@weir/metrics/otlp';
import { startPostgres } from '@weir/test-kit';
import Koa from 'koa';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createMetrics, type Metrics } from '../src/index.ts';
import { endingOf } from './end-pool.ts';
import { listen } from './otlp-receiver.ts';
import { samplesOf } from './samples.ts';

let server: Awaited<ReturnType<typeof startPostgres>>;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const warnings: Error[] = [];
const uncaught: unknown[] = [];
const onWarning = (warning: Error): number => warnings.push(warning);
const onUncaught = (error: unknown): number => uncaught.push(error);
beforeEach(() => {
  warnings.length = 0;
  uncaught.length = 0;
  process.on('warning', onWarning);
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);
});
afterEach(() => {
  process.off('warning', onWarning);
  process.off('uncaughtException', onUncaught);
  process.off('unhandledRejection', onUncaught);
});

/** Every way that a callback can fail. */
const failures: Readonly<Record<string, () => unknown>> = {
  'throws an error': () => {
    throw new Error('the logger broke');
  },
  'throws what is no error': () => {
    throw null;
  },
  rejects: async () => {
    throw new Error('the logger broke');
  },
  'gives a thenable that throws': () => ({
    // biome-ignore lint/suspicious/noThenProperty: a callback may return anything
    then: () => {
      throw new Error('the logger broke');
    },
  }),
};

/** Every way to send a query; each must return its row. */
const clients: Readonly<Record<string, (metrics: Metrics) => Promise<unknown>>> = {
  'a pool of pg': async (metrics) => {
    const pool = metrics.instrument(new pg.Pool({ connectionString: server.url, max: 1 }));
    const end = endingOf(pool);
    const { rows } = await pool.query('SELECT 1 AS n');
    await pool.query('SELECT 1 AS n');
    await end();
    return rows;
  },
  'a client of pg, by callback': async (metrics) => {
    const client = metrics.instrument(new pg.Client(server.url));
    await client.connect();
    const ask = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        client.query('SELECT 1 AS n', (error, result) => (error ? reject(error) : resolve(result.rows)));
      });
    const rows = await ask();
    await ask();
    await client.end();
    return rows;
  },
  SQLite: async (metrics) => {
    const statement = metrics.instrument(new DatabaseSync(':memory:')).prepare('SELECT 1 AS n');
    statement.all();
    return statement.all().map((row) => ({ ...row }));
  },
};

describe.each(Object.entries(failures))('A callback that %s', (_name, fail) => {
  test.each(Object.entries(clients))(
    'is kept from the queries of %s, counted, and shown once',
    async (_client, use) => {
      const metrics = createMetrics({
        service: 'test',
        runtime: false,
        db: {
          slowQueryMs: 0,
          nPlusOneThreshold: 1,
          onSlowQuery: fail as () => void,
          onNPlusOne: fail as () => void,
        },
      });
      // Queries see their request only once a client is instrumented.
      metrics.instrument(new DatabaseSync(':memory:'));
      const exchange = metrics.http.begin('GET');
      expect(await metrics.http.run(exchange, () => use(metrics))).toEqual([{ n: 1 }]);
      await vi.waitUntil(() => warnings.length >= 2);
      const samples = await samplesOf(metrics);
      const counts = [...samples].filter(([name]) =>
        name.startsWith('db_client_operation_duration_seconds_count'),
      );
      expect(counts.map(([, count]) => count)).toEqual([2]);
      expect(samples.get('weir_metrics_callback_errors_total{callback="onSlowQuery"}')).toBe(2);
      expect(samples.get('weir_metrics_callback_errors_total{callback="onNPlusOne"}')).toBe(1);
      expect(warnings.map(({ message }) => /^`(\w+)` failed/.exec(message)?.[1]).sort()).toEqual([
        'onNPlusOne',
        'onSlowQuery',
      ]);
      expect(uncaught).toEqual([]);
      await metrics.close();
    },
  );
});

/** Every adapter that takes a `route`; each asks the database for its answer. */
const adapters: Readonly<Record<string, (metrics: Metrics, route: () => undefined) => RequestListener>> = {
  Koa: (metrics, route) => {
    const database = metrics.instrument(new DatabaseSync(':memory:'));
    const app = new Koa().use(koaMetrics({ metrics, route }));
    app.use((context) => {
      context.body = database.prepare('SELECT 1 AS n').get();
    });
    return app.callback();
  },
  'node:http': (metrics, route) => {
    const database = metrics.instrument(new DatabaseSync(':memory:'));
    return withHttpMetrics({ metrics, route }, (_request, response) => {
      response.end(JSON.stringify(database.prepare('SELECT 1 AS n').get()));
    });
  },
};

describe.each(Object.entries(failures))('A route that %s', (_name, fail) => {
  test.each(Object.entries(adapters))(
    'is kept from the requests and queries of %s, which count as unmatched',
    async (adapter, make) => {
      const metrics = createMetrics({ service: 'test', runtime: false, db: { slowQueryMs: 0 } });
      metrics.slo({ name: 'all', objective: 0.99, thresholdMs: 1e6 });
      const { url, stop } = await listen(make(metrics, fail as () => undefined));
      for (const path of ['/a', '/b']) expect(await (await fetch(url + path)).json()).toEqual({ n: 1 });
      const count =
        'http_server_request_duration_seconds_count{http_request_method="GET",http_route="_UNMATCHED",http_response_status_code="200"}';
      await expect.poll(async () => (await samplesOf(metrics)).get(count)).toBe(2);
      await vi.waitUntil(() => warnings.length >= 1);
      expect(warnings.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^`route` failed .* The request is not affected\./),
      ]);
      const errors = (await samplesOf(metrics)).get('weir_metrics_callback_errors_total{callback="route"}');
      // Koa's is called for the slow query and at the end.
      expect(errors).toBe(adapter === 'Koa' ? 4 : 2);
      expect(uncaught).toEqual([]);
      await stop();
      await metrics.close();
    },
  );
});

test.each(Object.entries(failures))(
  'An onError that %s is kept from the push, which tells that it failed',
  async (_name, fail) => {
    const metrics = createMetrics({ service: 'test', runtime: false });
    const refusing = await listen((_request, response) => response.writeHead(503).end());
    const push = pushMetrics({ metrics, url: refusing.url, onError: fail as () => void });
    expect(await push.push()).toBe(false);
    expect(await push.close()).toBe(false);
    await vi.waitUntil(() => warnings.length >= 1);
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^`onError` failed .* The push is not affected\./),
    ]);
    const errors = (await samplesOf(metrics)).get('weir_metrics_callback_errors_total{callback="onError"}');
    expect(errors).toBe(2);
    expect(uncaught).toEqual([]);
    await refusing.stop();
    await metrics.close();
  },
);

test('an error of onPlan is counted, and its connection goes back to its pool', async () => {
  const plans = new pg.Pool({ connectionString: server.url, max: 1 });
  const end = endingOf(plans);
  const fail = failures['throws an error'] as () => void;
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { slowQueryMs: 0, explain: { pool: plans, onPlan: fail } },
  });
  const client = metrics.instrument(new pg.Client(server.url));
  await client.connect();
  await client.query('SELECT 1');
  await client.end();
  await metrics.close();
  expect((await samplesOf(metrics)).get('weir_metrics_callback_errors_total{callback="onPlan"}')).toBe(1);
  expect(plans.idleCount).toBe(1);
  await end();
});
