import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dialects, type SqlSystem } from '../src/db/dialect.ts';
import { analyze, StatementCache } from '../src/db/statements.ts';
import { forms, shells } from './literal-forms.ts';

const summaries: readonly [SqlSystem, string, string][] = [
  [
    'postgresql',
    'SELECT * FROM Orders o JOIN "order items" i ON i.order_id = o.id',
    'SELECT Orders "order items"',
  ],
  [
    'postgresql',
    'select a from public.t1, t2 x, t3 where a in (select b from u)',
    'select public.t1 t2 t3 select u',
  ],
  [
    'postgresql',
    'INSERT INTO shipping (a, b) SELECT a, b FROM orders ON CONFLICT DO UPDATE SET a = 1',
    'INSERT shipping SELECT orders',
  ],
  [
    'postgresql',
    'WITH recent AS (SELECT id FROM orders), x (a) AS (SELECT 1) SELECT * FROM recent JOIN users USING (id)',
    'SELECT orders SELECT SELECT users',
  ],
  ['postgresql', 'UPDATE ONLY accounts SET n = n + 1 WHERE id = 4 RETURNING *', 'UPDATE accounts'],
  ['postgresql', 'DELETE FROM a USING b WHERE a.id = b.id', 'DELETE a b'],
  [
    'postgresql',
    "SELECT extract(epoch FROM ts), trim(both 'x' from y) FROM t WHERE a IS DISTINCT FROM b",
    'SELECT t',
  ],
  ['postgresql', 'SELECT id FROM jobs FOR UPDATE SKIP LOCKED', 'SELECT jobs'],
  ['postgresql', 'CREATE TABLE IF NOT EXISTS app.users (id int)', 'CREATE app.users'],
  ['postgresql', 'DROP INDEX CONCURRENTLY idx_a', 'DROP idx_a'],
  ['postgresql', '-- hi\n/* a /* nested */ b */ BEGIN', 'BEGIN'],
  ['postgresql', "SET app.token = 'abc'", 'SET'],
  ['postgresql', 'EXPLAIN ANALYZE SELECT 1 FROM t', 'EXPLAIN SELECT t'],
  ['mysql', 'REPLACE INTO `my table` VALUES (1, "x")', 'REPLACE `my table`'],
  ['mysql', "INSERT IGNORE INTO t SET a = 'it\\'s' # c", 'INSERT t'],
  ['sqlite', 'INSERT OR REPLACE INTO "t" VALUES ("text")', 'INSERT "t"'],
  ['sqlite', 'PRAGMA journal_mode = WAL', 'PRAGMA journal_mode'],
];

test.each(summaries)('%s: the summary of «%s» is «%s»', (system, text, summary) => {
  expect(analyze(text, dialects[system]).summary).toBe(summary);
});

test('a summary is at most 255 characters and ends with a whole name', () => {
  const names = Array.from({ length: 60 }, (_, index) => `table_${index}`);
  const { summary } = analyze(`SELECT 1 FROM ${names.join(', ')}`, dialects.postgresql);
  expect(summary.length).toBeLessThanOrEqual(255);
  expect(names).toContain(summary.split(' ').at(-1));
});

const same: readonly [SqlSystem, string, string][] = [
  ['postgresql', 'select * from t where id = 1', 'SELECT  *\nFROM t /* c */ WHERE id = -22.5e3'],
  ['postgresql', 'select * from t where id = $1', 'select * from t where id = 7'],
  ['postgresql', 'select * from t where id in (1)', 'select * from t where id in ($1, $2, $3)'],
  ['postgresql', 'insert into t values (1, 2)', "insert into t values (3, 'x'), (5, null), (7, default)"],
  ['postgresql', 'select $tag$ a $$ b $tag$', "select E'a\\'b'"],
  ['postgresql', "select 'a'\n'b'", "select 'c'"],
  ['postgresql', 'select a from t where b = true', 'select a from t where b = false;'],
  ['mysql', 'select * from t where a = "x"', "select * from t where a = 'y\\''"],
  ['postgresql', 'select 1 where a!=2', 'select 1 where a <> 3'],
  ['postgresql', "select 1 where a ~~ 'x'", "select 1 where a like 'y'"],
  ['postgresql', "select 1 where a !~~* 'x'", "select 1 where a not ilike 'y'"],
  ['mysql', 'select 1 where a!=2 && b', 'select 1 where a<>3 and b'],
  ['sqlite', 'select 1 where a==2', 'select 1 where a = ?'],
  ['postgresql', 'select 1 where a=any(array[1,2,3])', 'select 1 where a = any ( array [ 4 ] )'],
  ['postgresql', 'select 1 where (a, b) in ((1, 2), (3, 4))', 'select 1 where (a, b) in ((1, 2))'],
  ['postgresql', 'select 1 where a in ($1::uuid, $2::uuid)', "select 1 where a in ('x'::uuid)"],
  ['postgresql', 'insert into t values (1, now()), (2, now())', 'insert into t values ($1, now())'],
  [
    'postgresql',
    'insert into t values (1, 2), (3, 4) on conflict do nothing',
    'insert into t values (1, 2) on conflict do nothing',
  ],
  ['mysql', 'insert into t values row(1, 2), row(3, 4)', 'insert into t values row(?, ?)'],
  [
    'mysql',
    'insert into t values (1, 2), (3, 4) on duplicate key update a = values(a)',
    'insert into t values (1, 2) on duplicate key update a = values(a)',
  ],
  ['sqlite', 'select * from t where a = "x"', 'select * from t where a = :name'],
];

