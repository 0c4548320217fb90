import { DatabaseSync } from 'node:sqlite';
import { startMariadb, startPostgres } from '@weir/test-kit';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createMetrics, type Metrics, type NPlusOneEvent } from '../src/index.ts';
import { endingOf } from './end-pool.ts';

let server: Awaited<ReturnType<typeof startPostgres>>;
let metrics: Metrics;
const statements: string[] = [];
const repeated: NPlusOneEvent[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(() => {
  statements.length = 0;
  repeated.length = 0;
  metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: {
      slowQueryMs: 0,
      onSlowQuery: ({ statement }) => statements.push(statement),
      onNPlusOne: (event) => repeated.push(event),
    },
  });
});
afterEach(() => metrics.close());

const PLAIN = String.raw`SELECT 'C:\' AS a, 'opensesame' AS b`;
const ESCAPED = String.raw`SELECT 'it\'s' AS a, 'opensesame' AS b`;
const READ = 'select ? as a, ? as b';

test('a pool of pg reads strings as each of its sessions does', async () => {
  const pool = metrics.instrument(new pg.Pool({ connectionString: server.url, max: 1 }));
  const end = endingOf(pool);
  await pool.query(PLAIN);
  expect(statements.splice(0)).toEqual([READ]);
  await pool.query('SET standard_conforming_strings = off');
  statements.length = 0;
  expect((await pool.query(ESCAPED)).rows).toEqual([{ a: "it's", b: 'opensesame' }]);
  expect(statements.splice(0)).toEqual([READ]);
  await pool.query('RESET standard_conforming_strings');
  statements.length = 0;
  await pool.query(PLAIN);
  expect(statements).toEqual([READ]);
  await end();
});

/** Runs `query` a dozen times in one request. */
async function repeat(query: (id: number) => Promise<unknown>): Promise<void> {
  const exchange = metrics.http.begin('GET');
  await metrics.http.run(exchange, async () => {
    for (let id = 0; id < 12; id += 1) await query(id);
  });
  metrics.http.end(exchange, { statusCode: 200 });
}

const plainRead = (id: number): string =>
  String.raw`SELECT 1 WHERE 'C:\' <> ' FROM opensesame ' AND ${id} >= 0`;
const escapedRead = (id: number): string =>
  String.raw`SELECT 1 WHERE 'it\'s' <> ' FROM opensesame ' AND ${id} >= 0`;
const REPEATED = 'select ? where ? <> ? and ? >= ?';

test('an N+1 through a pool of pg whose sessions differ is reported as the session that ran it reads it', async () => {
  const pool = metrics.instrument(new pg.Pool({ connectionString: server.url, max: 2 }));
  const end = endingOf(pool);
  const [plain, escaped] = await Promise.all([pool.connect(), pool.connect()]);
  plain.release();
  await escaped.query('SET standard_conforming_strings = off');
  await repeat((id) => pool.query(plainRead(id)));
  await repeat((id) => pool.query(`${plainRead(id)} FOR UPDATE`));
  await plain.query('SET standard_conforming_strings = on');
  const lent = await pool.connect();
  escaped.release();
  await repeat((id) => pool.query(escapedRead(id)));
  lent.release();
  expect(repeated.map(({ statement }) => statement)).toEqual([REPEATED, REPEATED]);
  for (const { callSite } of repeated) expect(callSite).toMatch(/sessions\.test\.ts:\d+:\d+$/);
  expect((await metrics.scrape()).body).not.toContain('opensesame');
  await end();
});

test('a failure through a pool of pg before its session is known tells no literal', async () => {
  const pool = metrics.instrument(new pg.Pool({ connectionString: server.url, max: 1 }));
  const end = endingOf(pool);
  const held = await pool.connect();
  await held.query('SET standard_conforming_strings = off');
  pool.options.connectionTimeoutMillis = 1;
  await expect(pool.query(plainRead(1))).rejects.toThrow('timeout');
  held.release();
  const { body } = await metrics.scrape();
  expect(body).toContain('weir_db_failed_queries_total{');
  expect(body).not.toContain('opensesame');
  await end();
});

