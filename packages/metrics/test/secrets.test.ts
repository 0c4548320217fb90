import { DatabaseSync } from 'node:sqlite';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { startTracing } from '@weir/metrics/tracing';
import { seededRandom, startMariadb, startPostgres } from '@weir/test-kit';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../src/index.ts';
import { endingOf } from './end-pool.ts';
import { forms, shells } from './literal-forms.ts';

const spans: ReadableSpan[] = [];
const tracing = startTracing({
  handleSigterm: false,
  exporter: {
    export: (batch, done) => {
      spans.push(...batch);
      done({ code: 0 });
    },
    shutdown: async () => {},
  },
});
let database: Awaited<ReturnType<typeof startPostgres>>;
let metrics: Metrics;
let plans: pg.Pool;
let endPlans: () => Promise<void>;
const told: unknown[] = [];

beforeAll(async () => {
  database = await startPostgres();
  plans = new pg.Pool({ connectionString: database.url, max: 1 });
  endPlans = endingOf(plans);
});
afterAll(async () => {
  await endPlans();
  await database.stop();
  await tracing.shutdown();
});
beforeEach(() => {
  spans.length = 0;
  told.length = 0;
  metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: {
      slowQueryMs: 0,
      nPlusOneThreshold: 2,
      onSlowQuery: (event) => told.push(event),
      onNPlusOne: (event) => told.push(event),
      explain: { pool: plans, onPlan: (event) => told.push(event), intervalMs: 1 },
    },
  });
});
afterEach(() => metrics.close());

function textOf({ name, attributes, events, status }: ReadableSpan): string {
  return JSON.stringify({ name, attributes, events, status });
}

/** Sends every form in every statement within one request, each with its own secret. Some fail. */
async function sendAll(system: keyof typeof forms, send: (text: string) => unknown): Promise<number> {
  const random = seededRandom(5);
  let sent = 0;
  const exchange = metrics.http.begin('GET');
  exchange.route = '/secrets';
  await metrics.http.run(exchange, async () => {
    for (const form of forms[system]) {
      for (const shell of shells) {
        const secret = `s3cr3t${Math.floor(random() * 1e12).toString(36)}`;
        sent += 1;
        try {
          await send(shell(form(secret)));
        } catch {
          // Not every form has a type that the column accepts.
        }
      }
    }
  });
  metrics.http.end(exchange, { statusCode: 200 });
  return sent;
}

async function expectNoSecret(sent: number): Promise<void> {
  await metrics.close();
  await tracing.flush();
  const queries = spans.filter(({ attributes }) => attributes['db.query.text'] !== undefined);
  expect(queries.length).toBeGreaterThanOrEqual(sent);
  expect(told.length).toBeGreaterThanOrEqual(sent);
  for (const accept of ['text/plain', 'application/openmetrics-text'])
    expect((await metrics.scrape(accept)).body).not.toContain('s3cr3t');
  expect(spans.map(textOf).join('\n')).not.toContain('s3cr3t');
  expect(JSON.stringify(told)).not.toContain('s3cr3t');
}

const TABLES = ['create table users (id int, token text, a text, b text)', 'create table t (a text)'];

test('PostgreSQL: secrets of every literal form are in no metric, span, slow-query event or plan', async () => {
  const client = metrics.instrument(new pg.Client(database.url));
  await client.connect();
  for (const table of TABLES) await client.query(table);
  const sent = await sendAll('postgresql', (text) => client.query(text));
  await client.end();
  await expectNoSecret(sent);
  expect(told.some((event) => 'nodes' in (event as object))).toBe(true);
});

test('MariaDB: secrets of every literal form are in no metric, span or slow-query event', async () => {
  const server = await startMariadb();
  const pool = metrics.instrument(
    mysql.createPool({ socketPath: server.socketPath, user: 'root', connectionLimit: 1 }),
  );
  await pool.query('create database app');
  await pool.query('use app');
  for (const table of TABLES) await pool.query(table);
  const sent = await sendAll('mysql', (text) => pool.query(text));
  await pool.execute('select * from users where token = ?', ['s3cr3t']);
  await pool.query('select * from users where token = ?', ['s3cr3t']);
  await pool.end();
  await server.stop();
  await expectNoSecret(sent);
});

test('SQLite: secrets of every literal form are in no metric, span or slow-query event', async () => {
  const client = metrics.instrument(new DatabaseSync(':memory:'));
  for (const table of TABLES) client.exec(table);
  const sent = await sendAll('sqlite', (text) => client.prepare(text).all());
  client.close();
  // A statement that does not compile never runs.
  await expectNoSecret(Math.floor(sent / 2));
});

test('through a saturated pool of one each query’s span belongs to the request that asked for it', async () => {
  const pool = metrics.instrument(new pg.Pool({ connectionString: database.url, max: 1 }));
  const end = endingOf(pool);
  const serve = async (name: string): Promise<void> => {
    const exchange = metrics.http.begin('GET');
    exchange.route = `/${name}`;
    await metrics.http.run(exchange, async () => {
      const route = (): string | undefined => metrics.http.contexts?.getStore()?.route;
      const byCallback = new Promise((resolve) => {
        void pool.query(`select 2 as ${name}`, () => resolve(route()));
      });
      const withValues = new Promise((resolve) => {
        void pool.query(`select $1 as ${name}`, [2], () => resolve(route()));
      });
      await Promise.all([pool.query(`select 1 as ${name}`), pool.query(`select 3 as ${name}`)]);
      expect([await byCallback, await withValues]).toEqual([`/${name}`, `/${name}`]);
      const client = await pool.connect();
      await client.query(`select 4 as ${name}`);
      client.release();
    });
    metrics.http.end(exchange, { statusCode: 200 });
  };
  await Promise.all(['a', 'b', 'c', 'd'].map(serve));
  await end();
  await tracing.flush();
  for (const name of ['a', 'b', 'c', 'd']) {
    const server = spans.find((span) => span.name === `GET /${name}`);
    const queries = spans.filter(({ attributes }) => attributes['db.query.text'] === `select ? as ${name}`);
    expect(queries).toHaveLength(5);
    for (const query of queries) expect(query.parentSpanContext?.spanId).toBe(server?.spanContext().spanId);
  }
});

test('a prepared statement reaches the server letter by letter, tracing or not', async () => {
  const client = metrics.instrument(new pg.Client(database.url));
  await client.connect();
  const text = 'SELECT  $1::int AS "exactly" -- this';
  await client.query({ name: 'kept', text, values: [1] });
  await client.query({ name: 'kept', text, values: [2] });
  const { rows } = await client.query('SELECT statement FROM pg_prepared_statements');
  await client.end();
  expect(rows).toEqual([{ statement: text }]);
});
