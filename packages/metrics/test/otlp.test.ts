import { pushMetrics } from '@weir/metrics/otlp';
import { afterEach, expect, test, vi } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { listen } from './otlp-receiver.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

interface Received {
  resourceMetrics: {
    resource: { attributes: object[] };
    scopeMetrics: {
      metrics: { name: string; unit: string; sum?: object; gauge?: object; histogram?: object }[];
    }[];
  }[];
}

test('a push carries counters, gauges and histograms as cumulative OTLP, and the last one comes with close', async () => {
  const bodies: Received[] = [];
  const collector = await listen((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      bodies.push(JSON.parse(body) as Received);
      response.end('{}');
    });
  });
  const metrics = createMetrics({ service: 'pushed', version: '1', runtime: false });
  const jobs = metrics.counter({ name: 'jobs_total', help: 'Jobs', labels: ['kind'] }).labels('mail');
  metrics.histogram({ name: 'took_seconds', help: 'Took', buckets: [1, 2] }).observe(1.5);
  const push = pushMetrics({ metrics, url: `${collector.url}/v1/metrics` });
  jobs.inc(2);
  expect(await push.push()).toBe(true);
  jobs.inc(3);
  expect(await push.close()).toBe(true);
  await collector.stop();
  await metrics.close();
  expect(bodies).toHaveLength(2);
  const [resource] = bodies[1]?.resourceMetrics ?? [];
  expect(resource?.resource.attributes).toEqual([
    { key: 'service.name', value: { stringValue: 'pushed' } },
    { key: 'service.version', value: { stringValue: '1' } },
  ]);
  const named = (name: string) => resource?.scopeMetrics[0]?.metrics.find((metric) => metric.name === name);
  expect(named('jobs_total')?.sum).toMatchObject({
    aggregationTemporality: 2,
    isMonotonic: true,
    dataPoints: [{ asDouble: 5, attributes: [{ key: 'kind', value: { stringValue: 'mail' } }] }],
  });
  expect(named('took_seconds')?.histogram).toMatchObject({
    dataPoints: [{ count: '1', sum: 1.5, bucketCounts: ['0', '1', '0'], explicitBounds: [1, 2] }],
  });
});

test('a collector that refuses or never answers is told of and holds nothing up', async () => {
  const metrics = createMetrics({ service: 'pushed', runtime: false });
  const hole = await listen(() => {});
  const refusing = await listen((_request, response) => response.writeHead(503).end());
  const errors: string[] = [];
  const onError = (error: unknown): number => errors.push(String(error));
  expect(await pushMetrics({ metrics, url: hole.url, timeoutMs: 30, onError }).close()).toBe(false);
  expect(await pushMetrics({ metrics, url: refusing.url, onError }).close()).toBe(false);
  expect(errors).toEqual([expect.stringContaining('timeout'), 'Error: The collector answered 503.']);
  expect(() => pushMetrics({ metrics, url: 'nowhere' })).toThrow(/OTLP\/HTTP endpoint/);
  await hole.stop();
  await refusing.stop();
  await metrics.close();
});

const numbers = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  -0,
  5e-324,
  1.7e308,
  2 ** 53,
];

test('every number comes over the wire as the protocol’s JSON writes it', async () => {
  let body = '';
  const collector = await listen((request, response) => {
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => response.end('{}'));
  });
  const metrics = createMetrics({ service: 'pushed', runtime: false });
  const gauge = metrics.gauge({ name: 'g', help: 'g', labels: ['at'] });
  for (const [at, value] of numbers.entries()) gauge.labels(at).set(value);
  const totals = metrics.counter({ name: 'c_total', help: 'c' });
  totals.labels().setTotal(Number.POSITIVE_INFINITY);
  const sums = metrics.histogram({ name: 'h', help: 'h', buckets: [1] });
  for (let times = 0; times < 2; times += 1) sums.observe(1.7e308);
  await pushMetrics({ metrics, url: collector.url }).close();
  await collector.stop();
  await metrics.close();
  const sent = (JSON.parse(body) as Received).resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? [];
  interface Points {
    dataPoints: { asDouble?: number | string; sum?: number | string }[];
  }
  const pointsOf = (name: string) => {
    const found = sent.find((metric) => metric.name === name);
    const points = (found?.gauge ?? found?.sum ?? found?.histogram) as Points | undefined;
    return points?.dataPoints ?? [];
  };
  expect(pointsOf('g').map(({ asDouble }) => asDouble)).toEqual([
    'NaN',
    'Infinity',
    '-Infinity',
    0,
    ...numbers.slice(4),
  ]);
  expect(pointsOf('c_total')[0]?.asDouble).toBe('Infinity');
  expect(pointsOf('h')[0]?.sum).toBe('Infinity');
});

