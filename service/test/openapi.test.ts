import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { runBenchmark } from '@weir/bench';
import { Ajv2020 } from 'ajv/dist/2020.js';
import Fastify, { type FastifyInstance, type RouteOptions } from 'fastify';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createToken, roles } from '../src/auth/tokens.ts';
import type { Config } from '../src/config/config.ts';
import { describeRoutes } from '../src/http/describe-routes.ts';
import { addPageRoutes } from '../src/http/page-routes.ts';
import { ApiParameters } from '../src/http/prometheus-parameters.ts';
import { startFakeTarget } from './support/fake-target.ts';
import { getJson } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { startTestService } from './support/test-service.ts';

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
}

interface Answer {
  readonly content?: Readonly<Record<string, object>>;
  readonly headers?: object;
}

interface Operation {
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, object>> };
  readonly responses: Readonly<Record<string, Answer>>;
  readonly security: readonly { readonly token: readonly string[] }[];
}

interface Document extends Record<string, unknown> {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

type Route = Pick<RouteOptions, 'method' | 'url' | 'schema' | 'config'>;

/** Values of the parameters that routes of the Prometheus API require. */
const exampleOf: Readonly<Record<string, string>> = {
  query: 'up',
  start: '1',
  end: '2',
  step: '1',
  'match[]': 'up',
};

/** The parameters that an operation requires in its query string, with values. */
function requiredOf(operation: Operation | undefined): URLSearchParams {
  const required = (operation?.parameters ?? []).filter(
    (parameter) => parameter.in === 'query' && parameter.required,
  );
  return new URLSearchParams(required.map(({ name }): [string, string] => [name, exampleOf[name] ?? '']));
}

/** Every route that any Fastify application registers during the test, as its module wrote it. */
function watchRoutes(): Route[] {
  const routes: Route[] = [];
  const watch = (message: unknown): void => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRoute', (route) => {
      // Fastify adds HEAD to every GET.
      for (const method of [route.method].flat()) if (method !== 'HEAD') routes.push({ ...route, method });
    });
  };
  subscribe('fastify.initialization', watch);
  onTestFinished(() => void unsubscribe('fastify.initialization', watch));
  return routes;
}

const pathOf = (url: string): string => url.replaceAll(/:(\w+)/g, '{$1}');
const keyOf = (method: unknown, path: string): string => `${String(method).toUpperCase()} ${path}`;

function operationsOf({ paths }: Document): Map<string, Operation> {
  return new Map(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [keyOf(method, path), operation] as const),
    ),
  );
}

/** What a route's module says of it, in the terms of the document. */
function expectationOf({ url, schema = {}, config }: Route): object {
  const { summary, response = {}, querystring, headers, body } = schema;
  const names = (part: unknown): string[] =>
    Object.keys((part as { properties?: object } | undefined)?.properties ?? {});
  const types = (body as { content?: object } | undefined)?.content ?? { 'application/json': body };
  return {
    summary,
    role: config?.role,
    parameters: [
      ...names(querystring).map((name) => `query ${name}`),
      ...Array.from(url.matchAll(/:(\w+)/g), ([, name]) => `path ${name}`),
      ...names(headers).map((name) => `header ${name}`),
    ].sort(),
    bodies: body === undefined ? [] : Object.keys(types).sort(),
    answers: [
      ...new Set([
        ...Object.keys(response as object),
        'default',
        ...(config?.role === 'public' ? [] : ['401', '403']),
      ]),
    ].sort(),
  };
}

function descriptionOf({ summary, security, parameters = [], requestBody, responses }: Operation): object {
  return {
    summary,
    role: security.length === 0 ? 'public' : security[0]?.token[0],
    parameters: parameters.map(({ name, in: place }) => `${place} ${name}`).sort(),
    bodies: Object.keys(requestBody?.content ?? {}).sort(),
    answers: Object.keys(responses).sort(),
  };
}

/** Every route without a wildcard, and every operation, described by the one and by the other. */
function compareBothWays(routes: readonly Route[], document: Document): void {
  const described = routes.filter(({ url }) => !url.includes('*'));
  const expected = described.map((route) => [keyOf(route.method, pathOf(route.url)), expectationOf(route)]);
  const actual = [...operationsOf(document)].map(([key, operation]) => [key, descriptionOf(operation)]);
  expect(Object.fromEntries(actual)).toEqual(Object.fromEntries(expected));
  for (const { url, config, schema } of routes) {
    expect([url, config?.role]).toEqual([url, expect.stringMatching(/^(public|push|read|bench|admin)$/)]);
    if (!url.includes('*'))
      expect([url, schema?.summary]).toEqual([url, expect.stringMatching(/^[A-Z].*[^.]$/)]);
  }
}

