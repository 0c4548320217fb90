import { type PostgresDatabase, type RedisServer, startPostgres, startRedis } from '@weir/test-kit';
import { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConditionName, conditions, provoke } from '../src/conditions.ts';
import { readConfig } from '../src/config.ts';
import { type Shop, startShop } from '../src/shop.ts';

let database: PostgresDatabase;
let redis: RedisServer;
let pool: Pool;
let shops: Shop[] = [];

beforeAll(async () => {
  [database, redis] = await Promise.all([startPostgres(), startRedis()]);
  const config = readConfig({
    PORT: '0',
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    LOG_LEVEL: 'silent',
  });
  shops = await Promise.all([startShop(config), startShop(config)]);
  pool = new Pool({ connectionString: database.url, max: 1 });
});

afterAll(async () => {
  redis?.resume();
  await pool?.end();
  await Promise.all(shops.map((shop) => shop.close()));
  await redis?.stop();
  await database?.stop();
});

type Ask = (path: string, init?: RequestInit) => Promise<Response>;
const askShop =
  (index: number): Ask =>
  (path, init) =>
    fetch(`${shops[index]?.url}${path}`, init);
const [first, second] = [askShop(0), askShop(1)];

const putStock = (id: number, stock: number) =>
  first(`/products/${id}/stock`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ stock }),
  });

async function stockAt(ask: Ask, id: number): Promise<number> {
  const { stock } = (await (await ask(`/products/${id}`)).json()) as { stock: number };
  return stock;
}

test('a page that one shop has loaded is served by the other from Redis', async () => {
  await putStock(70, 111);
  expect(await stockAt(first, 70)).toBe(111);
  // Behind the back of both: who asks the database sees it, who asks the cache does not.
  await pool.query('update weir_shop.products set stock = 222 where id = 70');
  expect(await stockAt(second, 70)).toBe(111);
});

test('a page read at one shop after its stock was set at the other shows the new stock', async () => {
  for (const stock of [5, 6, 7]) {
    await putStock(71, stock);
    expect(await stockAt(second, 71)).toBe(stock);
  }
});

test('the search limit holds over both shops together', async () => {
  const headers = { 'x-forwarded-for': '198.51.100.77' };
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, index) => (index % 2 ? first : second)('/search?q=oak', { headers })),
  );
  const allowed = answers.filter((answer) => answer.status === 200).length;
  // Ten at once, and two more each second that this takes.
  expect(allowed).toBeGreaterThanOrEqual(10);
  expect(allowed).toBeLessThan(20);
});

/** Series whose sum rises while the condition lasts, and answers that are allowed. */
const evidence: Record<ConditionName, { series: RegExp; answers: string[] }> = {
  'cache-outage': {
    series: /^weir_cache_redis_operation_duration_seconds_count\{.*outcome="timeout".*\} (\S+)/gm,
    answers: ['200'],
  },
  'hit-ratio-collapse': { series: /^weir_cache_reads_total\{.*"miss".*\} (\S+)/gm, answers: ['200'] },
  'limiter-outage': {
    series: /^weir_ratelimit_decisions_total\{.*source="(?:open|local)".*\} (\S+)/gm,
    answers: ['200'],
  },
  'limiter-denial': {
    series: /^weir_ratelimit_decisions_total\{.*"denied".*\} (\S+)/gm,
    answers: ['200', '429'],
  },
  'n-plus-one': { series: /^weir_db_n_plus_one_total\{.*\} (\S+)/gm, answers: ['200'] },
  'slow-query': { series: /^weir_db_slow_queries_total\{.*\} (\S+)/gm, answers: ['200'] },
  'pool-exhaustion': {
    series: /^db_client_connection_pending_requests\{.*\} (\S+)/gm,
    answers: ['200', '503'],
  },
  // Sheds show that the loop was late, and that the shop defended itself.
  overload: {
    series: /^http_server_request_duration_seconds_count\{.*http_response_status_code="503".*\} (\S+)/gm,
    answers: ['200', '503'],
  },
};

async function read(series: RegExp): Promise<number> {
  const text = await (await first('/metrics')).text();
  return [...text.matchAll(series)].reduce((sum, match) => sum + Number(match[1]), 0);
}

test.each(Object.keys(conditions) as ConditionName[])(
  '%s shows in its metric, and the shop goes on',
  async (name) => {
    const { series, answers } = evidence[name];
    const before = await read(series);
    const shedBefore = await read(evidence.overload.series);
    const controller = new AbortController();
    const running = provoke(name, { target: shops[0]?.url ?? '', redis, signal: controller.signal });
    try {
      await expect.poll(() => read(series), { timeout: 15_000 }).toBeGreaterThan(before + 1);
      if (name.includes('outage')) expect((await first('/healthz')).status).toBe(200);
    } finally {
      controller.abort();
    }
    const report = await running;
    // On a busy machine the shop may shed some requests as well, and counts each of them.
    const shed = (await read(evidence.overload.series)) - shedBefore;
    const unexpected = Object.keys(report).filter((answer) => !answers.includes(answer));
    expect(unexpected.filter((answer) => answer !== '503' || shed < (report[answer] ?? 0))).toEqual([]);
    // While the loop is late, or was a moment ago, pages are shed too.
    await expect.poll(() => stockAt(first, 1), { timeout: 15_000 }).toEqual(expect.any(Number));
  },
);

test('an outage of Redis that is over is forgotten: deletes reach the other shop again', async () => {
  await expect
    .poll(
      async () => {
        const stock = Math.floor(Math.random() * 1000);
        await putStock(72, stock);
        return (await stockAt(second, 72)) === stock;
      },
      { timeout: 10_000 },
    )
    .toBe(true);
});

test('an outage cannot be provoked without a Redis to freeze', async () => {
  const running = provoke('cache-outage', { target: 'http://127.0.0.1:9', signal: AbortSignal.abort() });
  await expect(running).rejects.toThrow('Expected `redis` to provoke cache-outage');
});
