import { fastifyMetrics } from '@weir/metrics/fastify';
import { startPostgres } from '@weir/test-kit';
import Fastify from 'fastify';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createMetrics,
  type Metrics,
  type MetricsOptions,
  type NPlusOneEvent,
  type SlowQueryEvent,
} from '../src/index.ts';
import { endingOf } from './end-pool.ts';
import { samplesOf } from './samples.ts';

let database: Awaited<ReturnType<typeof startPostgres>>;

beforeAll(async () => {
  database = await startPostgres();
  const client = new pg.Client(database.url);
  await client.connect();
  await client.query('create table products (id int primary key, name text, category int)');
  await client.query("insert into products select i, 'p' || i, i % 10 from generate_series(1, 500) i");
  await client.end();
});

afterAll(() => database.stop());

async function withPool<T>(
  use: (pool: pg.Pool, metrics: Metrics) => Promise<T>,
  options: { readonly max?: number; readonly db?: MetricsOptions['db'] } = {},
): Promise<T> {
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    ...(options.db ? { db: options.db } : {}),
  });
  const pool = metrics.instrument(new pg.Pool({ connectionString: database.url, max: options.max ?? 4 }), {
    name: 'shop',
  });
  const end = endingOf(pool);
  try {
    return await use(pool, metrics);
  } finally {
    await end();
    await metrics.close();
  }
}

const COUNT = 'db_client_operation_duration_seconds_count';

test('queries of every call style are timed under one summary and fingerprint, and give their results', async () => {
  await withPool(async (pool, metrics) => {
    const text = 'SELECT name FROM products WHERE id = $1';
    expect((await pool.query(text, [1])).rows).toEqual([{ name: 'p1' }]);
    expect((await pool.query({ text, values: [2] })).rows).toEqual([{ name: 'p2' }]);
    expect((await pool.query({ name: 'prepared', text, values: [3] })).rows).toEqual([{ name: 'p3' }]);
    expect((await pool.query('SELECT name FROM products WHERE id = 4')).rows).toEqual([{ name: 'p4' }]);
    const viaCallback = await new Promise((resolve) => {
      pool.query(text, [5], (_error, result) => resolve(result.rows));
    });
    expect(viaCallback).toEqual([{ name: 'p5' }]);
    const client = await pool.connect();
    const inTransaction = await new Promise((resolve) => {
      void client.query({ text, values: [6] }, (_error: Error | null, result: pg.QueryResult) =>
        resolve(result.rows),
      );
    });
    expect(inTransaction).toEqual([{ name: 'p6' }]);
    client.release();
    const counts = [...(await samplesOf(metrics))].filter(([name]) => name.startsWith(COUNT));
    expect(counts).toHaveLength(1);
    expect(counts[0]?.[0]).toContain(
      'db_system_name="postgresql",db_query_summary="SELECT products",db_query_fingerprint="',
    );
    expect(counts[0]?.[1]).toBe(6);
  });
});

test('a failing query rejects as without instrumentation and is timed', async () => {
  await withPool(async (pool, metrics) => {
    await expect(pool.query('SELECT nope FROM products')).rejects.toMatchObject({ code: '42703' });
    const samples = [...(await samplesOf(metrics))].filter(([name]) => name.startsWith(COUNT));
    expect(samples[0]?.[1]).toBe(1);
  });
});

test('waits and use of the pool are exported', async () => {
  await withPool(
    async (pool, metrics) => {
      const first = await pool.connect();
      const second = pool.query('select 1');
      const busy = await samplesOf(metrics);
      const state = (value: string) =>
        `db_client_connection_count{db_client_connection_pool_name="shop",db_client_connection_state="${value}"}`;
      expect(busy.get(state('used'))).toBe(1);
      expect(busy.get('db_client_connection_pending_requests{db_client_connection_pool_name="shop"}')).toBe(
        1,
      );
      expect(busy.get('db_client_connection_max{db_client_connection_pool_name="shop"}')).toBe(1);
      first.release();
      await second;
      const idle = await samplesOf(metrics);
      expect(idle.get(state('idle'))).toBe(1);
      expect(
        idle.get('db_client_connection_wait_time_seconds_count{db_client_connection_pool_name="shop"}'),
      ).toBe(2);
    },
    { max: 1 },
  );
});

