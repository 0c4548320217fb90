import { trace } from '@opentelemetry/api';
import { startTracing } from '@weir/metrics/tracing';
import { expect, test } from 'vitest';
import { startTracedApp } from './fixtures/start-traced-app.ts';
import { listen } from './otlp-receiver.ts';

/** The 99th percentile of 480 requests over eight connections, in ms. */
async function load(origin: string): Promise<number> {
  const durations: number[] = [];
  const lane = async (): Promise<void> => {
    for (let index = 0; index < 60; index += 1) {
      const startMs = performance.now();
      await fetch(`${origin}/items/7`).then((response) => response.text());
      durations.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  durations.sort((a, b) => a - b);
  return durations[Math.floor(durations.length * 0.99)] as number;
}

test('a collector that is gone, silent or slow holds neither requests nor the end', async () => {
  const silent = await listen(() => {});
  const gone = await listen(() => {});
  await gone.stop();
  // Accepts, and answers a byte a second.
  const slow = await listen((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-length': '60' });
    const timer = setInterval(() => response.write('x'), 1_000);
    response.on('close', () => clearInterval(timer));
  });
  const apps = await Promise.all(
    [gone, silent, slow].map(({ url }) =>
      startTracedApp({
        OTEL_EXPORTER_OTLP_ENDPOINT: url,
        // Batches are sent immediately, and more spans arrive than the queue holds.
        OTEL_BSP_SCHEDULE_DELAY: '20',
        OTEL_BSP_MAX_QUEUE_SIZE: '200',
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '50',
      }),
    ),
  );
  for (const { origin } of apps) {
    // An export times out after 2 s; a request that waited for one would take about as long.
    expect(await load(origin)).toBeLessThan(1_000);
  }
  const ends = await Promise.all(apps.map((app) => app.terminate()));
  for (const { signal, elapsedMs } of ends) {
    expect(signal).toBe('SIGTERM');
    expect(elapsedMs).toBeLessThan(10_000);
  }
  await Promise.all([silent.stop(), slow.stop()]);
});

test('an exporter that never comes back holds neither a flush nor a shutdown past the deadline', async () => {
  const exporter = { export: () => {}, shutdown: () => new Promise<void>(() => {}) };
  const tracing = startTracing({ service: 'test', exporter, deadlineMs: 50, handleSigterm: false });
  trace.getTracer('test').startSpan('one').end();
  expect(await tracing.flush()).toBe(false);
  expect(await tracing.shutdown()).toBe(false);
});
