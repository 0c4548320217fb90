import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPrometheus } from '@weir/test-kit';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { createToken } from '../src/auth/tokens.ts';
import { startFakeTarget } from './support/fake-target.ts';
import { askRaw } from './support/raw-request.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly (readonly [string, string])[];
  readonly authorization: string | undefined;
}

/** A service before a backend that records what reaches it, and another server that nobody may reach. */
async function setUp() {
  const seen: Seen[] = [];
  const backend = await startFakeTarget(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    const [path = '', query = ''] = (request.url ?? '').split('?');
    seen.push({
      method: request.method ?? '',
      path,
      parameters: [...new URLSearchParams(query), ...new URLSearchParams(body)],
      authorization: request.headers.authorization,
    });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"success","data":[]}');
  });
  const other = await startFakeTarget('of another server');
  const { token, sha256 } = createToken();
  const service = await startTestService({
    auth: { tokens: [{ name: 'reader', role: 'read', sha256 }] },
    backend: { url: `${backend.url}/base/?tenant=a`, headers: { authorization: 'Bearer of-the-backend' } },
  });
  const headers = { authorization: `Bearer ${token}` };
  const ask = (requestLine: string, more: Record<string, string> = {}, body = ''): Promise<string> =>
    askRaw(service.url, requestLine, { ...headers, ...more }, body);
  return { seen, backend, other, service, ask };
}

const forwarded: readonly [string, string, string, [string, string][]][] = [
  [
    'GET /api/v1/query?query=up&time=1&evil=1&tenant=b',
    'GET',
    '/query',
    [
      ['query', 'up'],
      ['time', '1'],
    ],
  ],
  ['HEAD /api/v1/query?query=up', 'GET', '/query', [['query', 'up']]],
  ['POST /api/v1/query?time=1', 'POST', '/query', [['time', '1']]],
  [
    'GET /api/v1/query_range?query=a%26b&start=0&end=1&step=1',
    'GET',
    '/query_range',
    [
      ['query', 'a&b'],
      ['start', '0'],
      ['end', '1'],
      ['step', '1'],
    ],
  ],
  [
    'GET /api/v1/series?match[]=a&match%5B%5D=b',
    'GET',
    '/series',
    [
      ['match[]', 'a'],
      ['match[]', 'b'],
    ],
  ],
  ['GET /api/v1/label/job/values?limit=3', 'GET', '/label/job/values', [['limit', '3']]],
  ['GET /api/v1/label/service.name/values', 'GET', '/label/service.name/values', []],
  ['GET /api/v1/label/a%2Fb_c/values', 'GET', '/label/U__a_2f_b__c/values', []],
  ['GET /api/v1/label/%2e%2e/values', 'GET', '/label/U___2e__2e_/values', []],
  ['GET /api/v1/label/%252e%252e%252f/values', 'GET', '/label/U___25_2e_25_2e_25_2f/values', []],
  ['GET /api/v1/status/buildinfo?x=1', 'GET', '/status/buildinfo', []],
];

test('a query reaches the backend as a request of the service’s own, with known parameters and those of the backend’s URL', async () => {
  const { seen, ask } = await setUp();
  for (const [requestLine, method, path, parameters] of forwarded) {
    seen.length = 0;
    expect(await ask(`${requestLine} HTTP/1.1`), requestLine).toMatch(/^HTTP\/1.1 200/);
    const expected = {
      method,
      path: `/base/api/v1${path}`,
      parameters: [['tenant', 'a'], ...parameters],
      authorization: 'Bearer of-the-backend',
    };
    expect([requestLine, seen]).toEqual([requestLine, [expected]]);
  }
});

test('a form is sent on with the parameters of its route, before those of the query', async () => {
  const { seen, ask } = await setUp();
  const body = 'query=sum(up)&tenant=b&other=1';
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': String(body.length),
  };
  await ask('POST /api/v1/query?query=up&timeout=1s HTTP/1.1', headers, body);
  expect(seen[0]?.parameters).toEqual([
    ['tenant', 'a'],
    ['query', 'sum(up)'],
    ['query', 'up'],
    ['timeout', '1s'],
  ]);
});

