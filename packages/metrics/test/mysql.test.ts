import { startMariadb } from '@weir/test-kit';
import mysql from 'mysql2';
import mysqlPromise from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMetrics, type NPlusOneEvent } from '../src/index.ts';
import { samplesOf } from './samples.ts';

let server: Awaited<ReturnType<typeof startMariadb>>;
beforeAll(async () => {
  server = await startMariadb();
  const setUp = await mysqlPromise.createConnection({ socketPath: server.socketPath, user: 'root' });
  await setUp.query('CREATE DATABASE shop');
  await setUp.query('CREATE TABLE shop.users (id int primary key, name text)');
  await setUp.query("INSERT INTO shop.users VALUES (1, 'a'), (2, 'b'), (3, 'c')");
  await setUp.end();
});
afterAll(() => server.stop());

const options = (): { socketPath: string; user: string; database: string; connectionLimit: number } => ({
  socketPath: server.socketPath,
  user: 'root',
  database: 'shop',
  connectionLimit: 1,
});

test('on a real MariaDB callbacks, promises, streams and transactions are timed once each, and give what they gave', async () => {
  const metrics = createMetrics({ service: 'test', runtime: false });
  const pool = metrics.instrument(mysql.createPool(options()), { name: 'maria' });
  const one = await new Promise((resolve, reject) => {
    pool.query('SELECT name FROM users WHERE id = ?', [1], (error, rows) =>
      error ? reject(error) : resolve(rows),
    );
  });
  expect(one).toEqual([{ name: 'a' }]);
  const promises = pool.promise();
  expect((await promises.execute('SELECT name FROM users WHERE id = ?', [2]))[0]).toEqual([{ name: 'b' }]);
  const connection = await promises.getConnection();
  await connection.beginTransaction();
  await connection.query('UPDATE users SET name = ? WHERE id = ?', ['d', 3]);
  await connection.rollback();
  connection.release();
  const streamed: unknown[] = [];
  for await (const row of pool.query('SELECT id FROM users ORDER BY id').stream()) streamed.push(row);
  expect(streamed).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  await expect(promises.query('SELECT nothing FROM users')).rejects.toMatchObject({
    code: 'ER_BAD_FIELD_ERROR',
  });
  const samples = await samplesOf(metrics);
  const counts = [...samples]
    .map(([name, count]) => [
      /_count\{db_system_name="(\w+)",db_query_summary="([^"]*)"/.exec(name)?.slice(1),
      count,
    ])
    .filter(([match]) => match !== undefined);
  expect(counts).toEqual([
    [['mariadb', 'SELECT users'], 2],
    [['mariadb', 'START'], 1],
    [['mariadb', 'UPDATE users'], 1],
    [['mariadb', 'ROLLBACK'], 1],
    [['mariadb', 'SELECT users'], 1],
    [['mariadb', 'SELECT users'], 1],
  ]);
  const pooled = '{db_client_connection_pool_name="maria"}';
  expect(samples.get(`db_client_connection_max${pooled}`)).toBe(1);
  expect(samples.get(`db_client_connection_wait_time_seconds_count${pooled}`)).toBe(5);
  await promises.end();
  await metrics.close();
});

test('an N+1 is found through a saturated pool of one, each in its own request', async () => {
  const found: NPlusOneEvent[] = [];
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { onNPlusOne: (event) => found.push(event) },
  });
  const pool = metrics.instrument(mysqlPromise.createPool(options()));
  const serve = async (route: string, times: number): Promise<void> => {
    const exchange = metrics.http.begin('GET');
    exchange.route = route;
    await metrics.http.run(exchange, async () => {
      for (let id = 0; id < times; id += 1) await pool.execute('SELECT name FROM users WHERE id = ?', [id]);
    });
    metrics.http.end(exchange, { statusCode: 200 });
  };
  await Promise.all([serve('/many', 12), ...Array.from({ length: 20 }, () => serve('/few', 3))]);
  expect(found.map(({ route }) => route)).toEqual(['/many']);
  expect(found[0]?.callSite).toMatch(/mysql\.test\.ts:\d+:\d+$/);
  await pool.end();
  await metrics.close();
});

/** A pool of one connection, and the statements that it counted. */
async function withSession(
  use: (
    pool: mysqlPromise.Pool,
    statements: string[],
    connection: mysqlPromise.PoolConnection,
  ) => Promise<void>,
  settings: Partial<ReturnType<typeof options>> & {
    readonly namedPlaceholders?: boolean;
    readonly multipleStatements?: boolean;
  } = {},
): Promise<void> {
  const statements: string[] = [];
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { slowQueryMs: 0, onSlowQuery: ({ statement }) => statements.push(statement) },
  });
  const pool = metrics.instrument(mysqlPromise.createPool({ ...options(), ...settings }));
  const connection = await pool.getConnection();
  try {
    await use(pool, statements, connection);
  } finally {
    connection.release();
    await pool.end();
    await metrics.close();
  }
}

const ESCAPED = String.raw`SELECT 'it\'s' AS a, 'opensesame' AS b, 5 AS c`;
const PLAIN = String.raw`SELECT 'C:\' AS a, 'opensesame' AS b, 5 AS c`;
const READ = 'select ? as a, ? as b, ? as c';

