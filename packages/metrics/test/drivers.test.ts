import { createRequire } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import { startPostgres, startRedis } from '@weir/test-kit';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Redis } from 'ioredis';
import createKnex from 'knex';
import { Kysely, sql as kyselySql, PostgresDialect } from 'kysely';
import { MongoClient } from 'mongodb';
import pg from 'pg';
import QueryStream from 'pg-query-stream';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createMetrics, type Metrics, type SlowQueryEvent } from '../src/index.ts';
import { startMongoResponder } from './mongo-responder.ts';
import { startMysqlResponder } from './mysql-responder.ts';
import { samplesOf } from './samples.ts';

const require = createRequire(import.meta.url);
const Database = require('better-sqlite3') as new (path: string) => DatabaseSync;
const SECRET = 's3cr3t';
let metrics: Metrics;
let told: SlowQueryEvent[];
let postgres: Awaited<ReturnType<typeof startPostgres>>;
let redisServer: Awaited<ReturnType<typeof startRedis>>;

beforeAll(async () => {
  [postgres, redisServer] = await Promise.all([startPostgres(), startRedis()]);
});
afterAll(() => Promise.all([postgres.stop(), redisServer.stop()]));
beforeEach(() => {
  told = [];
  metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { slowQueryMs: 0, onSlowQuery: (event) => told.push(event) },
  });
});
afterEach(async () => {
  const { body } = await metrics.scrape();
  expect(body + JSON.stringify(told)).not.toContain(SECRET);
  await metrics.close();
});

/** Executions by system and summary. */
async function counts(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [name, count] of await samplesOf(metrics)) {
    const match =
      /^db_client_operation_duration_seconds_count\{db_system_name="(\w+)",db_query_summary="((?:[^"\\]|\\.)*)"/.exec(
        name,
      );
    if (match === null) continue;
    const key = `${match[1]} ${(match[2] as string).replaceAll('\\"', '"')}`;
    found[key] = (found[key] ?? 0) + count;
  }
  return found;
}

test.each([
  ['node:sqlite', () => new DatabaseSync(':memory:')],
  ['better-sqlite3', () => new Database(':memory:')],
] as const)(
  '%s: scripts, runs, reads and iterations are timed and give what they gave',
  async (_name, open) => {
    const database = metrics.instrument(open());
    database.exec('create table t (a text)');
    database.exec(`insert into t values ('${SECRET}')`);
    const insert = database.prepare('insert into t values (?)');
    expect(insert.run('x').changes).toBe(1);
    insert.run(SECRET);
    expect(database.prepare("select a from t where a <> 's3cr3t'").get()).toEqual({ a: 'x' });
    expect(database.prepare('select count(*) n from t').all()).toEqual([{ n: 3 }]);
    expect([...database.prepare('select a from t limit 2').iterate()]).toHaveLength(2);
    for (const _row of database.prepare('select a from t').iterate()) break;
    expect(() => database.prepare('select a from t where a = :a').all({ b: 1 })).toThrow();
    expect(() => database.exec('select nothing')).toThrow(/nothing/);
    database.close();
    expect(await counts()).toMatchObject({
      'sqlite create t': 1,
      'sqlite insert t': 3,
      'sqlite select t': 5,
      'sqlite select': 1,
    });
  },
);

// Compiling its WebAssembly takes seconds on a busy machine.
test('PGlite: queries, scripts, templates and transactions are timed', { timeout: 120_000 }, async () => {
  const database = metrics.instrument(new PGlite());
  await database.exec('create table t (a text)');
  await database.query('insert into t values ($1)', [SECRET]);
  await database.transaction(async (transaction) => {
    expect((await transaction.query('select a from t')).rows).toEqual([{ a: SECRET }]);
  });
  expect((await database.sql`select a from t where a = ${SECRET}`).rows).toHaveLength(1);
  await expect(database.query('select nope')).rejects.toThrow(/nope/);
  await database.close();
  expect(await counts()).toMatchObject({
    'postgresql create t': 1,
    'postgresql insert t': 1,
    'postgresql select t': 2,
  });
});

