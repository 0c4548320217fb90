import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promtool, startPrometheus } from '@weir/test-kit';
import { PrometheusDriver } from 'prometheus-query';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../src/config/load-config.ts';
import { type Service, startService } from '../src/start-service.ts';
import { eventually, instant } from './support/service-process.ts';
import { startTestService } from './support/test-service.ts';

// The calls of Grafana's Prometheus data source, and wrong ones, put to the service and to a real Prometheus that scrapes the
// same target. Versions differ (the service answers as Prometheus 3, Debian's is 2.42): where that shows, the test says so.

const exposition = `# HELP requests_total Requests by route.
# TYPE requests_total counter
requests_total{route="/a",code="200"} 10 # {trace_id="abc"} 1 1700000000
requests_total{route="/b",code="500"} 3
# TYPE temperature gauge
# HELP temperature Now.
temperature 21.5
# TYPE odd gauge
odd{kind="nan"} NaN
odd{kind="inf"} +Inf
odd{kind="quote"} 1
# TYPE latency_seconds histogram
# HELP latency_seconds Latency.
latency_seconds_bucket{le="0.1"} 5
latency_seconds_bucket{le="+Inf"} 9
latency_seconds_sum 2.5
latency_seconds_count 9
# EOF
`;

const rules = `groups:
  - name: example
    interval: 1s
    rules:
      - record: job:requests:sum
        expr: sum by (job) (requests_total)
        labels: { level: job }
      - alert: Warm
        expr: temperature > 20
        for: 10m
        labels: { severity: page }
        annotations: { summary: "{{ $labels.job }} has {{ $value }}" }
`;

let directory: string;
let target: Server;
let service: Service;
let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
let timeMs: number;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-api-'));
  target = createServer((_request, response) => {
    response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    response.end(exposition);
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(target.address() as AddressInfo).port}`;
  writeFileSync(join(directory, 'rules.yml'), rules);
  writeFileSync(
    join(directory, 'weir.config.json'),
    JSON.stringify({
      scrape: { interval: '1s' },
      targets: [{ job: 'app', url: `http://${address}/metrics` }],
      rules: { files: ['rules.yml'] },
    }),
  );
  service = await startService({ config: loadConfig(join(directory, 'weir.config.json'), { PORT: '0' }) });
  prometheus = await startPrometheus({
    targets: [{ job: 'app', address }],
    rules: [join(directory, 'rules.yml')],
    args: ['--enable-feature=exemplar-storage'],
  });
  for (const one of [service, prometheus])
    await eventually(
      () =>
        instant(
          one,
          'job:requests:sum and on (job) ALERTS and on (job) sum by (job) (rate(requests_total[1m]))',
        ),
      (answer) => answer.length === 1,
    );
  timeMs = Date.now();
});

