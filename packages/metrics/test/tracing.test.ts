import { startPrometheus } from '@weir/test-kit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startTracedApp, type TracedApp } from './fixtures/start-traced-app.ts';
import { listen, startOtlpReceiver } from './otlp-receiver.ts';

let receiver: Awaited<ReturnType<typeof startOtlpReceiver>>;
let app: TracedApp | undefined;
let scraped: {
  receiver: Awaited<ReturnType<typeof startOtlpReceiver>>;
  app: TracedApp;
  prometheus: Awaited<ReturnType<typeof startPrometheus>>;
};

// Prometheus first scrapes five seconds after its start; the other tests run meanwhile.
beforeAll(async () => {
  const own = await startOtlpReceiver();
  const traced = await startTracedApp({ OTEL_EXPORTER_OTLP_ENDPOINT: own.url });
  const prometheus = await startPrometheus({
    targets: [{ job: 'traced', address: new URL(traced.origin).host }],
    scrapeInterval: '200ms',
    args: ['--enable-feature=exemplar-storage'],
  });
  scraped = { receiver: own, app: traced, prometheus };
});
afterAll(async () => {
  await scraped.prometheus.stop();
  await scraped.app.kill();
  await scraped.receiver.stop();
});

beforeEach(async () => {
  receiver = await startOtlpReceiver();
});
afterEach(async () => {
  await app?.kill();
  await receiver.stop();
});

async function start(env: Record<string, string> = {}): Promise<string> {
  app = await startTracedApp({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...env });
  return app.origin;
}

async function terminate(): Promise<{ signal: string | null; elapsedMs: number }> {
  return (app as TracedApp).terminate();
}

async function loadUntil(
  origin: string,
  enough: (finished: number) => boolean,
  stop: () => Promise<void>,
): Promise<number> {
  let finished = 0;
  const lane = async (): Promise<void> => {
    for (;;) {
      try {
        await fetch(`${origin}/items/7`).then((response) => response.text());
        finished += 1;
      } catch {
        return;
      }
    }
  };
  const lanes = Array.from({ length: 8 }, lane);
  await expect.poll(() => enough(finished), { timeout: 20_000 }).toBe(true);
  await stop();
  await Promise.all(lanes);
  return finished;
}

test('where the app closes its server on SIGTERM under load, the span of every request it answered arrives', async () => {
  const origin = await start({ GRACEFUL: '1' });
  const finished = await loadUntil(
    origin,
    (count) => count > 200,
    async () => {
      expect((await terminate()).elapsedMs).toBeLessThan(10_000);
    },
  );
  const servers = receiver.spans.filter(({ name }) => name === 'GET /items/:id');
  expect(servers.length).toBe(finished);
  const ids = new Set(servers.map(({ spanId }) => spanId));
  const queries = receiver.spans.filter(({ name }) => name === 'select');
  expect(new Set(queries.map(({ parentSpanId }) => parentSpanId))).toEqual(ids);
  expect(receiver.spans.map(({ raw }) => raw).join('')).not.toContain('s3cr3t');
});

test('where nobody else listens, every span that ended before SIGTERM arrives, and the process ends by the signal', async () => {
  const origin = await start();
  let before = 0;
  await loadUntil(
    origin,
    (count) => {
      before = count;
      return count > 200;
    },
    async () => {
      const { signal, elapsedMs } = await terminate();
      expect(signal).toBe('SIGTERM');
      expect(elapsedMs).toBeLessThan(10_000);
    },
  );
  expect(receiver.spans.filter(({ name }) => name === 'GET /items/:id').length).toBeGreaterThanOrEqual(
    before,
  );
});

test('an incoming trace is carried on, inwards and outwards, and logs and exemplars carry its ids', async () => {
  const echo = await listen((request, response) => response.end(request.headers.traceparent));
  const origin = await start();
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  const logged = (await fetch(`${origin}/items/7`, { headers }).then((response) => response.json())) as {
    trace_id: string;
    span_id: string;
  };
  const sent = (await fetch(`${origin}/calls?to=${encodeURIComponent(echo.url)}`, { headers }).then(
    (response) => response.json(),
  )) as { traceparent: string };
  const scrape = await fetch(`${origin}/metrics`, {
    headers: { accept: 'application/openmetrics-text' },
  }).then((response) => response.text());
  await terminate();
  await echo.stop();

  const named = (name: string) =>
    receiver.spans.find((span) => span.name === name && span.traceId === traceId);
  const server = named('GET /items/:id');
  expect(server).toMatchObject({ parentSpanId: 'b7ad6b7169203331', kind: 2 });
  expect(logged).toEqual({ trace_id: traceId, span_id: server?.spanId });
  const outgoing = receiver.spans.find(({ kind, name }) => kind === 3 && name === 'GET');
  expect(outgoing?.parentSpanId).toBe(named('GET /calls')?.spanId);
  expect(sent.traceparent).toBe(`00-${traceId}-${outgoing?.spanId}-01`);
  const exemplars = [
    ...scrape.matchAll(/http_route="\/items\/:id".* # \{trace_id="(\w+)",span_id="(\w+)"\}/g),
  ];
  expect(exemplars.map(([, trace, span]) => [trace, span])).toEqual([[traceId, server?.spanId]]);
});

test('of traces that are not sampled the slow and the failed ones arrive', async () => {
  const origin = await start({
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0',
    WEIR_TRACING_KEEP_SLOW_MS: '40',
  });
  expect(await fetch(`${origin}/items/7`).then((response) => response.json())).toEqual({});
  await fetch(`${origin}/fails`);
  await fetch(`${origin}/slow`);
  await terminate();
  const names = new Set(receiver.spans.map(({ name }) => name));
  expect(names.has('GET /fails') && names.has('GET /slow')).toBe(true);
});

test('a disabled SDK leaves the app as it was', async () => {
  const origin = await start({ OTEL_SDK_DISABLED: 'true' });
  expect(await fetch(`${origin}/items/7`).then((response) => response.json())).toEqual({});
  expect((await terminate()).signal).toBe('SIGTERM');
  expect(receiver.spans).toEqual([]);
});

test('the exemplars that a real Prometheus stores are spans that an independent receiver got', async () => {
  const { origin, terminate: end } = scraped.app;
  const stored = async (): Promise<{ trace_id: string; span_id: string }[]> => {
    await fetch(`${origin}/items/7`);
    const query = 'http_server_request_duration_seconds_bucket{http_route="/items/:id"}';
    const url = `${scraped.prometheus.url}/api/v1/query_exemplars?query=${encodeURIComponent(query)}&start=${Date.now() / 1_000 - 600}&end=${Date.now() / 1_000 + 60}`;
    const { data } = (await fetch(url).then((response) => response.json())) as {
      data: { exemplars: { labels: { trace_id: string; span_id: string } }[] }[];
    };
    return data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels));
  };
  await expect
    .poll(async () => (await stored()).length, { timeout: 20_000, interval: 300 })
    .toBeGreaterThan(1);
  const exemplars = await stored();
  await end();
  const spans = new Set(scraped.receiver.spans.map(({ traceId, spanId }) => `${traceId} ${spanId}`));
  for (const { trace_id, span_id } of exemplars) expect(spans).toContain(`${trace_id} ${span_id}`);
});