test('ioredis: commands and pipelines are timed by name, without keys and values', async () => {
  const redis = metrics.instrument(new Redis(redisServer.url));
  await redis.set(SECRET, SECRET);
  expect(await redis.get(SECRET)).toBe(SECRET);
  await redis.pipeline().get(SECRET).incr('n').exec();
  await expect(redis.incr(SECRET)).rejects.toThrow(/not an integer/);
  redis.disconnect();
  expect(await counts()).toMatchObject({ 'redis SET': 1, 'redis GET': 2, 'redis INCR': 2 });
});

test('node-redis: commands and pipelines are timed by name, without keys and values', async () => {
  const redis = metrics.instrument(createClient({ url: redisServer.url }));
  await redis.connect();
  await redis.set(SECRET, SECRET);
  expect(await redis.get(SECRET)).toBe(SECRET);
  await redis.multi().get(SECRET).incr('m').exec();
  await expect(redis.incr(SECRET)).rejects.toThrow(/not an integer/);
  redis.destroy();
  expect(await counts()).toMatchObject({ 'redis SET': 1, 'redis GET': 1, 'redis MULTI': 1, 'redis INCR': 1 });
});

test('mysql2: both interfaces are timed with inlined values hidden, and pool waits are seen', async () => {
  const mysql = require('mysql2') as typeof import('mysql2');
  const server = await startMysqlResponder();
  const pool = mysql.createPool({ host: '127.0.0.1', port: server.port, user: 'u', connectionLimit: 1 });
  metrics.instrument(pool, { name: 'my' });
  const viaPromise = pool.promise();
  await Promise.all(
    [1, 2, 3].map(() => viaPromise.query('SELECT a FROM `t` WHERE b = ? AND c = "s3cr3t\\""', [SECRET])),
  );
  await new Promise<void>((resolve, reject) => {
    pool.query(`SELECT a FROM t WHERE b = '${SECRET}'`, (error) => (error ? reject(error) : resolve()));
  });
  const connection = await viaPromise.getConnection();
  await connection.query('UPDATE t SET a = ?', [SECRET]);
  connection.release();
  await new Promise<void>((resolve, reject) => {
    pool.query('DELETE FROM t').on('error', reject).on('end', resolve);
  });
  await expect(viaPromise.query('FAIL')).rejects.toThrow(/told to/);
  const samples = await samplesOf(metrics);
  await viaPromise.end();
  await server.stop();
  expect(await counts()).toMatchObject({
    'mysql SELECT `t`': 3,
    'mysql SELECT t': 1,
    'mysql UPDATE t': 1,
    'mysql DELETE t': 1,
  });
  expect(
    samples.get('db_client_connection_wait_time_seconds_count{db_client_connection_pool_name="my"}'),
  ).toBe(7);
  expect(samples.get('db_client_connection_max{db_client_connection_pool_name="my"}')).toBe(1);
});

test('mongodb: commands are timed by shape, and the pool by its events', async () => {
  const server = await startMongoResponder();
  expect(() => metrics.instrument(new MongoClient(server.url))).toThrow(/`monitorCommands` to be `true`/);
  const client = new MongoClient(server.url, { monitorCommands: true, maxPoolSize: 5 });
  metrics.instrument(client, { name: 'docs' });
  const users = client.db('app').collection('users');
  expect(await users.find({ name: SECRET, age: { $gt: 1 } }).toArray()).toEqual([{ name: 'Ada' }]);
  await users.find({ name: 'other', age: { $gt: 2 } }).toArray();
  await users.insertOne({ name: SECRET });
  await expect(client.db('app').command({ fail: 1 })).rejects.toThrow(/told to/);
  const samples = await samplesOf(metrics);
  await client.close();
  await server.stop();
  expect(await counts()).toMatchObject({
    'mongodb find users': 2,
    'mongodb insert users': 1,
    'mongodb fail': 1,
  });
  const texts = new Set(
    told.filter(({ summary }) => summary === 'find users').map(({ statement }) => statement),
  );
  expect([...texts]).toEqual(['find users {find: ?, filter: {name: ?, age: {$gt: ?}}, collection: ?}']);
  expect(samples.get('db_client_connection_max{db_client_connection_pool_name="docs"}')).toBe(5);
  expect(
    samples.get('db_client_connection_wait_time_seconds_count{db_client_connection_pool_name="docs"}'),
  ).toBe(4);
});

