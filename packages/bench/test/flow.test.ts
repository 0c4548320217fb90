import { rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  type Auth,
  type FlowStep,
  loadScenario,
  parseScenario,
  runBenchmark,
  type Scenario,
  type ScenarioRequest,
} from '../src/index.ts';
import { compileFlows, parseCsv, readFeed } from '../src/load/compile-flows.ts';
import { toWire } from '../src/load/connection.ts';
import { Dispatcher } from '../src/load/dispatcher.ts';
import { compileTemplate, explainTemplate } from '../src/scenario/flow.ts';

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

test('a value that is missing at run time is a failed check and an unsent request, not a crash', async () => {
  const target = await serve((_request, _body, response) => response.end('{"order":{}}'));
  const result = await runBenchmark({
    ...base,
    target,
    flows: [
      { name: 'f', steps: [{ path: '/', save: { id: { json: 'id' } } }] },
      { name: 'g', steps: [{ path: '/', save: { order: { json: 'order' } } }, { path: '/{{order.id}}' }] },
    ],
    objectives: ['errors < 1%'],
  });
  expect(Object.keys(result.checks?.failures ?? {}).sort()).toEqual([
    'f / GET /: no id to save',
    'g / GET /{{order.id}}: `{{order.id}}` has no value',
  ]);
  expect(result.failures.unsent).toBeGreaterThan(0);
  expect(result.requests.errors).toBe(result.failures.unsent);
  expect(result.objectives[0]?.met).toBe(false);
});

test.each<[string, Partial<Scenario>]>([
  ['a closed loop', { connections: 2 }],
  ['an open loop', { rate: 20, connections: 20 }],
])('of %s of flows a step without an answer is a failed check', async (_name, load) => {
  const target = await serve((request, _body, response) => {
    if (request.url === '/login') response.end();
    else if (request.url === '/cut') request.socket.destroy();
  });
  const steps = (path: string) => [{ path: '/login' }, { path, check: { maxMs: 10_000 } }];
  const result = await runBenchmark({
    ...base,
    target,
    timeoutMs: 100,
    ...load,
    flows: [
      { name: 'slow', steps: steps('/never') },
      { name: 'cut', steps: steps('/cut') },
    ],
    objectives: ['checks > 99%', 'p99 < 5s'],
  });
  const { requests, failures, checks } = result;
  expect(checks?.failures).toEqual({
    'slow / GET /never: no answer (timeout)': failures.timeout,
    'cut / GET /cut: no answer (cut)': failures.cut,
  });
  expect((checks?.passed ?? 0) + (checks?.failed ?? 0)).toBe(requests.total);
  expect(result.objectives.map(({ met }) => met)).toEqual([false, false]);
});

test('an open loop of flows counts sessions as due, whatever they send, and those that break off as not achieved', async () => {
  const target = await serve((request, _body, response) => {
    response.statusCode = request.url === '/broken' ? 500 : 200;
    response.end();
  });
  const load = {
    ...base,
    target,
    connections: 50,
    rate: 50,
    durationMs: 400,
    objectives: ['achievedRate > 99%'],
  };
  const whole = { name: 'whole', steps: [{ path: '/a' }, { path: '/b' }, { path: '/c' }] };
  const sound = await runBenchmark({ ...load, flows: [whole] });
  expect(sound.arrivals).toMatchObject({ intended: 20, achieved: 1 });
  expect(sound.requests.total).toBeGreaterThan(40);
  expect(sound.objectives[0]?.met).toBe(true);
  const half = await runBenchmark({
    ...load,
    flows: [whole, { name: 'half', steps: [{ path: '/broken' }] }],
  });
  expect(half.arrivals).toMatchObject({ intended: 20, achieved: 0.5 });
  expect(half.objectives[0]?.met).toBe(false);
});

test('every session that is due begins, even where the generator is late with all of them', async () => {
  const target = await serve((_request, _body, response) => response.end());
  let asked = 0;
  // Held up until after the measured time, as a process that gets no processor.
  const now = (): number => {
    asked += 1;
    if (asked === 100) while (performance.now() < startMs + 600);
    return performance.now();
  };
  const startMs = performance.now();
  const flows = [{ name: 'one', steps: [{ path: '/' }] }];
  const load = { ...base, target, connections: 500, rate: 1_000, durationMs: 300, flows };
  const { requests, arrivals } = await runBenchmark(load, { clock: { now } });
  expect(requests.total).toBe(300);
  expect(arrivals).toMatchObject({ intended: 300, achieved: 1 });
  expect(arrivals?.late).toBeGreaterThan(100);
});