afterAll(async () => {
  await Promise.all([service?.close(), prometheus?.stop()]);
  target?.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly body: unknown;
}

async function ask(url: string, path: string, form?: Record<string, string>): Promise<Answer> {
  const response = await fetch(url + path, form && { method: 'POST', body: new URLSearchParams(form) });
  const body: unknown = await response.json();
  return { status: response.status, type: response.headers.get('content-type')?.split(';')[0] ?? null, body };
}

async function both(path: string, form?: Record<string, string>): Promise<[Answer, Answer]> {
  const at = (timeMs / 1000).toFixed(3);
  const filled = path.replaceAll('$now', at);
  const filledForm =
    form &&
    Object.fromEntries(Object.entries(form).map(([key, value]) => [key, value.replaceAll('$now', at)]));
  return [await ask(service.url, filled, filledForm), await ask(prometheus.url, filled, filledForm)];
}

// The service scrapes itself as job "weir", which the other does not know.
const queries = [
  'requests_total',
  'requests_total{route=~"/a|/b",code!="500"}',
  'sum by (job) (requests_total)',
  'odd',
  'up{job="app"}',
  '1+1',
  'time() > bool 1',
  '"text"',
  'temperature[1s] and on () vector(0) > 1',
  'rate(requests_total[1m]) * 0',
  'histogram_quantile(0.5, latency_seconds_bucket)',
  'absent(nothing{a="b"})',
  'topk(1, requests_total)',
  'scrape_samples_scraped{job="app"}',
  'sum(',
  'foo bar',
  'rate(requests_total)',
  'sum(requests_total) by (',
  'requests_total{route=~"("}',
];

test.each(queries)('instant query %s', async (query) => {
  const [own, other] = await both(`/api/v1/query?query=${encodeURIComponent(query)}&time=$now`);
  expectSame(own, other);
  const [ownForm, otherForm] = await both('/api/v1/query', { query, time: '$now' });
  expectSame(ownForm, otherForm);
});

function sortResult(body: unknown): unknown {
  const result = (body as { data?: { result?: unknown } }).data?.result;
  if (!Array.isArray(result) || typeof result[0] !== 'object' || Array.isArray(result[0])) return body;
  return {
    ...(body as object),
    data: {
      ...(body as { data: object }).data,
      result: result.toSorted((a, b) => (JSON.stringify(a.metric) < JSON.stringify(b.metric) ? -1 : 1)),
    },
  };
}

function expectSame(own: Answer, other: Answer): void {
  const [a, b] = [own.body, other.body] as { status: string; errorType?: string; error?: string }[];
  if (b?.status === 'error') {
    // The text of a parse error differs between Prometheus' own versions; its class and its place do not.
    expect([own.status, own.type, a?.status, a?.errorType]).toEqual([
      other.status,
      other.type,
      'error',
      b.errorType,
    ]);
    return;
  }
  const { infos: _infos, warnings: _warnings, ...rest } = own.body as Record<string, unknown>;
  expect([own.status, own.type]).toEqual([other.status, other.type]);
  expect(sortKeys(sortResult(rest))).toEqual(sortKeys(sortResult(other.body)));
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort()
      .map(([key, inner]) => [key, sortKeys(inner)]),
  );
}

test.each([
  '/api/v1/query_range?query=vector(1)&start=0&end=10&step=5',
  '/api/v1/query_range?query=sum(requests_total)*0&start=$now&end=$now&step=1',
  '/api/v1/label/route/values',
  '/api/v1/label/route/values?match[]=requests_total{code="500"}',
  '/api/v1/label/code/values?match[]=requests_total&start=0&end=$now',
  '/api/v1/labels?match[]=requests_total',
  '/api/v1/series?match[]=requests_total',
  '/api/v1/series?match[]=latency_seconds_bucket&match[]=temperature&start=0&end=$now',
  '/api/v1/metadata?metric=requests_total',
  '/api/v1/metadata?metric=temperature&limit=1',
  '/api/v1/metadata?metric=unknown_metric',
  '/api/v1/query_exemplars?query=requests_total&start=1699999999&end=1700000001',
  '/api/v1/query_exemplars?query=temperature&start=0&end=$now',
  '/api/v1/format_query?query=sum(a)%20by(b)%2Bc',
  '/api/v1/series?match[]={__name__="nothing"}',
])('GET %s answers the same', async (path) => {
  const [own, other] = await both(path);
  expect(sortKeys(own)).toEqual(sortKeys(other));
});

test.each([
  '/api/v1/query',
  '/api/v1/query?query=up&time=yesterday',
  '/api/v1/query?query=up&timeout=soon',
  '/api/v1/query_range?query=up&start=5&end=1&step=1',
  '/api/v1/query_range?query=up&start=1&end=5&step=0',
  '/api/v1/query_range?query=up&start=1&end=5&step=x',
  '/api/v1/query_range?query=up&start=0&end=11001&step=1',
  '/api/v1/query_range?query=up&start=0&end=1',
  '/api/v1/series',
  '/api/v1/series?match[]=sum(',
  '/api/v1/labels?match[]={',
  '/api/v1/labels?start=x',
  '/api/v1/query_exemplars?query=sum(&start=1&end=2',
])('GET %s is refused the same way', async (path) => {
  const [own, other] = await both(path);
  expectSame(own, other);
  expect((own.body as { status: string }).status).toBe('error');
});