const common = 'OTEL_EXPORTER_OTLP_HEADERS';
const particular = 'OTEL_EXPORTER_OTLP_METRICS_HEADERS';
const headerCases: readonly {
  env: Record<string, string>;
  given?: Record<string, string>;
  seen: Record<string, string | undefined>;
  warned?: RegExp;
}[] = [
  { env: { [common]: 'authorization=Basic%20abc,x-a=1' }, seen: { authorization: 'Basic abc', 'x-a': '1' } },
  { env: { [common]: ' X-A = 1 , x-b=a=b== ,' }, seen: { 'x-a': '1', 'x-b': 'a=b==' } },
  { env: { [common]: 'x-a=1,x-b=1', [particular]: 'X-B=2' }, seen: { 'x-a': '1', 'x-b': '2' } },
  { env: { [common]: 'x-a=1,x-b=1' }, given: { 'X-B': '3' }, seen: { 'x-a': '1', 'x-b': '3' } },
  { env: { [common]: 'content-type=text/plain' }, seen: { 'content-type': 'application/json' } },
  { env: { [common]: '' }, seen: { authorization: undefined } },
  { env: { [common]: 'x-a=100%' }, seen: { 'x-a': '100%' } },
  {
    env: { [common]: 's3cret,x-a=1' },
    seen: { 'x-a': '1' },
    warned: /OTEL_EXPORTER_OTLP_HEADERS has an entry/,
  },
  { env: { [common]: 'bad name=s3cret,x-a=1' }, seen: { 'x-a': '1' }, warned: /`bad name`/ },
  {
    env: { [common]: 'x-b=s3cret%0a,x-a=1%0ab' },
    seen: { 'x-b': 's3cret', 'x-a': undefined },
    warned: /`x-a`/,
  },
];

test.each(headerCases)(
  'with $env and options $given a push carries $seen',
  async ({ env, given, seen, warned }) => {
    const warnings: string[] = [];
    vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
    const came: Record<string, unknown>[] = [];
    const collector = await listen((request, response) => {
      came.push(request.headers);
      request.resume().on('end', () => response.end('{}'));
    });
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.url);
    const metrics = createMetrics({ service: 'pushed', runtime: false });
    expect(await pushMetrics({ metrics, ...(given === undefined ? {} : { headers: given }) }).close()).toBe(
      true,
    );
    await collector.stop();
    await metrics.close();
    expect(Object.fromEntries(Object.keys(seen).map((name) => [name, came[0]?.[name]]))).toEqual(seen);
    expect(warnings).toEqual(warned === undefined ? [] : [expect.stringMatching(warned)]);
    expect(warnings.join()).not.toContain('s3cret');
  },
);

test.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: '/base' }, '/base/v1/metrics'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: '/base/?key=1' }, '/base/v1/metrics?key=1'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: '/base', OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: '/own' }, '/own'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: '/base', OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: '' }, '/base/v1/metrics'],
])('the endpoints %j are pushed to at %s', async (paths, expected) => {
  const came: (string | undefined)[] = [];
  const collector = await listen((request, response) => {
    came.push(request.url);
    request.resume().on('end', () => response.end('{}'));
  });
  for (const [name, path] of Object.entries(paths)) vi.stubEnv(name, path && collector.url + path);
  const metrics = createMetrics({ service: 'pushed', runtime: false });
  await pushMetrics({ metrics }).close();
  await collector.stop();
  await metrics.close();
  expect(came).toEqual([expected]);
});

test('times of the environment hold where no option is given, and what is no time or header is refused', async () => {
  const metrics = createMetrics({ service: 'pushed', runtime: false });
  const hole = await listen(() => {});
  const errors: string[] = [];
  vi.stubEnv('OTEL_EXPORTER_OTLP_TIMEOUT', '1000000');
  vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_TIMEOUT', '30');
  const push = pushMetrics({ metrics, url: hole.url, onError: (error) => errors.push(String(error)) });
  expect(await push.close()).toBe(false);
  expect(errors).toEqual([expect.stringContaining('timeout')]);
  await hole.stop();
  expect(() => pushMetrics({ metrics, url: hole.url, headers: { 'no name': 'x' } })).toThrow(/`headers`/);
  expect(() => pushMetrics({ metrics, url: 'ftp://x' })).toThrow(/`url`/);
  vi.stubEnv('OTEL_METRIC_EXPORT_INTERVAL', 'often');
  expect(() => pushMetrics({ metrics, url: hole.url })).toThrow(/OTEL_METRIC_EXPORT_INTERVAL/);
  await metrics.close();
});