test('a slow query is counted and told with its text but none of its literals', async () => {
  const slow: SlowQueryEvent[] = [];
  await withPool(
    async (pool, metrics) => {
      await pool.query("SELECT pg_sleep(0.4), 'hunter2' FROM products WHERE name <> 'secret' LIMIT 1");
      await pool.query('SELECT 1');
      expect(slow).toHaveLength(1);
      expect(slow[0]?.statement).toBe('select pg_sleep (?), ? from products where name <> ? limit ?');
      expect(slow[0]?.durationMs).toBeGreaterThan(300);
      expect(
        (await samplesOf(metrics)).get(
          'weir_db_slow_queries_total{db_system_name="postgresql",db_query_summary="SELECT products"}',
        ),
      ).toBe(1);
    },
    { db: { slowQueryMs: 300, onSlowQuery: (event) => slow.push(event) } },
  );
});

test('an N+1 is told once a request with its caller, also through a saturated pool of one', async () => {
  const found: NPlusOneEvent[] = [];
  await withPool(
    async (pool, metrics) => {
      const app = Fastify();
      await app.register(fastifyMetrics, { metrics });
      app.get('/n-plus-one/:who', async () => {
        const { rows } = await pool.query<{ id: number }>('SELECT id FROM products WHERE category = $1', [3]);
        for (const row of rows.slice(0, 12))
          await pool.query('SELECT name FROM products WHERE id = $1', [row.id]);
        return 'ok';
      });
      app.get('/fine', async () => {
        for (let index = 0; index < 3; index += 1)
          await pool.query('SELECT name FROM products WHERE id = $1', [index]);
        return 'ok';
      });
      await Promise.all([
        ...['a', 'b', 'c'].map((who) => app.inject(`/n-plus-one/${who}`)),
        ...Array.from({ length: 20 }, () => app.inject('/fine')),
      ]);
      const samples = await samplesOf(metrics);
      const name =
        'weir_db_n_plus_one_total{http_route="/n-plus-one/:who",db_query_summary="SELECT products"}';
      expect([...samples].filter(([series]) => series.startsWith('weir_db_n_plus_one_total'))).toEqual([
        [name, 3],
      ]);
      expect(found).toHaveLength(3);
      expect(found[0]?.callSite).toMatch(/pg\.test\.ts:\d+:\d+$/);
      expect(found[0]?.suggestion).toContain('`id = ANY($1)`');
      await app.close();
    },
    { max: 1, db: { onNPlusOne: (event) => found.push(event) } },
  );
});

test('loops that are no N+1 are left alone', async () => {
  await withPool(
    async (pool, metrics) => {
      const app = Fastify();
      await app.register(fastifyMetrics, { metrics });
      app.get('/loops', async () => {
        for (let index = 0; index < 15; index += 1) {
          await pool.query('SELECT name FROM products WHERE id = $1', [7]);
          await pool.query('UPDATE products SET name = $1 WHERE id = $2', [`p${index}`, index]);
          await pool.query('SELECT id FROM products WHERE id > $1 ORDER BY id LIMIT 10', [index]);
          await pool.query('SELECT id FROM products WHERE id = $1 FOR UPDATE SKIP LOCKED', [index]);
        }
        return 'ok';
      });
      await app.inject('/loops');
      const samples = await samplesOf(metrics);
      expect([...samples.keys()].filter((name) => name.startsWith('weir_db_n_plus_one_total'))).toEqual([]);
      await app.close();
    },
    { max: 1 },
  );
});
