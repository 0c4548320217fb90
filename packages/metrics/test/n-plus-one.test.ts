import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { createMetrics, type NPlusOneEvent } from '../src/index.ts';

type Run = (text: string, values?: unknown) => unknown;

/** A client shaped like node-postgres that answers immediately. */
const client = () => ({ connectionParameters: {}, query: async () => ({ rowCount: 1 }) });

/** Findings of one request that calls `handler` with a way to run statements. */
async function findingsOf(handler: (run: Run) => void, threshold = 10): Promise<readonly NPlusOneEvent[]> {
  const found: NPlusOneEvent[] = [];
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { nPlusOneThreshold: threshold, onNPlusOne: (event) => found.push(event) },
  });
  const instrumented = metrics.instrument(client()) as unknown as { query: Run };
  const exchange = metrics.http.begin('GET');
  metrics.http.run(exchange, () => handler((text, values) => instrumented.query(text, values)));
  metrics.http.end(exchange, { statusCode: 200 });
  await metrics.close();
  return found;
}

const each = (times: number, run: (index: number) => void): void => {
  for (let index = 0; index < times; index += 1) run(index);
};
const ids = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => from + index);
const places = (count: number): string =>
  ids(1, count)
    .map((place) => `$${place}`)
    .join(', ');

const reported: readonly [string, (run: Run, index: number) => void][] = [
  ['a row by its key', (run, id) => run('SELECT * FROM t WHERE id = $1', [id])],
  ['a row by its key, written out', (run, id) => run(`SELECT * FROM t WHERE id = ${id}`)],
  [
    'a first page, as Prisma reads one row',
    (run, id) => run('SELECT * FROM t WHERE (id = $1 AND 1=1) LIMIT $2 OFFSET $3', [id, 1, 0]),
  ],
  ['a first page, written out', (run, id) => run(`SELECT * FROM t WHERE id = '${id}' LIMIT 1 OFFSET 0`)],
  [
    'the latest of each',
    (run, id) => run('SELECT * FROM t WHERE owner = $1 ORDER BY created DESC LIMIT 1', [id]),
  ],
  [
    'the latest of each before a time',
    (run, id) => run('SELECT * FROM t WHERE owner = $1 AND created < $2 ORDER BY created LIMIT 1', [id, 5]),
  ],
  [
    'the first of each by FETCH FIRST',
    (run, id) => run('SELECT * FROM t WHERE owner = $1 ORDER BY id FETCH FIRST $2 ROWS ONLY', [id, 1]),
  ],
  [
    'a limited subquery of each',
    (run, id) => run('SELECT * FROM (SELECT * FROM t LIMIT 5) s WHERE s.id = $1', [id]),
  ],
  ['a list of one', (run, id) => run('SELECT * FROM t WHERE id IN ($1)', [id])],
  ['a list of few', (run, id) => run('SELECT * FROM t WHERE id = ANY($1)', [[id, id + 1, id + 2]])],
  [
    'a document',
    (run, id) =>
      run('SELECT * FROM t WHERE data @> $1', [
        `{"a":${id},"b":1,"c":2,"d":3,"e":4,"f":5,"g":6,"h":7,"i":8,"j":9,"k":10}`,
      ]),
  ],
];

test.each(reported)('%s in a loop is an N+1', async (_name, read) => {
  const found = await findingsOf((run) => each(12, (index) => read(run, index)));
  expect(found).toHaveLength(1);
});

const leftAlone: readonly [string, (run: Run, index: number) => void][] = [
  ['a page by OFFSET', (run, page) => run('SELECT * FROM t ORDER BY id LIMIT $1 OFFSET $2', [10, page * 10])],
  [
    'a page by OFFSET, written out',
    (run, page) => run(`SELECT * FROM t ORDER BY id LIMIT 10 OFFSET ${page * 10}`),
  ],
  [
    'a page by OFFSET and FETCH',
    (run, page) => run('SELECT * FROM t ORDER BY id OFFSET $1 ROWS FETCH NEXT 10 ROWS ONLY', [page]),
  ],
  [
    'a page of one owner',
    (run, page) => run('SELECT * FROM t WHERE owner = $1 LIMIT $2::int OFFSET ($3)', [7, 10, page]),
  ],
  ['a page after a key', (run, last) => run('SELECT * FROM t WHERE id > $1 ORDER BY id LIMIT 10', [last])],
  [
    'a page after a key, written out',
    (run, last) => run(`SELECT * FROM t WHERE id > ${last} ORDER BY id LIMIT 10`),
  ],
  [
    'a page after a key of two columns',
    (run, last) =>
      run('SELECT * FROM t WHERE (created, id) < ($1::timestamptz, $2) ORDER BY created, id LIMIT 10', [
        `${last}`,
        last,
      ]),
  ],
  ['the same row', (run) => run('SELECT * FROM t WHERE id = $1', [1])],
  ['a chunk by ANY', (run, chunk) => run('SELECT * FROM t WHERE id = ANY($1)', [ids(chunk * 500, 500)])],
  [
    'a chunk by ANY of a typed array',
    (run, chunk) => run('SELECT * FROM t WHERE id = ANY($1)', [Int32Array.from(ids(chunk, 50))]),
  ],
  [
    'a chunk by ANY of a written array',
    (run, chunk) => run('SELECT * FROM t WHERE id = ANY($1)', [`{${ids(chunk, 50)}}`]),
  ],
  ['a chunk by a list', (run, chunk) => run(`SELECT * FROM t WHERE id IN (${places(10)})`, ids(chunk, 10))],
  ['a chunk by a list, written out', (run, chunk) => run(`SELECT * FROM t WHERE id IN (${ids(chunk, 100)})`)],
  [
    'a chunk by ARRAY',
    (run, chunk) => run(`SELECT * FROM t WHERE id = ANY(ARRAY[${places(20)}])`, ids(chunk, 20)),
  ],
  [
    'a chunk by rows of two columns',
    (run, chunk) => run(`SELECT * FROM t WHERE (a, b) IN (${ids(chunk, 10).map((id) => `(${id}, 1)`)})`),
  ],
  [
    'a chunk by VALUES',
    (run, chunk) =>
      run(`SELECT * FROM t JOIN (VALUES ${ids(chunk, 10).map((id) => `(${id})`)}) v (id) USING (id)`),
  ],
  [
    'a chunk in JSON',
    (run, chunk) =>
      run('SELECT * FROM t, json_array_elements($1) e WHERE t.id = e', [JSON.stringify(ids(chunk, 50))]),
  ],
  ['a write', (run, id) => run('UPDATE t SET a = 1 WHERE id = $1', [id])],
  ['a locking read', (run, id) => run('SELECT * FROM t WHERE id = $1 FOR UPDATE', [id])],
];

