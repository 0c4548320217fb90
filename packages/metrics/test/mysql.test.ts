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
