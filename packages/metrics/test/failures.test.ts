import { DatabaseSync } from 'node:sqlite';
import { startMariadb, startPostgres, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import mysql from 'mysql2';
import mysqlPromise from 'mysql2/promise';
import pg from 'pg';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../src/index.ts';
import { endingOf } from './end-pool.ts';
import { samplesOf } from './samples.ts';

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let mariadb: Awaited<ReturnType<typeof startMariadb>>;
let redis: Awaited<ReturnType<typeof startRedis>>;
beforeAll(async () => {
  [postgres, mariadb, redis] = await Promise.all([startPostgres(), startMariadb(), startRedis()]);
});
afterAll(() => Promise.all([postgres.stop(), mariadb.stop(), redis.stop()]));

/** Expects `run` to fail. */
async function fails(run: () => unknown): Promise<void> {
  await expect((async () => run())()).rejects.toBeDefined();
}

/** A client, used for one success and `expected` failures. */
interface Use {
  readonly label: string;
  run(metrics: Metrics): Promise<void>;
}

const uses: Readonly<Record<string, Use>> = {
  'pg, promises and callbacks': {
    label: 'db_system_name="postgresql",db_query_summary="SELECT missing"',
    run: async (metrics) => {
      const pool = metrics.instrument(new pg.Pool({ connectionString: postgres.url, max: 1 }));
      const end = endingOf(pool);
      await pool.query('SELECT 1');
      await fails(() => pool.query('SELECT a FROM missing'));
      await fails(
        () =>
          new Promise((resolve, reject) => {
            pool.query('SELECT a FROM missing', (error, result) => (error ? reject(error) : resolve(result)));
          }),
      );
      const client = await pool.connect();
      await fails(() => client.query('SELECT a FROM missing'));
      client.release();
      await end();
    },
  },
  'pg, without a server': {
    label: 'db_system_name="postgresql",db_query_summary="SELECT missing"',
    run: async (metrics) => {
      const pool = metrics.instrument(new pg.Pool({ host: '127.0.0.1', port: 1 }));
      for (let times = 0; times < 3; times += 1) await fails(() => pool.query('SELECT a FROM missing'));
      await pool.end();
    },
  },
  'mysql2, promises, callbacks and streams': {
    label: 'db_system_name="mariadb",db_query_summary="SELECT missing"',
    run: async (metrics) => {
      const pool = metrics.instrument(
        mysql.createPool({ socketPath: mariadb.socketPath, user: 'root', database: 'information_schema' }),
      );
      await pool.promise().query('SELECT 1');
      await fails(() => pool.promise().query('SELECT a FROM missing'));
      await fails(() => pool.promise().execute('SELECT a FROM missing'));
      await fails(
        () =>
          new Promise((resolve, reject) => {
            pool.query('SELECT a FROM missing').on('error', reject).on('end', resolve);
          }),
      );
      await pool.promise().end();
    },
  },
  'mysql2, without a server': {
    label: 'db_system_name="mysql",db_query_summary="SELECT missing"',
    run: async (metrics) => {
      const pool = metrics.instrument(mysqlPromise.createPool({ host: '127.0.0.1', port: 1 }));
      for (let times = 0; times < 3; times += 1) await fails(() => pool.query('SELECT a FROM missing'));
      await pool.end();
    },
  },
  'node:sqlite, runs, scripts and iterations': {
    label: 'db_system_name="sqlite",db_query_summary="INSERT t SELECT json_each"',
    run: async (metrics) => {
      const database = metrics.instrument(new DatabaseSync(':memory:'));
      database.exec('CREATE TABLE t (id INT PRIMARY KEY)');
      const insert = database.prepare('INSERT INTO t SELECT value FROM json_each(?) RETURNING id');
      expect(insert.all('[1]')).toHaveLength(1);
      await fails(() => insert.all('[1]'));
      await fails(() => insert.get('[2, 1]'));
      await fails(() => [...insert.iterate('[1]')]);
      const other = database.prepare('INSERT INTO t SELECT value FROM json_each(?) RETURNING id');
      // A caller that breaks, or throws while reading, is not a failure of the database.
      for (const _row of other.iterate('[5, 6]')) break;
      await fails(() => {
        for (const _row of other.iterate('[7, 8]')) throw new Error('of the program');
      });
    },
  },
  ioredis: {
    label: 'db_system_name="redis",db_query_summary="INCR"',
    run: async (metrics) => {
      const client = metrics.instrument(new Redis(redis.url));
      await client.set('text', 'x');
      for (let times = 0; times < 3; times += 1) await fails(() => client.incr('text'));
      client.disconnect();
    },
  },
  'node-redis': {
    label: 'db_system_name="redis",db_query_summary="INCR"',
    run: async (metrics) => {
      const client = metrics.instrument(createClient({ url: redis.url }));
      await client.connect();
      await client.set('text', 'x');
      for (let times = 0; times < 3; times += 1) await fails(() => client.incr('text'));
      client.destroy();
    },
  },
};

test.each(Object.entries(uses))(
  '%s: each failure counts once, and no success does',
  async (_name, { label, run }) => {
    const metrics = createMetrics({ service: 'test', runtime: false });
    await run(metrics);
    const failed = [...(await samplesOf(metrics))].filter(([name]) =>
      name.startsWith('weir_db_failed_queries_total'),
    );
    expect(failed).toEqual([[`weir_db_failed_queries_total{${label}}`, 3]]);
    await metrics.close();
  },
);

test('a statement that cannot be prepared counts as a failure', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const database = metrics.instrument(new DatabaseSync(':memory:'));
  await fails(() => database.prepare('SELECT "s3cr3t" FROM missing'));
  const connection = metrics.instrument(
    await mysqlPromise.createConnection({ socketPath: mariadb.socketPath, user: 'root' }),
  );
  await fails(() => connection.prepare("SELECT 's3cr3t' FROM missing"));
  await connection.end();
  const { body } = await metrics.scrape();
  for (const system of ['sqlite', 'mariadb'])
    expect(body).toContain(
      `weir_db_failed_queries_total{db_system_name="${system}",db_query_summary="SELECT missing"} 1`,
    );
  expect(body).not.toContain('s3cr3t');
  await metrics.close();
});

test('an iteration that fails after its first row is a failure', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const rows = {
    next: (() => {
      let count = 0;
      return () => {
        count += 1;
        if (count > 2) throw new Error('disk I/O error');
        return { done: false, value: count };
      };
    })(),
    [Symbol.iterator]() {
      return this;
    },
  };
  const database = {
    prepare: () => ({ iterate: () => rows }),
    exec: () => undefined,
    close: () => undefined,
  };
  const statement = (
    metrics.instrument(database).prepare as (text: string) => { iterate(): Iterable<number> }
  )('SELECT a FROM t');
  await fails(() => [...statement.iterate()]);
  expect(
    (await samplesOf(metrics)).get(
      'weir_db_failed_queries_total{db_system_name="sqlite",db_query_summary="SELECT t"}',
    ),
  ).toBe(1);
  await metrics.close();
});