test.each([
  ['application/json', '', '?query=1'],
  ['application/json', '{"query":"2"}', '?query=1'],
  ['application/json', '{', '?query=1'],
  ['text/plain', '', '?query=1'],
  ['application/octet-stream', '', '?query=1'],
  ['application/octet-stream', 'query=2', '?query=1'],
  ['application/x-protobuf', 'query=2', ''],
  ['', '', '?query=1'],
  ['application/x-www-form-urlencoded', '', '?query=1'],
  ['application/x-www-form-urlencoded', 'query=2', '?query=1'],
  ['application/x-www-form-urlencoded; charset=utf-8', 'query=2', ''],
  ['Application/X-WWW-Form-URLencoded', 'query=2', ''],
])('a POST as %j with the body %j and %j in its URL is read as by Prometheus', async (type, body, search) => {
  const [own, other] = await Promise.all(
    [service, prometheus].map(async ({ url }) => {
      const response = await fetch(`${url}/api/v1/query${search}`, {
        method: 'POST',
        headers: type === '' ? {} : { 'content-type': type },
        body: Buffer.from(body),
      });
      const { status, data } = (await response.json()) as {
        status: string;
        data?: { result: [number, string] };
      };
      return [response.status, status, data?.result[1]];
    }),
  );
  expect(own).toEqual(other);
});

test('values of a label whose name is escaped are found, and what is no escaped name is taken as written', async () => {
  const { url } = await startTestService();
  const pushed = `{"odd","http.method"="GET","a_ö😀"="b"} 1\nplain{U__x_="as written"} 1\n`;
  expect((await fetch(`${url}/push/a`, { method: 'POST', body: pushed })).status).toBe(204);
  const values = async (name: string): Promise<unknown> =>
    ((await ask(url, `/api/v1/label/${encodeURIComponent(name)}/values`)).body as { data: unknown }).data;
  for (const name of ['U__http_2e_method', 'U__http_2E_method', 'http.method'])
    expect(await values(name), name).toEqual(['GET']);
  expect(await values('U__a___f6__1f600_')).toEqual(['b']);
  expect(await values('U______name____')).toContain('plain');
  for (const name of ['U__http_2e', 'U__http_2g_method', 'U__http_d800_method', 'U__http_110000_method'])
    expect(await values(name), name).toEqual([]);
  expect(await values('U__x_')).toEqual(['as written']);
});

/** The names of the fields at every level, values left out; an optional field that only one may have is passed. */
function shapeOf(value: unknown, optional: readonly string[] = []): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0], optional)];
  if (typeof value !== 'object' || value === null) return typeof value;
  const fields = Object.entries(value).filter(([key]) => !optional.includes(key));
  return Object.fromEntries(fields.sort().map(([key, inner]) => [key, shapeOf(inner, optional)]));
}

test('targets, rules and alerts have the fields of Prometheus', async () => {
  const app = (body: unknown) => ({
    ...(body as { data: object }).data,
    activeTargets: (body as { data: { activeTargets: { scrapePool: string }[] } }).data.activeTargets.filter(
      ({ scrapePool }) => scrapePool === 'app',
    ),
  });
  const [own, other] = await both('/api/v1/targets');
  // Only Prometheus 3 counts dropped targets.
  const newer = ['droppedTargetCounts'];
  expect(shapeOf(app(own.body), newer)).toEqual(shapeOf(app(other.body), newer));
  const [ownRules, otherRules] = await both('/api/v1/rules');
  // keepFiringFor came with 2.43.
  const since = ['keepFiringFor', 'alerts', 'lastError'];
  expect(shapeOf(ownRules.body, since)).toEqual(shapeOf(otherRules.body, since));
  const strip = (body: unknown) =>
    (body as { data: { alerts: Record<string, unknown>[] } }).data.alerts.map(
      ({ activeAt: _, ...rest }) => rest,
    );
  const [ownAlerts, otherAlerts] = await both('/api/v1/alerts');
  expect(strip(ownAlerts.body)).toEqual(strip(otherAlerts.body));
});