const order = (steps: readonly object[], more: object = {}) => ({
  name: 'x',
  target: 'http://127.0.0.1:1',
  feeds: { user: 'user.csv' },
  flows: [
    { name: 'sound', steps: [{ path: '/{{user.id}}' }] },
    { name: 'order', steps },
  ],
  ...more,
});

test.each<[object, string, string]>([
  [order([{ path: '/{{usr.id}}' }]), 'flows[1].steps[0].path', '`{{usr.id}}`'],
  [order([{ path: '/', headers: { 'x-id': '{{usr}}' } }]), 'flows[1].steps[0].headers.x-id', '`{{usr}}`'],
  [
    order([{ path: '/' }, { path: '/', body: '{"id":{{ usr.id }}}' }]),
    'flows[1].steps[1].body',
    '`{{usr.id}}`',
  ],
  [order([{ path: '/{{env}}' }]), 'flows[1].steps[0].path', '`{{env}}`'],
  [order([{ path: '/{{id}}', save: { id: { json: 'id' } } }]), 'flows[1].steps[0].path', '`{{id}}`'],
  [
    order([{ path: '/{{id}}' }, { path: '/', save: { id: { json: 'id' } } }]),
    'flows[1].steps[0].path',
    'earlier step',
  ],
  [order([{ path: '/{{user.id}' }]), 'flows[1].steps[0].path', 'not closed'],
  [order([{ path: '/' }], { auth: { bearer: '{{user.token}}' } }), 'auth.bearer', '{{env.NAME}}'],
  [
    order([{ path: '/' }], { auth: { basic: { user: 'a', password: '{{secret}}' } } }),
    'auth.basic.password',
    '{{env.NAME}}',
  ],
])('a name that nothing can give a value to is refused: %#', async (scenario, path, text) => {
  const issues = [{ path, message: expect.stringContaining(text) }];
  expect(() => parseScenario(scenario)).toThrow(
    expect.objectContaining({ code: 'ERR_WEIR_BENCH_SCENARIO', issues }),
  );
});

test('names of feeds, of the environment and of what earlier steps saved are taken', () => {
  const save = { id: { json: 'id' }, user: { json: 'user' } };
  const later = { path: '/{{id}}/{{user.any.thing}}', headers: { a: '{{env.HOME}}' }, body: '{{user.id}}' };
  expect(() => parseScenario(order([{ path: '/{{user.id}}', save }, later]))).not.toThrow();
});

test.each([
  [
    'user.csv',
    'id,name\n1,ann\n',
    '/{{user.nme}}',
    'no row of the feed `user` has it; its columns are `id`, `name`',
  ],
  ['user.json', '[{"id":1},{"id":2,"card":null}]', '/{{user.card}}', 'no row of the feed `user` has it'],
  ['user.json', '[{"id":1}]', '/{{user.id.deep}}', 'no row of the feed `user` has it'],
  ['user.json', '[{"id":1},{"id":2,"card":7}]', '/{{user.card}}', undefined],
  ['user.csv', 'id\n""\n', '/{{user.id}}', undefined],
  ['user.csv', 'id\n1\n', '/{{env.WEIR_TEST_NOWHERE}}', 'set the variable'],
])(
  '%s of %j with %s: what no row and no variable holds is refused before any load',
  async (name, text, path, said) => {
    const file = join(directory, name);
    await writeFile(file, text);
    let requests = 0;
    const target = await serve((_request, _body, response) => {
      requests += 1;
      response.end();
    });
    const flows = [{ name: 'f', steps: [{ path: '/' }, { path }] }];
    const run = runBenchmark({ ...base, target, flows, feeds: { user: file } });
    if (said === undefined) {
      await run;
      return;
    }
    await expect(run).rejects.toMatchObject({
      code: 'ERR_WEIR_BENCH_SCENARIO',
      issues: [{ path: 'flows[0].steps[1].path', message: expect.stringContaining(said) }],
    });
    expect(requests).toBe(0);
  },
);

test('feeds are read before the clock starts', async () => {
  const file = join(directory, 'early.csv');
  await writeFile(file, 'id\n1\n');
  const target = await serve((_request, _body, response) => response.end());
  const flows = [{ name: 'f', steps: [{ path: '/{{user.id}}' }] }];
  for (const load of [{}, { rate: 20 }]) {
    await writeFile(file, 'id\n1\n');
    const now = (): number => {
      rmSync(file, { force: true });
      return performance.now();
    };
    const { requests } = await runBenchmark(
      { ...base, target, flows, feeds: { user: file }, ...load },
      { clock: { now } },
    );
    expect(requests.ok).toBeGreaterThan(0);
  }
});

