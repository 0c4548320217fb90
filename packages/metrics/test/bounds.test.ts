import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { samplesOf } from './samples.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('100,000 random routes, methods and statements stay within the budget, real ones still count, and the heap stays flat', async () => {
  const metrics = createMetrics({
    service: 'test',
    runtime: false,
    http: { maxSeries: 300 },
    db: { maxStatements: 100 },
  });
  // A real driver's work would dominate the test's time; this client answers immediately.
  const client = metrics.instrument({
    connectionParameters: {},
    query: (_text: string, answer: (error: null, result: object) => void) => answer(null, { rowCount: 0 }),
  });
  const random = seededRandom(7);
  const word = (): string => Math.floor(random() * 1e12).toString(36);
  const real = (): void => {
    const exchange = metrics.http.begin('GET');
    exchange.route = '/products/:id';
    metrics.http.end(exchange, { statusCode: 200 });
    client.query('select 1', () => {});
  };
  const storm = (count: number): void => {
    for (let index = 0; index < count; index += 1) {
      const exchange = metrics.http.begin(word());
      exchange.route = `/${word()}`; // as a broken adapter would
      metrics.http.end(exchange, { statusCode: 200 + Math.floor(random() * 400) });
      client.query(`select ${word()}x`, () => {});
    }
  };
  real();
  storm(20_000);
  collect();
  const before = process.memoryUsage().heapUsed;
  storm(80_000);
  collect();
  const grownBytes = process.memoryUsage().heapUsed - before;
  real();

  const samples = await samplesOf(metrics);
  const counts = (family: string): [string, number][] =>
    [...samples].filter(([name]) => name.startsWith(`${family}_count`));
  const http = counts('http_server_request_duration_seconds');
  const db = counts('db_client_operation_duration_seconds');
  expect(http).toHaveLength(301);
  expect(db).toHaveLength(101);
  const total = (entries: readonly [string, number][]): number =>
    entries.reduce((sum, [, count]) => sum + count, 0);
  expect([total(http), total(db)]).toEqual([100_002, 100_002]);
  const folded = (entries: readonly [string, number][]): number | undefined =>
    entries.find(([name]) => /^[^{]*\{(?:\w+="_OTHER",?)+\}$/.test(name))?.[1];
  for (const [entries, metric] of [
    [http, 'http_server_request_duration_seconds'],
    [db, 'db_client_operation_duration_seconds'],
  ] as const) {
    expect(samples.get(`weir_metrics_overflow_total{metric="${metric}"}`)).toBe(folded(entries));
  }
  const route = 'http_request_method="GET",http_route="/products/:id",http_response_status_code="200"';
  expect(samples.get(`http_server_request_duration_seconds_count{${route}}`)).toBe(2);
  expect(grownBytes).toBeLessThan(2_000_000);
  await metrics.close();
});