/** What Grafana's data source sends in turn: its health check, the query builder, a dashboard with exemplars, the rule list. */
const session: readonly (readonly [path: string, form?: Record<string, string>])[] = [
  ['/api/v1/query', { query: '1+1', time: '4' }],
  ['/api/v1/label/__name__/values?match[]={job="app"}&start=$before&end=$now'],
  ['/api/v1/label/job/values?match[]=up{job="app"}&start=$before&end=$now&limit=40000'],
  ['/api/v1/labels', { 'match[]': 'requests_total{job="app"}', start: '$before', end: '$now' }],
  [
    '/api/v1/series',
    { 'match[]': '{__name__="requests_total"}', start: '$before', end: '$now', limit: '40000' },
  ],
  ['/api/v1/metadata?metric=latency_seconds'],
  [
    '/api/v1/query',
    { query: 'sum by (route) (requests_total{job=~"app|none"})', time: '$now', timeout: '30s' },
  ],
  ['/api/v1/query_range', { query: 'temperature', start: '$now', end: '$now', step: '15' }],
  [
    '/api/v1/query_range',
    { query: 'odd + on (kind) group_left () odd', start: '$now', end: '$now', step: '15' },
  ],
  [
    '/api/v1/query_range',
    {
      query: 'histogram_quantile(0.99, sum by (le) (latency_seconds_bucket))',
      start: '$now',
      end: '$now',
      step: '0.5',
    },
  ],
  ['/api/v1/query_range', { query: 'up', start: '0', end: '20000', step: '1' }],
  [
    '/api/v1/query_exemplars',
    { query: 'sum(rate(requests_total[1m]))', start: '1699999999', end: '1700000001' },
  ],
  ['/api/v1/rules?type=alert'],
  ['/api/v1/alerts'],
];

test("a session of Grafana's data source is answered as by Prometheus, field by field", async () => {
  // When and how fast each engine evaluated, and where its rule file lies.
  const moments = ['activeAt', 'lastEvaluation', 'evaluationTime', 'file'];
  const fill = (text: string): string => text.replaceAll('$before', ((timeMs - 3_600_000) / 1000).toFixed(3));
  for (const [path, form] of session) {
    const filled = form && Object.fromEntries(Object.entries(form).map(([key, value]) => [key, fill(value)]));
    const [own, other] = await both(fill(path), filled);
    const { body, ...head } = without(other, moments) as Answer;
    const mine = without(own, moments) as Answer;
    // In words each version has its own; the kind of failure is one.
    if (other.status >= 400)
      expect([path, form, mine.status, mine.type]).toEqual([path, form, head.status, head.type]);
    else expect([path, form, mine]).toEqual([path, form, { ...head, body }]);
  }
});

/** The value without some fields, at every level, its objects and unordered lists sorted. */
function without(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => without(item, names));
    return items.every((item) => typeof item === 'object' && !Array.isArray(item))
      ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
      : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !names.includes(key))
      .sort()
      .map(([key, inner]) => [key, without(inner, names)]),
  );
}

test('status answers have the fields of Prometheus', async () => {
  const [build, otherBuild] = await both('/api/v1/status/buildinfo');
  expect(shapeOf(build.body)).toEqual(shapeOf(otherBuild.body));
  const [config, otherConfig] = await both('/api/v1/status/config');
  expect(shapeOf(config.body)).toEqual(shapeOf(otherConfig.body));
  const [tsdb, otherTsdb] = await both('/api/v1/status/tsdb');
  expect(shapeOf(tsdb.body)).toEqual(shapeOf(otherTsdb.body));
  const [flags, otherFlags] = await both('/api/v1/status/flags');
  for (const flag of Object.keys((flags.body as { data: object }).data))
    expect((otherFlags.body as { data: object }).data).toHaveProperty([flag]);
  const [runtime, otherRuntime] = await both('/api/v1/status/runtimeinfo');
  // GOMEMLIMIT came after 2.42.
  expect(shapeOf(runtime.body, ['GOMEMLIMIT'])).toEqual(shapeOf(otherRuntime.body, ['GOMEMLIMIT']));
});

