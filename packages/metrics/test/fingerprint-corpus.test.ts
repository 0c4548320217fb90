import { startPostgres } from '@weir/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dialects } from '../src/db/dialect.ts';
import { analyze } from '../src/db/statements.ts';
import { type CorpusGroup, corpus, differences, schema } from './statement-corpus.ts';

let database: Awaited<ReturnType<typeof startPostgres>>;
let client: pg.Client;

beforeAll(async () => {
  database = await startPostgres();
  client = new pg.Client(database.url);
  await client.connect();
  for (const statement of schema) await client.query(statement);
  await client.query('SET compute_query_id = on');
});
afterAll(async () => {
  await client.end();
  await database.stop();
});

/** PostgreSQL's query id, by which pg_stat_statements groups statements. */
async function queryId(text: string): Promise<string> {
  const { rows } = await client.query<{ 'QUERY PLAN': { 'Query Identifier': number }[] }>(
    `EXPLAIN (VERBOSE, FORMAT JSON) ${text}`,
  );
  return String(rows[0]?.['QUERY PLAN'][0]?.['Query Identifier']);
}

async function pairsOf(
  groups: readonly CorpusGroup[],
): Promise<{ text: string; theirs: string; ours: string }[]> {
  const found: { text: string; theirs: string; ours: string }[] = [];
  for (const text of groups.flatMap(({ same }) => same)) {
    found.push({ text, theirs: await queryId(text), ours: analyze(text, dialects.postgresql).fingerprint });
  }
  return found;
}

test('over at least 200 statements two have one fingerprint exactly where PostgreSQL gives them one query id', async () => {
  const entries = await pairsOf(corpus);
  expect(entries.length).toBeGreaterThanOrEqual(200);
  const disagreements: string[] = [];
  let compared = 0;
  for (const [index, one] of entries.entries()) {
    for (const other of entries.slice(index + 1)) {
      compared += 1;
      if ((one.theirs === other.theirs) !== (one.ours === other.ours))
        disagreements.push(`${one.text} | ${other.text}`);
    }
  }
  expect(disagreements).toEqual([]);
  const kinds = new Set(entries.map(({ ours }) => ours)).size;
  console.log(
    `${entries.length} statements of ${kinds} kinds, ${compared} pairs: full agreement with PostgreSQL’s query ids`,
  );
});

test('the query id that EXPLAIN tells is the one of pg_stat_statements', async () => {
  await client.query('SELECT pg_stat_statements_reset()');
  const text = 'SELECT name FROM products WHERE id = 1';
  await client.query(text);
  const { rows } = await client.query<{ queryid: string }>(
    "SELECT queryid FROM pg_stat_statements WHERE query LIKE 'SELECT name FROM products%'",
  );
  // JSON numbers lose the last digits of a 64-bit id.
  expect(rows.map(({ queryid }) => String(Number(queryid)))).toEqual([await queryId(text)]);
});

test('the differences that are documented are the differences there are', async () => {
  for (const group of differences) {
    const entries = await pairsOf([group]);
    const agrees =
      new Set(entries.map(({ theirs }) => theirs)).size === new Set(entries.map(({ ours }) => ours)).size;
    expect(`${group.same.join(' | ')}: ${agrees ? 'agrees' : 'differs'}`).toBe(
      `${group.same.join(' | ')}: differs`,
    );
  }
});