test('every route is an operation with its role, parameters and answers, and every operation is a route', async () => {
  const routes = watchRoutes();
  const service = await startTestService();
  const document = await getJson<Document>(`${service.url}/openapi.json`);
  expect(routes.length).toBeGreaterThan(55);
  compareBothWays(routes, document);
  const page = await (await fetch(`${service.url}/docs/api`)).text();
  for (const [key, { summary }] of operationsOf(document)) {
    expect(page).toContain(`<code>${key}</code>`);
    expect(page).toContain(summary);
  }
});

test('the routes of a built web page are described too, but for its files', async () => {
  const routes = watchRoutes();
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'assets'));
  for (const name of ['index.html', 'favicon.svg', 'favicon.ico']) writeFileSync(join(directory, name), name);
  const app = Fastify();
  onTestFinished(() => app.close());
  await describeRoutes(app);
  await addPageRoutes(app, directory, () => ({ page: {} }) as Config);
  await app.ready();
  compareBothWays(routes, app.swagger() as unknown as Document);
  expect(routes.map(({ url }) => url)).toEqual(
    expect.arrayContaining(['/ui', '/favicon.svg', '/favicon.ico']),
  );
  expect(routes.filter(({ url }) => url.includes('*')).map(({ url }) => url)).toEqual(['/ui/*', '/assets/*']);
});

test('the document is valid OpenAPI 3.1', async () => {
  const service = await startTestService();
  const document = await getJson<Document>(`${service.url}/openapi.json`);
  const validator = new Validator();
  expect(await validator.validate(document)).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
});