test('N+1s and failures through a pool of mysql2 whose sessions change tell no literal', async () => {
  const mariadb = await startMariadb();
  const pool = metrics.instrument(
    mysql.createPool({
      socketPath: mariadb.socketPath,
      user: 'root',
      connectionLimit: 1,
      waitForConnections: false,
    }),
  );
  for (const [mode, read] of [
    ['NO_BACKSLASH_ESCAPES', plainRead],
    ['', escapedRead],
  ] as const) {
    await pool.query(`SET SESSION sql_mode = '${mode}'`);
    await repeat((id) => pool.query(read(id)));
    const held = await pool.getConnection();
    await expect(pool.query(read(0))).rejects.toThrow('No connections');
    held.release();
  }
  expect(repeated.map(({ statement }) => statement)).toEqual([REPEATED, REPEATED]);
  const { body } = await metrics.scrape();
  expect(body).toContain('weir_db_failed_queries_total{db_system_name="mariadb"');
  expect(body).not.toContain('opensesame');
  await pool.end();
  await mariadb.stop();
});

test('a role whose default is standard_conforming_strings off is heard of when its client connects', async () => {
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query("CREATE ROLE old LOGIN SUPERUSER PASSWORD 'old'");
  await admin.query('ALTER ROLE old SET standard_conforming_strings = off');
  await admin.end();
  const url = new URL(server.url);
  url.username = 'old';
  url.password = 'old';
  const client = metrics.instrument(new pg.Client(url.href));
  await client.connect();
  await client.query(ESCAPED);
  expect(statements).toEqual([READ]);
  await client.end();
});

test('what depends on a setting that was not heard of is hidden', async () => {
  const client = new pg.Client(server.url);
  await client.connect();
  metrics.instrument(client);
  await client.query(PLAIN);
  expect(statements.splice(0)).toEqual(['select ?']);
  // Sent concurrently.
  await Promise.all([client.query('SET standard_conforming_strings = off'), client.query(ESCAPED)]);
  expect(statements.join('\n')).not.toContain('opensesame');
  await client.end();
});

test.each([false, true])(
  'SQLite with double-quoted strings %s shows its names and hides its strings',
  (enableDoubleQuotedStringLiterals) => {
    const database = metrics.instrument(new DatabaseSync(':memory:', { enableDoubleQuotedStringLiterals }));
    database.exec('CREATE TABLE "t" ("name" TEXT, "other" TEXT)');
    statements.length = 0;
    const run = (text: string): string => {
      try {
        database.prepare(text).all();
      } catch {
        return 'refused';
      }
      return statements.pop() as string;
    };
    expect(run('SELECT "t"."name" FROM "t" WHERE "t"."other" = \'x\'')).toBe(
      'select "t"."name" from "t" where "t"."other" = ?',
    );
    const names = run('SELECT "name" FROM "t" WHERE "other" = 5');
    const strings = [
      'SELECT "opensesame"',
      'SELECT "name" FROM "t" WHERE "name" > "opensesame"',
      'SELECT upper("opensesame") FROM t ORDER BY "opensesame"',
    ].map(run);
    if (enableDoubleQuotedStringLiterals) {
      expect(names).toBe('select ? from "t" where ? = ?');
      expect(strings).toEqual([
        'select ?',
        'select ? from "t" where ? > ?',
        'select upper (?) from t order by ?',
      ]);
    } else {
      expect(names).toBe('select "name" from "t" where "other" = ?');
      expect(strings).toEqual(['refused', 'refused', 'refused']);
    }
    const expressions = [
      'SELECT name FROM t WHERE name IS DISTINCT FROM "opensesame"',
      'SELECT name FROM "t" WHERE name is not distinct /**/ from "opensesame"',
      'VACUUM INTO "/opensesame/t"',
      'VACUUM main INTO "/opensesame/t"',
    ];
    if (enableDoubleQuotedStringLiterals) {
      for (const text of expressions) {
        try {
          database.exec(text);
        } catch {}
        expect(statements.pop(), text).not.toContain('opensesame');
      }
    }
    expect(run('INSERT OR REPLACE INTO "t" SELECT DISTINCT name, other FROM "t"')).toBe(
      'insert or replace into "t" select distinct name, other from "t"',
    );
    // A script counts whether it fails or not.
    try {
      database.exec('INSERT INTO t VALUES ("opensesame", 1)');
    } catch {}
    expect(statements.pop()).toBe('insert into t values (...)');
  },
);

test('a database that is opened later is asked how it reads double quotes when it is open', () => {
  const database = metrics.instrument(
    new DatabaseSync(':memory:', { open: false, enableDoubleQuotedStringLiterals: true }),
  );
  expect(() => database.prepare('SELECT 1')).toThrow();
  database.open();
  database.prepare('SELECT "opensesame"').all();
  expect(statements).toEqual(['select ?']);
});