test('the service answers for itself what is about itself', async () => {
  const { seen, ask } = await setUp();
  for (const path of ['/targets', '/status/config', '/status/flags', '/status/runtimeinfo'])
    expect(await ask(`GET /api/v1${path} HTTP/1.1`)).toMatch(/^HTTP\/1.1 200/);
  expect(seen).toEqual([]);
});

const readable =
  /^\/base\/api\/v1\/(query|query_range|query_exemplars|format_query|labels|series|metadata|rules|alerts|status\/buildinfo|status\/tsdb|label\/[\w:.-]*[\w:-][\w:.-]*\/values)$/;
const writable = /^\/base\/api\/v1\/(query|query_range|query_exemplars|format_query|labels|series)$/;
const names = new Set(
  (
    'tenant query time timeout limit lookback_delta stats dedup partial_response max_source_resolution start end step match[] metric ' +
    'limit_per_metric type rule_name[] rule_group[] file[] exclude_alerts'
  ).split(' '),
);

test('whatever request target a caller writes, a backend gets queries only, and no other server gets anything', async () => {
  const { seen, backend, other, ask } = await setUp();
  const otherHost = new URL(other.url).host;
  const backendHost = new URL(backend.url).host;
  const segment = fc.oneof(
    fc.constantFrom('api', 'v1', 'query', 'series', 'label', 'job', 'values', 'status', 'rules', 'alerts'),
    fc.constantFrom(
      'admin',
      'tsdb',
      'delete_series',
      'snapshot',
      'write',
      'config',
      'base',
      '-',
      'quit',
      'otlp',
    ),
    fc.constantFrom(
      '',
      '.',
      '..',
      '%2e%2e',
      '%2E.',
      '%252e%252e',
      '..%2f..',
      '%2f',
      '%5c..',
      '..;',
      '%00',
      '%zz',
    ),
    fc.constantFrom(
      `@${otherHost}`,
      `${otherHost}`,
      `http:%2f%2f${otherHost}`,
      '%0d%0aX:',
      'é'.normalize('NFD'),
    ),
  );
  const path = fc.oneof(
    fc.array(segment, { maxLength: 7 }).map((parts) => `/${parts.join('/')}`),
    fc.array(segment, { maxLength: 5 }).map((parts) => `/api/v1/${parts.join('/')}`),
    segment.map((one) => `/api/v1/label/${one}/values`),
    segment.map((one) => `/api/v1/query${one}`),
  );
  const start = fc.constantFrom(
    '',
    '',
    '/',
    `http://${otherHost}`,
    `https://${otherHost}`,
    `HTTP://${backendHost}`,
    `http://user@${otherHost}`,
    `//${otherHost}`,
    `/\\${otherHost}`,
    'http://',
    'ftp://127.0.0.1',
  );
  const query = fc.constantFrom(
    '',
    '?query=up',
    '?match[]=up&start=0',
    `?url=${other.url}`,
    '?query=a#/../b',
    '??',
  );
  const method = fc.constantFrom(
    ...['GET', 'GET', 'GET', 'POST', 'POST', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'],
    ...['PROPFIND', 'MKCOL', 'PURGE', 'QUERY', 'CONNECT', 'get', 'FOO'],
  );
  let reached = 0;
  await fc.assert(
    fc.asyncProperty(
      method,
      start,
      path,
      query,
      fc.boolean(),
      async (verb, before, target, after, isForm) => {
        seen.length = 0;
        const body = isForm ? 'query=up&match[]=x&evil=1' : '';
        await ask(
          `${verb} ${before}${target}${after} HTTP/1.1`,
          {
            'content-length': String(body.length),
            ...(isForm ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
          },
          body,
        );
        reached += seen.length;
        for (const request of seen) {
          expect(['GET', 'POST']).toContain(request.method);
          expect(request.path).toMatch(request.method === 'GET' ? readable : writable);
          for (const [name] of request.parameters) expect(names).toContain(name);
        }
        expect(other.requests).toBe(0);
      },
    ),
    { numRuns: 400, seed: 52 },
  );
  // Otherwise it proves nothing.
  expect(reached).toBeGreaterThan(10);
});

function ruleFile(directory: string, name: string, alerts: readonly string[]): string {
  const rules = alerts.map((alert) => ({ alert, expr: 'vector(1)' }));
  const file = join(directory, name);
  writeFileSync(file, JSON.stringify({ groups: [{ name, interval: '1s', rules }] }));
  return file;
}

interface Listed {
  readonly status: number;
  readonly alerts: readonly string[];
  readonly warnings: readonly string[];
}

test('lists of rules and alerts hold those of the service and those of the backend, and its own while the backend is away', async () => {
  const directory = temporaryDirectory();
  const theirs = ruleFile(directory, 'theirs.yml', ['Theirs', 'Both']);
  ruleFile(directory, 'ours.yml', ['Ours', 'Both']);
  const prometheus = await startPrometheus({ targets: [], rules: [theirs] });
  onTestFinished(() => prometheus.stop());
  const config = { backend: { url: prometheus.url } };
  const service = await startTestService({ ...config, rules: { files: ['ours.yml'] } }, directory);
  const list = async (path: string): Promise<Listed> => {
    const response = await fetch(`${service.url}/api/v1/${path}`);
    const { data, warnings = [] } = (await response.json()) as {
      data?: {
        alerts?: { labels: { alertname: string } }[];
        groups?: { rules: { name: string; state: string }[] }[];
      };
      warnings?: string[];
    };
    const rules = data?.groups?.flatMap((group) => group.rules) ?? [];
    const alerts = [
      ...(data?.alerts ?? []).map(({ labels }) => labels.alertname),
      ...rules.map(({ name }) => name),
    ];
    return { status: response.status, alerts: alerts.sort(), warnings };
  };
  const all = { status: 200, alerts: ['Both', 'Both', 'Ours', 'Theirs'], warnings: [] };
  await expect.poll(() => list('alerts'), { timeout: 15_000 }).toEqual(all);
  expect(await list('rules')).toEqual(all);
  expect(await list('rules?type=record')).toEqual({ ...all, alerts: [] });
  expect((await list('rules?type=odd')).status).toBe(400);
  await prometheus.stop();
  const own = { status: 200, alerts: ['Both', 'Ours'] };
  expect(await list('alerts')).toEqual({
    ...own,
    warnings: [expect.stringContaining("the backend's alerts are missing")],
  });
  expect(await list('rules')).toEqual({
    ...own,
    warnings: [expect.stringContaining("the backend's groups are missing")],
  });
  // Without rules of its own there is nothing to show but the backend's answer.
  await service.change(config);
  expect((await list('rules')).status).toBe(502);
});

test('a backend that answers with no list of alerts costs the service none of its own', async () => {
  const directory = temporaryDirectory();
  ruleFile(directory, 'ours.yml', ['Ours']);
  const backend = await startFakeTarget('gone');
  const config = { backend: { url: backend.url }, rules: { files: ['ours.yml'] } };
  const service = await startTestService(config, directory);
  const ask = async (): Promise<unknown> => (await fetch(`${service.url}/api/v1/alerts`)).json();
  for (const [status, body, reason] of [
    [200, 'gone', 'it answered 200 without JSON'],
    [503, '{"status":"error","error":"not ready"}', 'not ready'],
    [200, '{"status":"success","data":{}}', 'it answered without `alerts`'],
    [200, 'null', 'it answered 200'],
  ] as const) {
    backend.respond = (_request, response) => response.writeHead(status).end(body);
    await expect.poll(ask, { timeout: 15_000 }).toMatchObject({
      status: 'success',
      data: { alerts: [{ labels: { alertname: 'Ours' }, state: 'firing' }] },
      warnings: [`the backend's alerts are missing: ${reason}`],
    });
  }
});
