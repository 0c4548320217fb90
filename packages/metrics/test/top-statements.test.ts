import { createManualClock, seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { samplesOf } from './samples.ts';

const BUDGET = 3;
const OTHER = '_OTHER';

/** A database with a settable duration, and a scraper that sums the growth of each series. */
function setUp() {
  const clock = createManualClock();
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    clock,
    db: { maxStatements: BUDGET },
  });
  let takesMs = 0;
  const client = metrics.instrument({
    connectionParameters: {},
    query: (_text: string, answer: (error: null, result: object) => void) => {
      clock.advance(takesMs);
      answer(null, {});
    },
  });
  let executed = 0;
  const run = (table: string, durationMs: number, times = 1): void => {
    takesMs = durationMs;
    for (let index = 0; index < times; index += 1) client.query(`select * from ${table}`, () => {});
    executed += times;
  };
  const seen = new Map<string, number>();
  const present = new Map<string, number>();
  let increased = 0;
  const scrape = async (): Promise<string[]> => {
    present.clear();
    for (const [name, count] of await samplesOf(metrics)) {
      const table =
        /^db_client_operation_duration_seconds_count\{.*db_query_summary="(?:select )?(\w+)"/.exec(name)?.[1];
      if (table === undefined) continue;
      expect(count).toBeGreaterThanOrEqual(present.get(table) ?? 0);
      present.set(table, count);
    }
    for (const [table, count] of present) {
      const before = seen.get(table) ?? 0;
      // As in Prometheus, a lower counter means a restart from 0.
      increased += count < before ? count : count - before;
      seen.set(table, count);
    }
    for (const table of seen.keys()) if (!present.has(table)) seen.delete(table);
    expect(present.size).toBeLessThanOrEqual(BUDGET + 1);
    return [...present.keys()].filter((table) => table !== OTHER).sort();
  };
  return { clock, metrics, run, scrape, present, executed: () => executed, increased: () => increased };
}

test('statements that take the most time have the series, whoever came first, and each execution counts in one of them', async () => {
  const { clock, metrics, run, scrape, present, executed, increased } = setUp();
  run('first', 1, 10);
  run('second', 2, 10);
  run('third', 3, 10);
  for (let minute = 0; minute < 20; minute += 1) {
    run('heavy', 40, 20);
    run('third', 30, 20);
    run('first', 1, 2);
    run('rare', 1);
    clock.advance(15_000);
    const tables = await scrape();
    expect(increased()).toBe(executed());
    // A displaced series stays for a while, unchanged.
    if (minute === 1) expect([tables, present.get('first')]).toEqual([['first', 'second', 'third'], 12]);
  }
  expect(await scrape()).toEqual(['heavy', 'second', 'third']);
  const before = present.get('heavy') ?? 0;
  run('heavy', 40, 5);
  await scrape();
  expect(present.get('heavy')).toBe(before + 5);
  await metrics.close();
});

test('a displaced statement that grows heavy again in time goes on with the series it had', async () => {
  const { clock, metrics, run, scrape, present } = setUp();
  for (const table of ['first', 'second', 'third']) run(table, 5, 10);
  run('heavy', 40, 20);
  clock.advance(10_000);
  await scrape();
  expect(present.get('first')).toBe(10);
  run('first', 100, 20);
  clock.advance(10_000);
  await scrape();
  run('first', 100, 5);
  await scrape();
  expect(present.get('first')).toBe(15);
  expect(present.get(OTHER)).toBe(40);
  // It owns the series again, and keeps it past the end of its grace period.
  clock.advance(130_000);
  await scrape();
  run('first', 100, 5);
  await scrape();
  expect(present.get('first')).toBe(20);
  await metrics.close();
});

test('a flood of statements that come once displaces nobody', async () => {
  const { clock, metrics, run, scrape, present, executed, increased } = setUp();
  const random = seededRandom(3);
  for (let round = 0; round < 40; round += 1) {
    for (const table of ['first', 'second', 'third']) run(table, 10, 5);
    for (let index = 0; index < 200; index += 1) run(`t${Math.floor(random() * 1e12).toString(36)}`, 12);
    clock.advance(15_000);
    expect(await scrape()).toEqual(['first', 'second', 'third']);
  }
  expect(present.get(OTHER)).toBe(8_000);
  expect(increased()).toBe(executed());
  await metrics.close();
});