test('knex, drizzle and kysely are timed through pg', async () => {
  const knex = createKnex({ client: 'pg', connection: postgres.url });
  metrics.instrument(knex);
  await knex.raw('create table orm (a text)');
  await knex('orm').insert({ a: SECRET });
  expect(await knex('orm').where({ a: SECRET })).toHaveLength(1);
  await knex.destroy();
  const pool = metrics.instrument(new pg.Pool({ connectionString: postgres.url }), { name: 'orm' });
  await drizzle(pool).execute(sql`select * from orm where a = ${SECRET}`);
  const kysely = new Kysely<{ orm: { a: string } }>({ dialect: new PostgresDialect({ pool }) });
  expect(await kysely.selectFrom('orm').where('a', '=', SECRET).selectAll().execute()).toHaveLength(1);
  await kyselySql`select 1`.execute(kysely);
  await kysely.destroy();
  expect(await counts()).toMatchObject({
    'postgresql create orm': 1,
    'postgresql insert "orm"': 1,
    'postgresql select "orm"': 2,
    'postgresql select orm': 1,
  });
});

test('the caller of a query is found behind a query builder that awaits before it sends it', async () => {
  const pool = metrics.instrument(new pg.Pool({ connectionString: postgres.url }));
  const kysely = new Kysely<{ pg_class: { relname: string } }>({ dialect: new PostgresDialect({ pool }) });
  for (let times = 0; times < 2; times += 1) {
    await kysely.selectFrom('pg_class').select('relname').limit(1).execute();
    await kysely.transaction().execute((open) => open.selectFrom('pg_class').selectAll().limit(1).execute());
  }
  await kysely.destroy();
  const sites = told.slice(told.length / 2).map(({ callSite }) => callSite);
  expect(sites).toEqual(Array.from({ length: 4 }, () => expect.stringMatching(/drivers\.test\.ts:\d+:\d+$/)));
});

test('Prisma is timed through the pool that its driver adapter is given', async () => {
  const pool = metrics.instrument(new pg.Pool({ connectionString: postgres.url, max: 1 }), {
    name: 'prisma',
  });
  const adapter = await new PrismaPg(pool).connect();
  const ask = { argTypes: [{ scalarType: 'string', arity: 'scalar' }], args: [SECRET] } as const;
  await adapter.executeScript('create table prisma (a text)');
  expect(
    await adapter.executeRaw({
      sql: 'INSERT INTO "prisma" ("a") VALUES ($1)',
      args: [...ask.args],
      argTypes: [...ask.argTypes],
    }),
  ).toBe(1);
  const sql = 'SELECT "prisma"."a" FROM "prisma" WHERE "prisma"."a" = $1';
  const result = await adapter.queryRaw({ sql, args: [...ask.args], argTypes: [...ask.argTypes] });
  expect(result.rows).toEqual([[SECRET]]);
  const transaction = await adapter.startTransaction();
  await transaction.queryRaw({ sql, args: ['other'], argTypes: [...ask.argTypes] });
  await transaction.commit();
  await adapter.dispose();
  await pool.end();
  const samples = await samplesOf(metrics);
  expect(await counts()).toMatchObject({
    'postgresql create prisma': 1,
    'postgresql INSERT "prisma"': 1,
    'postgresql SELECT "prisma"': 2,
    'postgresql BEGIN': 1,
  });
  expect(samples.get('db_client_connection_max{db_client_connection_pool_name="prisma"}')).toBe(1);
});

test('a stream of pg is timed to its end', async () => {
  const client = metrics.instrument(new pg.Client(postgres.url));
  await client.connect();
  let rows = 0;
  for await (const _row of client.query(new QueryStream('select * from generate_series(1, 250) as numbers')))
    rows += 1;
  expect(rows).toBe(250);
  await client.end();
  expect(await counts()).toMatchObject({ 'postgresql select generate_series': 1 });
});

test('what is no client is refused by name, and what is instrumented twice is counted once', async () => {
  expect(() => metrics.instrument({ query: () => {} })).toThrow(/does not know this kind of client/);
  const database = new DatabaseSync(':memory:');
  metrics.instrument(database);
  metrics.instrument(database);
  database.exec('select 1');
  database.close();
  expect(await counts()).toEqual({ 'sqlite select': 1 });
});
