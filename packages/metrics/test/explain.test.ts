import { startPostgres } from '@weir/test-kit';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createMetrics, type PlanEvent, type SlowQueryEvent } from '../src/index.ts';
import { endingOf } from './end-pool.ts';

let database: Awaited<ReturnType<typeof startPostgres>>;
let plans: pg.Pool;
let endPlans: () => Promise<void>;

beforeAll(async () => {
  database = await startPostgres();
  plans = new pg.Pool({ connectionString: database.url, max: 1 });
  endPlans = endingOf(plans);
  await plans.query('create table goods (id int primary key, "Kind" int, label text, price int)');
  await plans.query("insert into goods select i, i % 500, 'l' || i, i from generate_series(1, 20000) i");
  await plans.query('analyze goods');
});
afterAll(async () => {
  await endPlans();
  await database.stop();
});

async function planOf(
  text: string,
  values: unknown[] = [],
): Promise<{ events: PlanEvent[]; slow: SlowQueryEvent[] }> {
  const events: PlanEvent[] = [];
  const slow: SlowQueryEvent[] = [];
  const explain = { pool: plans, onPlan: (event: PlanEvent) => events.push(event) };
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    db: { slowQueryMs: 0, explain, onSlowQuery: (event) => slow.push(event) },
  });
  const client = metrics.instrument(new pg.Client(database.url));
  await client.connect();
  for (let index = 0; index < 3; index += 1) await client.query(text, values);
  await client.end();
  await metrics.close();
  return { events, slow };
}

test('a sequential scan gives a hint, the index that it names is created, and the hint is gone', async () => {
  const text = `SELECT * FROM goods WHERE "Kind" = $1 AND price > 10 AND label <> 's3cr3t'`;
  const before = await planOf(text, [7]);
  expect(before.events).toHaveLength(1);
  const [plan] = before.events;
  expect(plan?.nodes).toEqual(['Seq Scan on goods']);
  expect(plan?.hints).toMatchObject([
    { table: 'goods', rowsRead: 20_000, createIndex: 'CREATE INDEX CONCURRENTLY ON goods ("Kind", price)' },
  ]);
  expect(plan?.hints[0]?.rowsReturned).toBeLessThan(100);
  expect(JSON.stringify(before)).not.toContain('s3cr3t');

  await plans.query(plan?.hints[0]?.createIndex as string);
  const after = await planOf(text, [7]);
  expect(after.events[0]?.nodes).not.toContain('Seq Scan on goods');
  expect(after.events[0]?.hints).toEqual([]);
});

test('a scan that returns most of its table is right as it is', async () => {
  const { events } = await planOf('SELECT * FROM goods WHERE price > 0');
  expect(events).toMatchObject([{ nodes: ['Seq Scan on goods'], hints: [] }]);
});

test('writes, locks and several statements at once are never explained', async () => {
  expect((await planOf('UPDATE goods SET price = price WHERE label = $1', ['x'])).events).toEqual([]);
  expect((await planOf('SELECT * FROM goods WHERE label = $1 FOR UPDATE', ['x'])).events).toEqual([]);
  expect((await planOf("SELECT 1; DROP TABLE IF EXISTS nothing; SELECT ';'")).events).toEqual([]);
  expect(
    (await planOf('WITH gone AS (DELETE FROM goods WHERE id = -1 RETURNING id) SELECT * FROM gone')).events,
  ).toEqual([]);
});

test('a plan is asked for on a connection of its own, read-only, within timeouts, and never by running the statement', async () => {
  const sent: string[] = [];
  const released: unknown[] = [];
  const { promise: bothAnswered, resolve: tellBothAnswered } = Promise.withResolvers<void>();
  const pool = {
    connect: async () => {
      // The first plan is in flight until then, so the second statement is not explained.
      await bothAnswered;
      const client = await plans.connect();
      return {
        query: (text: string, values?: unknown[]) => {
          sent.push(text);
          return client.query(text, values);
        },
        release: (destroy?: boolean) => {
          released.push(destroy);
          client.release(destroy);
        },
      };
    },
  };
  const told: PlanEvent[] = [];
  const explain = { pool, onPlan: (event: PlanEvent) => told.push(event), timeoutMs: 700 };
  const metrics = createMetrics({ service: 'test', runtime: false, db: { slowQueryMs: 0, explain } });
  const client = metrics.instrument(new pg.Client(database.url));
  await client.connect();
  const seen: unknown[] = [];
  const { query } = client;
  client.query = ((...args: unknown[]) => {
    seen.push(args[0]);
    return (query as (...given: unknown[]) => unknown)(...args);
  }) as never;
  await client.query('SELECT count(*) FROM goods WHERE label = $1', ['x']);
  await client.query('SELECT nothing_of_the_kind FROM goods').catch(() => {});
  tellBothAnswered();
  await metrics.close();
  await client.end();
  await vi.waitUntil(() => sent.at(-1) === 'ROLLBACK' && released.length > 0, { timeout: 30_000 });
  expect(seen).toHaveLength(2);
  expect(told).toHaveLength(1);
  expect(sent[0]).toBe('BEGIN READ ONLY');
  expect(sent[1]).toMatch(/statement_timeout = 700; SET LOCAL lock_timeout = 700/);
  expect(sent.at(-1)).toBe('ROLLBACK');
  expect(sent.join()).not.toMatch(/analyze/i);
  expect(released).toEqual([false]);
});

test('a statement slow for the second time is told with its caller’s line', async () => {
  const { slow } = await planOf('SELECT 1');
  expect(slow[0]?.callSite).toBeUndefined();
  expect(slow[1]?.callSite).toMatch(/explain\.test\.ts:\d+:\d+$/);
});
