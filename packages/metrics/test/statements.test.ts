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

test('a value set by SET is hidden even where it is not quoted', () => {
  for (const text of ['SET app.user = s3cr3t', 'SET ROLE TO s3cr3t', 'SET search_path TO s3cr3t, b']) {
    expect(analyze(text, dialects.postgresql).text).not.toContain('s3cr3t');
  }
});

test('the memory of statements is bounded however many texts come', () => {
  const cache = new StatementCache((text) => analyze(text, dialects.postgresql));
  for (let index = 0; index < 5_000; index += 1) cache.get(`select ${index}`);
  expect(cache.size).toBe(1_000);
});