test('strings are read as the session reads them, whichever way it was set', async () => {
  for (const set of [
    "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
    'SET SESSION sql_mode = CONCAT(@@sql_mode, ",NO_BACKSLASH_ESCAPES")',
    "SELECT 1; SET @@session.sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
    "SET STATEMENT sql_mode = '' FOR SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'; SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
  ]) {
    await withSession(
      async (_pool, statements, connection) => {
        await connection.query(ESCAPED);
        expect(statements.splice(0)).toEqual([READ]);
        await connection.query(set);
        statements.length = 0;
        const [rows] = await connection.query(PLAIN);
        expect(rows).toMatchObject([{ b: 'opensesame' }]);
        expect(statements.splice(0)).toEqual([READ]);
        await connection.query("SET sql_mode = ''");
        statements.length = 0;
        await connection.query(ESCAPED);
        expect(statements).toEqual([READ]);
      },
      { multipleStatements: true },
    );
  }
});

test('until the server has told how a session reads strings, what depends on it is hidden', async () => {
  await withSession(async (_pool, statements, connection) => {
    // Sent concurrently.
    await Promise.all([
      connection.query('SELECT 1'),
      connection.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'"),
      connection.query(PLAIN),
    ]);
    expect(statements.join('\n')).not.toContain('opensesame');
    statements.length = 0;
    await connection.changeUser({});
    await connection.query(ESCAPED);
    expect(statements.splice(0)).toEqual(['select ?']);
    await connection.query('DO 1');
    statements.length = 0;
    await connection.query(ESCAPED);
    expect(statements).toEqual([READ]);
  });
});

test('a server whose default is NO_BACKSLASH_ESCAPES says so to each new connection', async () => {
  const admin = await mysqlPromise.createConnection({ socketPath: server.socketPath, user: 'root' });
  const [[{ mode }]] = (await admin.query('SELECT @@global.sql_mode AS mode')) as unknown as [
    [{ mode: string }],
  ];
  await admin.query("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'");
  try {
    await withSession(async (_pool, statements, connection) => {
      await connection.query(PLAIN);
      expect(statements).toEqual([READ]);
    });
  } finally {
    await admin.query('SET GLOBAL sql_mode = ?', [mode]);
    await admin.end();
  }
});

test('a prepared statement is timed at each execution, with its failures, by promises, callbacks and streams', async () => {
  await withSession(async (_pool, statements, connection) => {
    const prepared = await connection.prepare('SELECT id FROM users WHERE id > ?');
    expect(statements.splice(0)).toEqual([]);
    expect((await prepared.execute([2]))[0]).toEqual([{ id: 3 }]);
    expect((await prepared.execute([0]))[0]).toHaveLength(3);
    const again = await connection.prepare('SELECT id FROM users WHERE id > ?');
    await again.execute([1]);
    expect(statements.splice(0)).toEqual(
      Array.from({ length: 3 }, () => 'select id from users where id > ?'),
    );
    const insert = await connection.prepare('INSERT INTO users VALUES (?, ?)');
    await expect(insert.execute([1, 'again'])).rejects.toMatchObject({ code: 'ER_DUP_ENTRY' });
    await insert.close();
    expect(statements.splice(0)).toEqual(['insert into users values (...)']);
    const core = (connection as unknown as { connection: mysql.Connection }).connection;
    await new Promise<void>((resolve, reject) => {
      core.prepare('SELECT 1 AS one', (error, statement) => {
        if (error) return reject(error);
        statement.execute([]).on('error', reject).on('end', resolve);
      });
    });
    expect(statements).toEqual(['select ? as one']);
  });
});

test('an N+1 is found whatever form its placeholders have', async () => {
  const loops: readonly [string, (pool: mysqlPromise.Pool, id: number) => Promise<unknown>][] = [
    ['a list', (pool, id) => pool.execute('SELECT name FROM users WHERE id = ?', [id])],
    ['one value', (pool, id) => pool.query('SELECT name FROM users WHERE id = ?', id)],
    ['names', (pool, id) => pool.execute('SELECT name FROM users WHERE id = :id', { id })],
    [
      'names in options',
      (pool, id) => pool.query({ sql: 'SELECT name FROM users WHERE id = :id', values: { id } } as never),
    ],
    [
      'a list in options',
      (pool, id) => pool.execute({ sql: 'SELECT name FROM users WHERE id = ?', values: [id] }),
    ],
    [
      'a prepared statement',
      async (pool, id) => {
        const connection = await pool.getConnection();
        const statement = await connection.prepare('SELECT name FROM users WHERE id = ?');
        await statement.execute([id]);
        connection.release();
      },
    ],
  ];
  for (const [name, read] of loops) {
    const found: NPlusOneEvent[] = [];
    const metrics = createMetrics({
      service: 'test',
      runtime: false,
      db: { onNPlusOne: (event) => found.push(event) },
    });
    const pool = metrics.instrument(mysqlPromise.createPool({ ...options(), namedPlaceholders: true }));
    await metrics.http.run(metrics.http.begin('GET'), async () => {
      for (let id = 0; id < 12; id += 1) await read(pool, id);
    });
    expect([name, found.length]).toEqual([name, 1]);
    await pool.end();
    await metrics.close();
  }
});