test.each(same)('%s: «%s» and «%s» are one statement', (system, one, other) => {
  expect(analyze(one, dialects[system]).fingerprint).toBe(analyze(other, dialects[system]).fingerprint);
});

const different: readonly [SqlSystem, string, string][] = [
  ['postgresql', 'select a from t', 'select b from t'],
  ['postgresql', 'select "A" from t', 'select "a" from t'],
  ['postgresql', 'select a - 1 from t', 'select a + 1 from t'],
  ['postgresql', 'select a from t where b is null', 'select a from t where b is not null'],
  ['postgresql', "select data -> 'a' from t", "select data ->> 'a' from t"],
  ['sqlite', 'select "a" from "t" where "t"."b" = 1', 'select "a" from "t" where "t"."c" = 1'],
];

test.each(different)('%s: «%s» and «%s» are two statements', (system, one, other) => {
  expect(analyze(one, dialects[system]).fingerprint).not.toBe(analyze(other, dialects[system]).fingerprint);
});

describe.each(Object.keys(forms) as (keyof typeof forms)[])('%s', (system) => {
  const secret = fc.stringMatching(/^[a-zA-Z0-9_@.!#%é ]{0,12}$/).map((text) => `s3cr3t${text}X`);

  test('no secret survives in any literal form, whole or cut off anywhere', () => {
    fc.assert(
      fc.property(
        secret,
        fc.constantFrom(...forms[system]),
        fc.constantFrom(...shells),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (value, form, shell, at) => {
          const text = shell(form(value));
          for (const candidate of [text, text.slice(0, Math.floor(at * text.length))]) {
            const statement = analyze(candidate, dialects[system]);
            expect(`${statement.text} ${statement.summary}`).not.toContain('s3cr3t');
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('a random number of eight digits survives in no form', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10_000_000, max: 99_999_999 }),
        fc.constantFrom(...shells),
        (value, shell) => {
          for (const literal of [
            `${value}`,
            `-${value}`,
            `0x${value}`,
            `${value}.${value}e-3`,
            `.${value}`,
            `+${value}`,
          ]) {
            const statement = analyze(shell(literal), dialects[system]);
            expect(`${statement.text} ${statement.summary}`).not.toContain(String(value));
          }
        },
      ),
    );
  });

  test('any text at all is analysed without an exception', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom(...'\'"`$[](){}\\/*-#;:,.?@ aAeExX01_\n'.split('')),
          maxLength: 60,
        }),
        (text) => {
          const statement = analyze(text, dialects[system]);
          expect(statement.fingerprint).toMatch(/^[0-9a-f]{16}$/);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

test.each<[SqlSystem, string, string]>([
  ['postgresql', 'SET app.user = s3cr3t', 'set app.user = ?'],
  ['postgresql', 'SET app.user = "s3cr3t"', 'set app.user = ?'],
  ['postgresql', 'SET ROLE s3cr3t', 'set role ?'],
  ['postgresql', 'SET LOCAL search_path TO s3cr3t, b', 'set local search_path to ?, ?'],
  ['postgresql', 'SET SESSION AUTHORIZATION s3cr3t', 'set session authorization ?'],
  ['postgresql', 'SET TIME ZONE s3cr3t; SELECT a FROM t', 'set time zone ?; select a from t'],
  ['postgresql', 'SELECT 1; SET app.user TO s3cr3t', 'select ?; set app.user to ?'],
  ['postgresql', 'ALTER ROLE app SET app.token = s3cr3t', 'alter role app set app.token = ?'],
  ['postgresql', 'SAVEPOINT s3cr3t', 'savepoint ?'],
  ['postgresql', 'ROLLBACK TO SAVEPOINT "s3cr3t"', 'rollback to savepoint ?'],
  ['postgresql', 'ROLLBACK WORK TO s3cr3t', 'rollback work to ?'],
  ['postgresql', 'ROLLBACK AND NO CHAIN', 'rollback and no chain'],
  ['postgresql', 'PREPARE s3cr3t (int) AS SELECT $1', 'prepare ? (int) as select ?'],
  ['postgresql', "EXECUTE s3cr3t (5, 'a')", 'execute ? (?, ?)'],
  ['postgresql', 'DEALLOCATE PREPARE s3cr3t', 'deallocate prepare ?'],
  ['postgresql', 'DEALLOCATE ALL', 'deallocate all'],
  ['postgresql', 'DECLARE s3cr3t CURSOR FOR SELECT a FROM t', 'declare ? cursor for select a from t'],
  ['postgresql', 'FETCH FORWARD 100 FROM s3cr3t', 'fetch forward ? from ?'],
  ['postgresql', 'CLOSE s3cr3t', 'close ?'],
  ['postgresql', 'DELETE FROM t WHERE CURRENT OF s3cr3t', 'delete from t where current of ?'],
  ['postgresql', 'LISTEN s3cr3t', 'listen ?'],
  ['postgresql', "NOTIFY s3cr3t, 'payload'", 'notify ?, ?'],
  ['mysql', 'RELEASE SAVEPOINT `s3cr3t`', 'release savepoint ?'],
  ['mysql', 'SET NAMES s3cr3t', 'set names ?'],
  ['mysql', 'SET @a = 5, @b = s3cr3t', 'set ? = ?, ? = ?'],
  ['mysql', 'CREATE USER app IDENTIFIED BY s3cr3t', 'create user app identified by ?'],
  ['sqlite', 'RELEASE s3cr3t', 'release ?'],
  ['sqlite', 'PRAGMA key = s3cr3t', 'pragma key = ?'],
  ['sqlite', 'PRAGMA key("s3cr3t")', 'pragma key (?)'],
  ['sqlite', "ATTACH 'file' AS s3cr3t KEY s3cr3t", 'attach ? as ? key ?'],
  ['sqlite', 'CREATE TABLE t (a TEXT DEFAULT s3cr3t)', 'create table t (a text default ?)'],
])('%s: words that are data are hidden where nothing quotes them: «%s»', (system, text, shown) => {
  const statement = analyze(text, dialects[system]);
  expect([statement.text, statement.summary.includes('s3cr3t')]).toEqual([shown, false]);
});

test.each<[SqlSystem, string, string]>([
  ['postgresql', String.raw`SELECT 'C:\' AS a, 's3cr3t'`, 'select ?'],
  ['mysql', String.raw`SELECT a FROM t WHERE b = "a\" OR c = "s3cr3t"`, 'select a from t where b = ?'],
  ['mysql', "SELECT /*!50000 'a */ s3cr3t', */ 'b'", 'select ?'],
  ['mysql', 'SELECT 1 /* a /* b */ s3cr3t */', 'select ? ?'],
  ['mysql', 'SELECT $$s3cr3t$$', 'select ?'],
  ['mysql', "SELECT [it's], 's3cr3t'", 'select ?'],
  ['postgresql', "SELECT `it's`, 's3cr3t'", 'select ?'],
  ['postgresql', "SELECT q'[it's s3cr3t]'", 'select ?'],
  ['postgresql', "SELECT a, \\ 's3cr3t'", 'select a, ?'],
  ['postgresql', "SELECT 1 -- don't\r's3cr3t'", 'select ? ?'],
  ['sqlite', "SELECT $a(it's), 's3cr3t'", 'select ?'],
  ['sqlite', 'SELECT 1 \0 s3cr3t', 'select ? ?'],
])('%s: what could be read in two ways is hidden with all that follows: «%s»', (system, text, shown) => {
  expect(analyze(text, dialects[system]).text).toBe(shown);
});

test.each([100, 3_000, 40_000, 200_000])(
  'a bulk statement of %i rows has the fingerprint of one of a single row',
  (rows) => {
    const bulk = (row: (index: number) => string, count: number): string =>
      `INSERT INTO t (a, b, c) VALUES ${Array.from({ length: count }, (_, index) => row(index)).join(', ')}`;
    for (const row of [
      (index: number) => `(${index * 7919}, 'v${'x'.repeat(index % 13)}', NULL)`,
      (index: number) => `(${index * 7919}, now(), ARRAY[${index}, 2])`,
    ]) {
      const one = analyze(bulk(row, 1), dialects.postgresql).fingerprint;
      expect(analyze(bulk(row, rows), dialects.postgresql).fingerprint).toBe(one);
    }
    const list = (count: number): string =>
      `SELECT a FROM t WHERE id IN (${Array.from({ length: count }, (_, index) => index * 7919)})`;
    expect(analyze(list(rows), dialects.postgresql).fingerprint).toBe(
      analyze(list(1), dialects.postgresql).fingerprint,
    );
  },
);

test('the memory of statements is bounded however many texts come', () => {
  const cache = new StatementCache((text) => analyze(text, dialects.postgresql));
  for (let index = 0; index < 5_000; index += 1) cache.get(`select ${index}`);
  expect(cache.size).toBe(1_000);
});

test('long texts are remembered too, within a bound of their own characters', () => {
  let made = 0;
  const cache = new StatementCache((text) => {
    made += 1;
    return text.length;
  });
  const short = 'select 1';
  cache.get(short);
  const long = 'x'.repeat(100_000);
  for (let times = 0; times < 3; times += 1) expect(cache.get(long)).toBe(100_000);
  expect(made).toBe(2);
  for (let index = 0; index < 200; index += 1) cache.get(`${index} ${long}`);
  cache.get('y'.repeat(5_000_000));
  expect(cache.longCharacters).toBeLessThanOrEqual(4_194_304);
  expect(cache.longCharacters).toBeGreaterThan(4_000_000);
  made = 0;
  cache.get(short);
  expect(made).toBe(0);
});