test('the service answers as the document says, to everyone and with every role', async () => {
  const tokens = roles.map((role) => ({ name: role, role, ...createToken() }));
  const service = await startTestService({
    registration: { allow: ['127.0.0.1'] },
    auth: { tokens: tokens.map(({ name, role, sha256 }) => ({ name, role, sha256 })) },
  });
  const admin = { authorization: `Bearer ${tokens.find(({ role }) => role === 'admin')?.token}` };
  const response = await fetch(`${service.url}/openapi.json`, { headers: admin });
  const document = (await response.json()) as Document;
  const operations = operationsOf(document);
  const ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema(document, 'api');

  const answered = new Set<string>();
  const ask = async (
    key: string,
    path: string,
    status: number,
    init: { readonly body?: string | Uint8Array; readonly headers?: Record<string, string> } = {},
  ): Promise<unknown> => {
    const [method = '', template = ''] = key.split(' ');
    const response = await fetch(service.url + path, {
      method,
      ...init,
      headers: { ...admin, ...init.headers },
    });
    const text = await response.text();
    expect([key, path, response.status, text]).toEqual([key, path, status, text]);
    const described = operations.get(key)?.responses[status];
    expect([key, status, described]).toEqual([key, status, expect.anything()]);
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    expect([key, status, type]).toEqual([
      key,
      status,
      text === '' && described?.content === undefined
        ? ''
        : expect.toBeOneOf(Object.keys(described?.content ?? {})),
    ]);
    for (const header of Object.keys(described?.headers ?? {}))
      expect([key, header, response.headers.get(header)]).toEqual([key, header, expect.any(String)]);
    answered.add(key);
    if (!type.endsWith('json')) return text;
    const pointer = ['paths', template, method.toLowerCase(), 'responses', status, 'content', type, 'schema'];
    const place = pointer.map((part) =>
      encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1')),
    );
    const validate = ajv.compile({ $ref: `api#/${place.join('/')}` });
    const value: unknown = JSON.parse(text);
    validate(value);
    expect([key, status, validate.errors]).toEqual([key, status, null]);
    return value;
  };

  for (const [key, { security }] of operations) {
    const [, template = ''] = key.split(' ');
    const path = template.replaceAll(/\{\w+\}/g, 'none');
    const wanted = security[0]?.token[0];
    if (wanted === undefined) continue;
    await ask(key, path, 401, { headers: { authorization: '' } });
    const other = tokens.find(({ role }) => role === (wanted === 'push' ? 'read' : 'push'));
    await ask(key, path, 403, { headers: { authorization: `Bearer ${other?.token}` } });
  }
  answered.clear();

  const headers = { 'content-type': 'application/json' };
  await ask('GET /healthz', '/healthz', 200);
  await ask('GET /readyz', '/readyz', 200);
  await ask('GET /metrics', '/metrics', 200);
  await ask('GET /metrics', '/metrics', 200, { headers: { accept: 'application/openmetrics-text' } });
  await ask('GET /openapi.json', '/openapi.json', 200);
  await ask('GET /docs/api', '/docs/api', 200);
  await ask('GET /page-settings', '/page-settings', 200);
  const [dashboard] = (await ask('GET /dashboards', '/dashboards', 200)) as { uid: string }[];
  await ask('GET /dashboards/{uid}', `/dashboards/${dashboard?.uid}`, 200);
  await ask('GET /dashboards/{uid}', '/dashboards/none', 404);

  const exposition = { body: 'job_rows 3\n', headers: { 'content-type': 'text/plain' } };
  for (const [template, path] of [
    ['/push/{job}', '/push/rows'],
    ['/push/{job}/{instance}', '/push/rows/one'],
  ] as const) {
    await ask(`POST ${template}`, path, 204, exposition);
    await ask(`PUT ${template}`, path, 204, exposition);
    await ask(`PUT ${template}`, path, 400, { ...exposition, body: '{' });
    await ask(`DELETE ${template}`, path, 204);
    await ask(`DELETE ${template}`, path, 404);
    await ask(`DELETE ${template}`, path.replace('rows', '-'), 400);
  }
  for (const path of ['/v1/metrics', '/api/v1/otlp/v1/metrics']) {
    await ask(`POST ${path}`, path, 200, { body: '{}', headers });
    await ask(`POST ${path}`, path, 400, { body: '[', headers });
    await ask(`POST ${path}`, path, 415, { body: 'x', headers: { 'content-type': 'text/plain' } });
  }

  const target = { body: JSON.stringify({ job: 'shop', url: 'http://127.0.0.1:9/metrics' }), headers };
  const { id } = (await ask('POST /targets', '/targets', 201, target)) as { id: string };
  await ask('POST /targets', '/targets', 200, target);
  await ask('POST /targets', '/targets', 400, { ...target, body: '{}' });
  await ask('POST /targets', '/targets', 403, {
    ...target,
    body: target.body.replace('127.0.0.1', '127.0.0.2'),
  });
  await ask('GET /targets', '/targets', 200);
  await ask('GET /sd/targets', '/sd/targets', 200);
  await ask('GET /api/v1/targets', '/api/v1/targets', 200);
  await ask('GET /api/v1/targets', '/api/v1/targets?state=dropped', 200);
  await ask('PUT /targets/{id}', `/targets/${id}`, 200);
  await ask('PUT /targets/{id}', `/targets/${id}`, 400, { body: '{"ttl":"x"}', headers });
  await ask('PUT /targets/{id}', '/targets/none', 404);
  await ask('DELETE /targets/{id}', `/targets/${id}`, 204);
  await ask('DELETE /targets/{id}', `/targets/${id}`, 404);

  for (const key of operations.keys()) {
    const [, path = ''] = key.split(' ');
    if (!path.startsWith('/api/v1/') || answered.has(key)) continue;
    if (path.includes('{name}')) await ask(key, path.replace('{name}', 'job'), 200);
    else {
      const { parameters = [] } = operations.get(key) as Operation;
      const needed = requiredOf(operations.get(`GET ${path}`));
      if (key.startsWith('GET')) await ask(key, `${path}?${needed}`, 200);
      else {
        expect([key, parameters]).toEqual([key, []]);
        await ask(key, path, 200, {
          body: String(needed),
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        });
      }
      if (needed.size > 0) await ask(key, path, 400);
    }
  }
  await ask('GET /api/v1/query', '/api/v1/query?query=a%20*%20on()%20b&limit=x', 400);

  const hello = await startFakeTarget('hello');
  const measured = await runBenchmark({
    name: 'ci',
    target: hello.url,
    requests: [{ path: '/' }],
    connections: 1,
    durationMs: 150,
    warmupMs: 50,
  });
  const push = (factor: number, key: string, status: number): Promise<unknown> =>
    ask('POST /benchmarks/{name}/results', '/benchmarks/ci/results', status, {
      headers: { ...headers, 'idempotency-key': key },
      body: JSON.stringify({
        ...measured,
        doubts: [],
        requests: { ...measured.requests, perSecond: 1_000 / factor },
      }),
    });
  const ids: string[] = [];
  for (let run = 0; run < 16; run++)
    ids.push(
      ((await push(run < 8 ? 1 + run / 1_000 : 2 + run / 1_000, String(run), 201)) as { id: string }).id,
    );
  await push(1, '0', 200);
  await ask('POST /benchmarks/{name}/results', '/benchmarks/ci/results', 400, { body: '{}', headers });
  await ask('GET /benchmarks', '/benchmarks', 200);
  await ask('GET /benchmarks/{name}/runs', '/benchmarks/ci/runs?limit=2', 200);
  await ask('GET /benchmarks/{name}/runs', '/benchmarks/ci/runs?limit=1&limit=2', 400);
  await ask('GET /benchmarks/{name}/runs', '/benchmarks/none/runs', 404);
  await ask('POST /benchmarks/{name}/runs', '/benchmarks/ci/runs', 404);
  await ask('POST /benchmarks/{name}/runs', '/benchmarks/ci/runs', 400, {
    body: '{"profile":"no"}',
    headers,
  });
  await ask('DELETE /benchmarks/runs', '/benchmarks/runs', 200);
  expect(await ask('GET /benchmarks/{name}/changes', '/benchmarks/ci/changes', 200)).not.toEqual([]);
  const compared = `comparison?base=${ids[0]}&head=${ids[15]}`;
  await ask('GET /benchmarks/comparison', `/benchmarks/${compared}`, 200);
  await ask('GET /benchmarks/comparison', '/benchmarks/comparison', 404);
  await ask('GET /benchmarks/{name}/comparison', `/benchmarks/ci/${compared}`, 200);
  const template = '/benchmarks/{name}/runs/{id}';
  const run = `/benchmarks/ci/runs/${ids[0]}`;
  await ask(`GET ${template}`, run, 200);
  await ask(`DELETE ${template}`, run, 409);
  for (const [rest, place] of [
    ['/report'],
    ['/events'],
    ['/artefacts'],
    ['/artefacts/{file}', '/artefacts/report.html'],
  ]) {
    const key = `GET ${template}${rest}`;
    if (place !== undefined) {
      await ask(`PUT ${template}${rest}`, run + place, 204, { body: 'a report' });
      await ask(`PUT ${template}${rest}`, `${run}/artefacts/other`, 400, { body: 'a report' });
    }
    await ask(key, run + (place ?? rest), 200);
    await ask(key, `/benchmarks/ci/runs/none${place ?? rest}`, 404);
  }
  const open = [...operations].filter(([key, { tags }]) => !answered.has(key) && !tags.includes('Web page'));
  expect(open.map(([key]) => key)).toEqual([]);
});

