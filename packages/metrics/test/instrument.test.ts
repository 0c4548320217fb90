import { createRequire } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import { PGlite } from '@electric-sql/pglite';
import { startPostgres, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import createKnex from 'knex';
import pg from 'pg';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../src/index.ts';
import { endingOf } from './end-pool.ts';
import { samplesOf } from './samples.ts';

const require = createRequire(import.meta.url);
const Database = require('better-sqlite3') as new (path: string) => DatabaseSync;

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let redis: Awaited<ReturnType<typeof startRedis>>;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
});
afterAll(() => Promise.all([postgres.stop(), redis.stop()]));

interface Opened {
  readonly client: object;
  /** Runs one statement or command. */
  query(): unknown;
  end(): unknown;
}

const clients: Readonly<Record<string, () => Opened | Promise<Opened>>> = {
  'pg Pool': () => {
    const client = new pg.Pool({ connectionString: postgres.url, max: 1 });
    return { client, query: () => client.query('SELECT 1'), end: endingOf(client) };
  },
  'pg Client': async () => {
    const client = new pg.Client(postgres.url);
    await client.connect();
    return { client, query: () => client.query('SELECT 1'), end: () => client.end() };
  },
  knex: () => {
    const client = createKnex({ client: 'pg', connection: postgres.url, pool: { min: 0, max: 1 } });
    return { client, query: () => client.raw('SELECT 1'), end: () => client.destroy() };
  },
  ioredis: () => {
    const client = new Redis(redis.url);
    return { client, query: () => client.get('a'), end: () => client.quit() };
  },
  'node-redis': async () => {
    const client = createClient({ url: redis.url });
    await client.connect();
    return { client, query: () => client.get('a'), end: () => client.close() };
  },
  'node:sqlite': () => {
    const client = new DatabaseSync(':memory:');
    return { client, query: () => client.prepare('SELECT 1').get(), end: () => client.close() };
  },
  'better-sqlite3': () => {
    const client = new Database(':memory:');
    return { client, query: () => client.prepare('SELECT 1').get(), end: () => client.close() };
  },
  PGlite: async () => {
    const client = await PGlite.create();
    return { client, query: () => client.query('SELECT 1'), end: () => client.close() };
  },
};

let told: string[] = [];
const make = (name: string): Metrics =>
  createMetrics({
    service: 'test',
    runtime: false,
    db: {
      slowQueryMs: 0,
      onSlowQuery: () => told.push(name),
      nPlusOneThreshold: 2,
      onNPlusOne: () => told.push(`${name} N+1`),
    },
  });

async function counted(metrics: Metrics): Promise<number> {
  const found = [...(await samplesOf(metrics))].filter(([name]) =>
    name.startsWith('db_client_operation_duration_seconds_count'),
  );
  return found.reduce((sum, [, count]) => sum + count, 0);
}

test.each(Object.entries(clients))(
  '%s goes over to the metrics that instrument it next, whichever close when',
  { timeout: 120_000 },
  async (_name, open) => {
    const { client, query, end } = await open();
    const first = make('first');
    first.instrument(client);
    first.instrument(client);
    await query();
    // Queries that a client sends by itself on connecting are counted by then.
    const before = await counted(first);
    expect(before).toBeGreaterThan(0);
    await first.close();
    told = [];
    await query();
    expect([await counted(first), told]).toEqual([before, []]);
    const second = make('second');
    second.instrument(client);
    await query();
    expect([await counted(first), await counted(second), told]).toEqual([before, 1, ['second']]);
    // The next metrics may exist before the previous ones are closed.
    const third = make('third');
    third.instrument(client);
    await second.close();
    await query();
    expect([await counted(second), await counted(third), told]).toEqual([1, 1, ['second', 'third']]);
    await end();
    await third.close();
  },
);

test('a pool that goes over takes its connections and waits along, and the metrics before forget it', async () => {
  const pool = new pg.Pool({ connectionString: postgres.url, max: 1 });
  const end = endingOf(pool);
  const [first, second] = [make('first'), make('second')] as const;
  first.instrument(pool, { name: 'one' });
  await pool.query('SELECT 1');
  second.instrument(pool, { name: 'two' });
  await Promise.all([1, 2, 3].map((value) => pool.query('SELECT $1::int', [value])));
  const idle = (name: string): string =>
    `db_client_connection_count{db_client_connection_pool_name="${name}",db_client_connection_state="idle"}`;
  const waits = (name: string): string =>
    `db_client_connection_wait_time_seconds_count{db_client_connection_pool_name="${name}"}`;
  const [before, after] = [await samplesOf(first), await samplesOf(second)];
  expect([before.get(idle('one')), before.get(waits('one'))]).toEqual([0, 1]);
  expect([after.get(idle('two')), after.get(waits('two'))]).toEqual([1, 3]);
  await end();
  await first.close();
  await second.close();
});

test('a query under way when its client goes over is counted by who began it, and by nobody once that is closed', async () => {
  const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
  const end = endingOf(pool);
  const [first, second] = [make('first'), make('second')] as const;
  first.instrument(pool);
  const lock = await pool.connect();
  await lock.query('SELECT pg_advisory_lock(7)');
  const begun = await counted(first);
  const waiting = pool.query('SELECT pg_advisory_lock(7), pg_advisory_unlock_all()');
  second.instrument(pool);
  await lock.query('SELECT pg_advisory_unlock(7)');
  await waiting;
  expect([await counted(first), await counted(second)]).toEqual([begun + 1, 1]);
  await lock.query('SELECT pg_advisory_lock(7)');
  const late = pool.query('SELECT pg_advisory_lock(7), pg_advisory_unlock_all()');
  await second.close();
  told = [];
  await lock.query('SELECT pg_advisory_unlock(7)');
  await late;
  expect(told).toEqual([]);
  lock.release();
  await end();
  await first.close();
});

test('closed metrics look for no N+1', async () => {
  const first = make('first');
  const database = first.instrument(new DatabaseSync(':memory:'));
  const exchange = first.http.begin('GET');
  await first.close();
  told = [];
  first.http.run(exchange, () => {
    for (let index = 0; index < 5; index += 1) database.prepare('SELECT ? AS x').get(index);
  });
  expect(told).toEqual([]);
});
