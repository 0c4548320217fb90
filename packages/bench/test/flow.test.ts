import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { parseCsv, readFeed } from '../src/flow/feed.ts';
import { compileTemplate, explainTemplate } from '../src/flow/template.ts';
import { loadScenario, runBenchmark, type Scenario } from '../src/index.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'weir-flow-'));
});
afterAll(() => rm(directory, { recursive: true }));

let close: (() => void) | undefined;
afterEach(() => close?.());

async function serve(
  handler: (request: IncomingMessage, body: string, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => handler(request, body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close = () => {
    server.closeAllConnections();
    server.close();
  };
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const base = { name: 'flow', warmupMs: 0, durationMs: 200, connections: 2 };

test('a session saves values, names them later, and takes a row of its feed', async () => {
  const seen: string[] = [];
  let orders = 0;
  const target = await serve((request, body, response) => {
    seen.push(
      `${request.method} ${request.url} ${request.headers.authorization} ${request.headers['x-csrf'] ?? ''} ${body}`,
    );
    if (request.url === '/login') {
      response.setHeader('x-token', 'T 1');
      response.end('<input name="csrf" value="c&1">');
    } else if (request.method === 'POST') {
      orders += 1;
      response.end(JSON.stringify({ order: { id: `a/${orders}` } }));
    } else response.end('{"ok":true}');
  });
  await writeFile(join(directory, 'users.csv'), 'name,note\nada,"likes ""quotes"", commas"\ngrace,\n');
  const file = join(directory, 'order.json');
  const scenario = {
    ...base,
    target,
    connections: 1,
    feeds: { user: 'users.csv' },
    auth: { basic: { user: 'shop', password: '{{env.WEIR_TEST_PASSWORD}}' } },
    flows: [
      {
        name: 'order',
        steps: [
          { path: '/login', save: { csrf: { regex: 'value="([^"]+)"' }, token: { header: 'X-Token' } } },
          {
            method: 'POST',
            path: '/orders?for={{user.name}}',
            headers: { 'x-csrf': '{{csrf}}' },
            body: '{"note":"{{user.note}}"}',
            save: { order: { json: 'order' } },
          },
          { path: '/orders/{{order.id}}', check: { status: [200, 201], json: { ok: true }, contains: 'ok' } },
        ],
      },
    ],
  };
  await writeFile(file, JSON.stringify(scenario));
  process.env.WEIR_TEST_PASSWORD = 'secret';
  const result = await runBenchmark(await loadScenario(file));
  const authorization = `Basic ${Buffer.from('shop:secret').toString('base64')}`;
  expect(seen.slice(0, 6)).toEqual([
    `GET /login ${authorization}  `,
    `POST /orders?for=ada ${authorization} c&1 {"note":"likes "quotes", commas"}`,
    `GET /orders/a%2F1 ${authorization}  `,
    `GET /login ${authorization}  `,
    `POST /orders?for=grace ${authorization} c&1 {"note":""}`,
    `GET /orders/a%2F2 ${authorization}  `,
  ]);
  expect(result.requests.total).toBe(seen.length);
  expect(result.checks).toEqual({ passed: seen.length, failed: 0, failures: {} });
  expect(result.steps?.map((step) => step.name)).toEqual([
    'order / GET /login',
    'order / POST /orders?for={{user.name}}',
    'order / GET /orders/{{order.id}}',
  ]);
});

test('flows are mixed by their weights', async () => {
  const seen: string[] = [];
  const target = await serve((request, _body, response) => {
    seen.push(request.url ?? '');
    response.end();
  });
  const flow = (name: string, weight: number) => ({ name, weight, steps: [{ path: `/${name}` }] });
  await runBenchmark({ ...base, target, connections: 1, flows: [flow('a', 3), flow('b', 1)] });
  expect(seen.slice(0, 8).sort().join(' ')).toBe('/a /a /a /a /a /a /b /b');
});

test('a failed check is counted with its reason and ends its session', async () => {
  const seen: string[] = [];
  const target = await serve((request, _body, response) => {
    seen.push(request.url ?? '');
    response.statusCode = request.url === '/first' ? 503 : 200;
    response.end();
  });
  const result = await runBenchmark({
    ...base,
    target,
    flows: [{ name: 'f', steps: [{ path: '/first' }, { path: '/second' }] }],
    objectives: ['checks > 99%'],
  });
  expect(new Set(seen)).toEqual(new Set(['/first']));
  expect(result.checks).toEqual({
    passed: 0,
    failed: seen.length,
    failures: { 'f / GET /first: status 503': seen.length },
  });
  expect(result.objectives).toEqual([{ expression: 'checks > 99%', met: false, actual: 0 }]);
});

test('think time keeps a session waiting, not its connection', async () => {
  let requests = 0;
  const target = await serve((_request, _body, response) => {
    requests += 1;
    response.end();
  });
  const flows = [{ name: 'slow', steps: [{ path: '/', thinkMs: 60_000 }, { path: '/never' }] }];
  const result = await runBenchmark({ ...base, target, connections: 3, flows });
  expect(requests).toBe(3);
  expect(result.requests).toMatchObject({ total: 3, ok: 3 });
});

test('sessions of an open loop begin when they are due', async () => {
  const target = await serve((_request, _body, response) => response.end());
  const flows = [{ name: 'pair', steps: [{ path: '/a' }, { path: '/b' }] }];
  const { arrivals, requests, load } = await runBenchmark({
    ...base,
    target,
    connections: 50,
    rate: 100,
    durationMs: 300,
    flows,
  });
  expect(load.mode).toBe('open');
  expect(requests.ok).toBe(requests.total);
  expect(requests.total).toBeGreaterThan(55);
  expect(requests.total).toBeLessThanOrEqual(60);
  expect(arrivals?.dropped).toBe(0);
});

test('a value that is missing at run time is a failed check, not a crash', async () => {
  const target = await serve((_request, _body, response) => response.end('{}'));
  const result = await runBenchmark({
    ...base,
    target,
    flows: [
      { name: 'f', steps: [{ path: '/', save: { id: { json: 'id' } } }] },
      { name: 'g', steps: [{ path: '/{{nothing}}' }] },
    ],
  });
  expect(Object.keys(result.checks?.failures ?? {}).sort()).toEqual([
    'f / GET /: no id to save',
    'g / GET /{{nothing}}: `{{nothing}}` has no value',
  ]);
});

test.each<[Partial<Scenario>, string]>([
  [{ flows: [] }, 'flows'],
  [{ flows: [{ name: 'f', steps: [{ path: '/{{a b}}' }] }] }, 'flows[0].steps[0].path'],
  [
    { flows: [{ name: 'f', steps: [{ path: '/', save: { x: { regex: '(' } } }] }] },
    'flows[0].steps[0].save.x.regex',
  ],
  [{ feeds: { u: 'u.csv' }, requests: [{ path: '/' }] }, 'feeds'],
  [{}, 'requests'],
])('%j is refused at %s', async (part, path) => {
  await expect(runBenchmark({ name: 'x', target: 'http://127.0.0.1:1', ...part })).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_SCENARIO',
    issues: [expect.objectContaining({ path })],
  });
});

test.each([
  ['empty.csv', 'a,b\n', 'has no rows'],
  ['short.csv', 'a,b\n1,2\n"x\ny",2,3\n', 'line 3: expected 2 values, got 3'],
  ['quote.csv', 'a\n"open\n', 'a quote is not closed'],
  ['twice.csv', 'a,a\n1,2\n', 'line 1: every column'],
  ['broken.json', '[{]', 'is not JSON'],
  ['scalar.json', '[1]', 'expected a list of objects'],
  ['missing.csv', undefined, 'cannot be read (ENOENT)'],
])('a feed %s is one clear line', async (name, content, text) => {
  if (content !== undefined) await writeFile(join(directory, name), content);
  const read = () => readFeed(name, directory);
  expect(read).toThrow(expect.objectContaining({ code: 'ERR_WEIR_BENCH_FILE' }));
  expect(read).toThrow(text);
});

test('CSV values survive quoting, whatever they hold', () => {
  const value = fc.string({ unit: 'grapheme', maxLength: 20 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(value, value), { minLength: 1 }),
      fc.constantFrom('\n', '\r\n'),
      (rows, newline) => {
        const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
        const text = [['a', 'b'], ...rows].map((row) => row.map(quote).join(',')).join(newline);
        expect(parseCsv(text, 'x.csv')).toEqual(rows.map(([a, b]) => ({ a, b })));
      },
    ),
  );
});

test('templates read own properties only and encode what stands in a path', () => {
  expect(compileTemplate('/{{a.b[1]}}', encodeURIComponent).render({ a: { b: [0, '../x y'] } })).toBe(
    '/..%2Fx%20y',
  );
  expect(() => compileTemplate('{{a.constructor}}').render({ a: {} })).toThrow('has no value');
  expect(compileTemplate('{{a}}').render({ a: { b: 1 } })).toBe('{"b":1}');
  expect(explainTemplate('{{a.b}} {{env.X}}')).toBeUndefined();
  expect(explainTemplate('{{process.exit()}}')).toContain('must name a value');
});