test('the npm client prometheus-query reads the same from both', async () => {
  const read = async (endpoint: string) => {
    const client = new PrometheusDriver({ endpoint });
    const at = new Date(timeMs);
    const from = new Date(timeMs - 5_000);
    const vector = await client.instantQuery('sum by (route) (requests_total)', at);
    const matrix = await client.rangeQuery('vector(2)', from, at, 1);
    const series = await client.series('requests_total', from, new Date(timeMs + 1_000));
    const rules = await client.rules();
    const failure = await client.instantQuery('sum(').catch((error: unknown) => error);
    return {
      vector: vector.result.map(({ metric, value }) => [String(metric), value.value]).sort(),
      matrix: matrix.result.map(({ values }) => (values as { value: number }[]).map(({ value }) => value)),
      series: series.map(String).sort(),
      names: await client.labelNames(),
      values: await client.labelValues('code'),
      targets: ((await client.targets()) as { activeTargets: { health: string }[] }).activeTargets.map(
        ({ health }) => health,
      ),
      rules: rules.map(({ name, rules: list }) => [name, list.length]),
      alerts: (await client.alerts()).map(({ state }) => state),
      failure: (failure as { errorType?: string }).errorType ?? String(failure),
    };
  };
  const [own, other] = [await read(service.url), await read(prometheus.url)];
  expect(own.vector).toEqual([
    ['{route="/a"}', 10],
    ['{route="/b"}', 3],
  ]);
  // The service scrapes itself too.
  const { names, values, targets, ...rest } = own;
  expect(names).toEqual(expect.arrayContaining(other.names));
  expect(values).toEqual(expect.arrayContaining(other.values));
  expect(targets).toEqual(expect.arrayContaining(other.targets));
  const { names: _, values: __, targets: ___, ...otherRest } = other;
  expect(rest).toEqual(otherRest);
});

test('promtool asks the service as it asks Prometheus', async () => {
  const ask = async (...args: string[]) => {
    const answers = await Promise.all(
      [service.url, prometheus.url].map(async (url) => {
        const { code, stdout } = await promtool(args.map((part) => part.replace('URL', url)));
        return { code, lines: stdout.split('\n').sort() };
      }),
    );
    return answers as [{ code: number; lines: string[] }, { code: number; lines: string[] }];
  };
  const at = String(timeMs / 1000);
  for (const args of [
    ['query', 'instant', `--time=${at}`, 'URL', 'sum by (route) (requests_total)'],
    ['query', 'range', `--start=${at}`, `--end=${at}`, '--step=1s', 'URL', 'vector(1)'],
    ['query', 'series', '--match=requests_total', 'URL'],
    ['query', 'instant', 'URL', 'sum('],
  ]) {
    const [own, other] = await ask(...args);
    expect([args, own.code]).toEqual([args, other.code]);
    if (own.code === 0) expect(own).toEqual(other);
  }
  const [labels, otherLabels] = await ask('query', 'labels', 'URL', 'route');
  expect(labels).toEqual(otherLabels);
});

test('rules are filtered by type, name, group, file and labels, and told without alerts', async () => {
  const ask = async (query: string) => {
    const answer = (await (await fetch(`${service.url}/api/v1/rules?${query}`)).json()) as {
      status: string;
      data: { groups: { name: string; file: string; rules: { name: string; alerts?: object[] }[] }[] };
    };
    return answer.status === 'error'
      ? 'error'
      : answer.data.groups.flatMap(({ rules: list }) => list.map(({ name }) => name));
  };
  const everything = ['job:requests:sum', 'Warm'];
  expect(await ask('')).toEqual(everything);
  expect(await ask('type=alert')).toEqual(['Warm']);
  expect(await ask('type=record')).toEqual(['job:requests:sum']);
  expect(await ask('type=other')).toBe('error');
  expect(await ask('rule_name[]=Warm&rule_name[]=none')).toEqual(['Warm']);
  expect(await ask('rule_group[]=example')).toEqual(everything);
  expect(await ask('rule_group[]=none')).toEqual([]);
  expect(await ask('file[]=none')).toEqual([]);
  expect(await ask('match[]={severity="page"}')).toEqual(['Warm']);
  expect(await ask('match[]={severity="page"}&match[]={level="job"}')).toEqual(everything);
  expect(await ask('match[]={')).toBe('error');
  const shown = (await (
    await fetch(`${service.url}/api/v1/rules?exclude_alerts=true&type=alert`)
  ).json()) as {
    data: { groups: { rules: { alerts?: object[] }[] }[] };
  };
  expect(shown.data.groups[0]?.rules[0]).not.toHaveProperty('alerts');
});