test('the Prometheus API reads exactly the parameters that its routes describe', async () => {
  const read = new Set<string>();
  const { text, all } = ApiParameters.prototype;
  vi.spyOn(ApiParameters.prototype, 'text').mockImplementation(function (this: ApiParameters, name) {
    read.add(name);
    return text.call(this, name);
  });
  vi.spyOn(ApiParameters.prototype, 'all').mockImplementation(function (this: ApiParameters, name) {
    read.add(name);
    return all.call(this, name);
  });
  onTestFinished(() => void vi.restoreAllMocks());
  const service = await startTestService();
  const { paths } = await getJson<Document>(`${service.url}/openapi.json`);
  for (const [path, { get }] of Object.entries(paths)) {
    if (!path.startsWith('/api/v1/') || get === undefined) continue;
    const described = (get.parameters ?? []).filter((parameter) => parameter.in === 'query');
    const needed = requiredOf(get);
    read.clear();
    const { status } = await fetch(`${service.url}${path.replace('{name}', 'job')}?${needed}`);
    expect([path, status, [...read].sort()]).toEqual([path, 200, described.map(({ name }) => name).sort()]);
  }
});

test('a schema that describes refuses nothing and cuts nothing off an answer', async () => {
  const app = Fastify();
  onTestFinished(() => app.close());
  await describeRoutes(app);
  const part = { type: 'object', properties: { limit: { type: 'integer' } }, required: ['limit'] };
  const schema = {
    querystring: part,
    headers: part,
    body: { content: { 'application/json': { schema: part } } },
    response: { 200: { description: 'Limits', content: { 'application/json': { schema: part } } } },
  };
  app.post('/limits', { schema }, async ({ query, body }) => ({ query, body }));
  const params = { type: 'object', properties: { id: { type: 'string', pattern: '^a' } } };
  app.post('/limits/:id', { schema: { params, body: part } }, async ({ body }) => body);
  const post = async (url: string, payload: object) => {
    const response = await app.inject({ method: 'POST', url, payload });
    return [response.statusCode, response.json()];
  };
  expect(await post('/limits?limit=x&limit=y', { limit: 'z' })).toEqual([
    200,
    { query: { limit: ['x', 'y'] }, body: { limit: 'z' } },
  ]);
  expect(await post('/limits/b', { limit: 1 })).toMatchObject([400, {}]);
  expect(await post('/limits/a', {})).toMatchObject([400, {}]);
  expect(await post('/limits/a', { limit: 1, more: 2 })).toEqual([200, { limit: 1, more: 2 }]);
});