test.each(leftAlone)('%s in a loop is no N+1', async (_name, read) => {
  expect(await findingsOf((run) => each(30, (index) => read(run, index)))).toEqual([]);
});

test.each([2, 3, 10, 50])(
  'with a threshold of %i as many different values are an N+1, and one less are none',
  async (threshold) => {
    const loop = (times: number, different: number) => (run: Run) =>
      each(times, (index) => run('SELECT * FROM t WHERE id = $1', [index % different]));
    expect(await findingsOf(loop(threshold, threshold), threshold)).toHaveLength(1);
    expect(await findingsOf(loop(threshold * 3, threshold - 1), threshold)).toEqual([]);
  },
);

test('values of any kind are told apart, or taken for the same, without an exception', async () => {
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const hostile = {
    toJSON: () => {
      throw new Error('no');
    },
  };
  for (const value of [
    cyclic,
    hostile,
    Object.create(null),
    5n,
    Symbol('s'),
    new Date(Number.NaN),
    undefined,
  ])
    expect(await findingsOf((run) => each(12, () => run('SELECT $1', [value])))).toEqual([]);
  for (const make of [
    (n: number) => BigInt(n),
    (n: number) => new Date(n),
    (n: number) => Buffer.from([n]),
    (n: number) => ({ n }),
    (n: number) => 'x'.repeat(1_000 + n),
  ])
    expect(await findingsOf((run) => each(12, (index) => run('SELECT $1', [make(index)])))).toHaveLength(1);
});

describe('SQLite', () => {
  const inRequest = (use: (database: DatabaseSync) => void): number => {
    let found = 0;
    const metrics = createMetrics({
      service: 'test',
      runtime: false,
      db: {
        onNPlusOne: () => {
          found += 1;
        },
      },
    });
    const database = metrics.instrument(new DatabaseSync(':memory:'));
    database.exec('CREATE TABLE t (id INT)');
    metrics.http.run(metrics.http.begin('GET'), () => use(database));
    void metrics.close();
    return found;
  };
  const loop =
    (text: string, valuesOf: (index: number) => readonly unknown[]) =>
    (database: DatabaseSync): void => {
      const statement = database.prepare(text);
      each(12, (index) => statement.all(...(valuesOf(index) as never[])));
    };

  test.each<[string, (index: number) => readonly unknown[]]>([
    ['SELECT * FROM t WHERE id = ?', (id) => [id]],
    ['SELECT * FROM t WHERE id = ?1', (id) => [id]],
    ['SELECT * FROM t WHERE id = :id', (id) => [{ id }]],
    ['SELECT * FROM t WHERE id = $id LIMIT @lim', (id) => [{ $id: id, '@lim': 1 }]],
    ['SELECT * FROM t WHERE id = :id AND id > ?', (id) => [{ id }, 1]],
  ])('%s in a loop is an N+1', (text, valuesOf) => {
    expect(inRequest(loop(text, valuesOf))).toBe(1);
  });

  test.each<[string, (index: number) => readonly unknown[]]>([
    ['SELECT * FROM t ORDER BY id LIMIT :lim OFFSET :off', (page) => [{ lim: 10, off: page }]],
    ['SELECT * FROM t ORDER BY id LIMIT ?, ?', (page) => [page, 10]],
    ['SELECT * FROM t WHERE id > @last ORDER BY id LIMIT 5', (last) => [{ '@last': last }]],
    [
      'SELECT * FROM t WHERE id IN (SELECT value FROM json_each(?))',
      (chunk) => [JSON.stringify(ids(chunk, 50))],
    ],
  ])('%s in a loop is no N+1', (text, valuesOf) => {
    expect(inRequest(loop(text, valuesOf))).toBe(0);
  });
});