const loads: [string, (step: object) => Partial<Scenario>][] = [
  ['a closed loop', (step) => ({ requests: [step as ScenarioRequest] })],
  ['an open loop', (step) => ({ requests: [step as ScenarioRequest], rate: 50 })],
  ['an open loop of two threads', (step) => ({ requests: [step as ScenarioRequest], rate: 50, workers: 2 })],
  ['flows', (step) => ({ flows: [{ name: 'f', steps: [step as FlowStep] }] })],
  ['an open loop of flows', (step) => ({ rate: 50, flows: [{ name: 'f', steps: [step as FlowStep] }] })],
];

test.each(
  loads.flatMap(([name, load]) =>
    [
      ['authorization', { bearer: 'a' }],
      ['Authorization', { basic: { user: 'a', password: 'b' } }],
      ['AUTHORIZATION', { bearer: 'a' }],
      [undefined, { bearer: 'a' }],
    ].map(([header, auth]) => [name, header as string | undefined, auth as Auth, load] as const),
  ),
)('in %s the own header %s of a request wins over %j, and one is sent', async (_name, header, auth, load) => {
  const seen = new Set<string>();
  const stop = new AbortController();
  let requests = 0;
  const target = await serve((request, _body, response) => {
    const { rawHeaders } = request;
    const values = rawHeaders.filter(
      (_, at) => /^authorization$/i.test(rawHeaders[at - 1] ?? '') && at % 2 === 1,
    );
    seen.add(values.join(' and '));
    response.end();
    requests += 1;
    if (requests === 5) stop.abort();
  });
  const headers = header === undefined ? {} : { [header]: 'Bearer own' };
  const scenario = { ...base, durationMs: 60_000, target, auth, ...load({ path: '/', headers }) };
  await runBenchmark(scenario, { signal: stop.signal });
  expect([...seen]).toEqual([header === undefined ? 'Bearer a' : 'Bearer own']);
});

test('two headers whose names differ by case only are refused', () => {
  const headers = { 'X-Trace': 'a', 'x-trace': 'b' };
  for (const load of [
    { requests: [{ path: '/', headers }] },
    { flows: [{ name: 'f', steps: [{ path: '/', headers }] }] },
  ])
    expect(() => parseScenario({ name: 'x', target: 'http://127.0.0.1:1', ...load })).toThrow(
      /x-trace: is given twice/,
    );
});

test.each<[Partial<FlowStep>, boolean]>([
  [{}, false],
  [{ check: { status: 200, maxMs: 5 } }, false],
  [{ save: { token: { header: 'x-token' } } }, false],
  [{ check: { contains: 'a' } }, true],
  [{ check: { json: { a: 1 } } }, true],
  [{ save: { id: { json: 'id' } } }, true],
  [{ save: { id: { regex: 'a' }, token: { header: 'x' } } }, true],
])('the body of a step with %j is kept: %s', (step, kept) => {
  const scenario = parseScenario(
    order([{ path: '/', ...step }], { feeds: {}, flows: [{ name: 'f', steps: [{ path: '/', ...step }] }] }),
  );
  expect(compileFlows(scenario).begin().steps[0]?.readsBody).toBe(kept);
});

test('a connection hands out the body of an exchange that keeps it, in whatever pieces it came, and of no other', async () => {
  const text = 'x'.repeat(300_000);
  const target = new URL(await serve((_request, _body, response) => response.end(text)));
  const bodies: number[] = [];
  await new Promise<void>((resolve) => {
    const dispatcher = new Dispatcher({
      target,
      trust: undefined,
      maxConnections: 1,
      timeoutMs: 10_000,
      clock: performance,
      outcomes: { answered() {}, failed() {}, late() {}, redirected() {} },
      onIdle: () => {
        dispatcher.close();
        resolve();
      },
    });
    const request = toWire({ method: 'GET', path: '/', headers: {} }, target.host);
    for (const keepBody of [true, false, true]) {
      dispatcher.begin({
        dueMs: performance.now(),
        request,
        keepBody,
        onEnd: (answer) => bodies.push(typeof answer === 'string' ? -1 : answer.body.length),
      });
    }
  });
  expect(bodies).toEqual([text.length, 0, text.length]);
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
