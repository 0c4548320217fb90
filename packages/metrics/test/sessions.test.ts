import { DatabaseSync } from 'node:sqlite';
import { startPostgres } from '@weir/test-kit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createMetrics, type Metrics } from '../src/index.ts';
import { endingOf } from './end-pool.ts';

let server: Awaited<ReturnType<typeof startPostgres>>;
let metrics: Metrics;
const statements: string[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(() => {
  statements.length = 0;
  metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { slowQueryMs: 0, onSlowQuery: ({ statement }) => statements.push(statement) },
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
