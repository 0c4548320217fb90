import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startFakeTarget } from './support/fake-target.ts';
import {
  eventually,
  getJson,
  instant,
  runServiceProcess,
  startServiceProcess,
} from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const fast = { scrape: { interval: '200ms', timeout: '200ms' } };

test('a scraped target is answered by the query API, and its vanished series end at once', async () => {
  const directory = temporaryDirectory();
  const target = await startFakeTarget('requests_total{path="/a"} 5\ngone 1\n');
  const service = await startServiceProcess(directory, {
    ...fast,
    targets: [{ job: 'shop', url: `${target.url}/metrics`, labels: { env: 'test' } }],
  });
  await eventually(
    () => instant(service, 'requests_total'),
    (answer) => answer.length === 1,
  );
  const labels = { job: 'shop', instance: target.instance, env: 'test' };
  const poll = (query: string) => expect.poll(() => instant(service, query), { timeout: 20_000 });
  await poll('requests_total * 2').toEqual([[{ path: '/a', ...labels }, '10']]);
  await poll('up{job="shop"}').toEqual([[{ __name__: 'up', ...labels }, '1']]);
  await poll('scrape_samples_scraped{job="shop"}').toEqual([
    [{ __name__: 'scrape_samples_scraped', ...labels }, '2'],
  ]);
  target.respond = (_request, response) => response.end('requests_total{path="/a"} 6\n');
  await eventually(
    () => instant(service, 'gone'),
    (answer) => answer.length === 0,
  );
  await poll('sum(requests_total)').toEqual([[{}, '6']]);
  await target.close();
  await eventually(
    () => instant(service, 'up{job="shop"}'),
    (answer) => answer[0]?.[1] === '0',
  );
  expect(await instant(service, 'requests_total')).toEqual([]);
});

test('samples older than two seconds outlive SIGKILL', async () => {
  const directory = temporaryDirectory();
  let count = 0;
  const target = await startFakeTarget((_request, response) => response.end(`ticks_total ${++count}\n`));
  const config = { ...fast, targets: [{ job: 'clock', url: `${target.url}/metrics` }] };
  const first = await startServiceProcess(directory, config);
  await eventually(
    () => instant(first, 'count_over_time(ticks_total[1m])'),
    (answer) => Number(answer[0]?.[1]) >= 14,
  );
  const atMs = Date.now();
  const query = 'ticks_total[1m]';
  const range = async (url: string): Promise<unknown> =>
    (await getJson<{ data: unknown }>(`${url}/api/v1/query?query=${query}&time=${(atMs - 2_000) / 1000}`))
      .data;
  const before = await range(first.url);
  expect(JSON.stringify(before)).toContain('"values":[[');
  await first.end('SIGKILL');
  const second = await startServiceProcess(directory, config);
  expect(await range(second.url)).toEqual(before);
  expect(second.output().stderr).toBe('');
});

test('SIGTERM ends the service cleanly while a target hangs', async () => {
  const target = await startFakeTarget(() => {});
  const service = await startServiceProcess(temporaryDirectory(), {
    scrape: { interval: '30s', timeout: '30s' },
    targets: [{ job: 'slow', url: target.url }],
  });
  await eventually(
    async () => target.requests,
    (requests) => requests === 1,
  );
  expect(await service.end('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(service.output().stderr).toBe('');
});

test('a wrong configuration ends the service with one line for every mistake, no stack and exit code 2', async () => {
  const missing = await runServiceProcess(temporaryDirectory(), undefined);
  expect(missing).toMatchObject({ code: 2, stdout: '' });
  expect(missing.stderr).toMatch(
    /^weir: No configuration at \S+\. Create it, or name another with --config\.\n$/,
  );
  const config = {
    targets: [
      { job: 'a', url: 'http://x/' },
      { job: 7, url: 'http://y/', labelz: {} },
    ],
    liste: {},
  };
  const wrong = await runServiceProcess(temporaryDirectory(), config);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr.trimEnd().split('\n')).toHaveLength(3);
  expect(wrong.stderr).toContain('targets[1]: unknown key `labelz`. Known keys: job, url, labels.');
});

test('a port in use and a bad PORT end with one line each', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const inUse = await runServiceProcess(temporaryDirectory(), { targets: [] }, { PORT: String(port) });
  expect(inUse.code).toBe(1);
  expect(inUse.stderr).toBe(
    `weir: Cannot listen on 127.0.0.1:${port}: the port is in use. Stop what uses it, or set PORT or \`listen.port\`.\n`,
  );
  const bad = await runServiceProcess(temporaryDirectory(), { targets: [] }, { PORT: 'http' });
  expect(bad.code).toBe(2);
  expect(bad.stderr).toContain('environment variable PORT: expected a number from 0 to 65535, got "http".');
});

test('wrong requests are answered, each in the way of its part of the API', async () => {
  const service = await startServiceProcess(temporaryDirectory(), { targets: [] });
  const ask = async (path: string, init?: RequestInit): Promise<[number, string | null, unknown]> => {
    const response = await fetch(service.url + path, init);
    return [response.status, response.headers.get('content-type'), await response.json()];
  };
  const problem = 'application/problem+json; charset=utf-8';
  expect(await ask('/nothing')).toMatchObject([404, problem, { title: 'Not found', status: 404 }]);
  expect(await ask('/%ff')).toMatchObject([400, problem, { title: 'Bad request', status: 400 }]);
  expect(await ask('/benchmarks/none/runs', { method: 'POST' })).toMatchObject([404, problem, {}]);
  const json = { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } };
  expect(await ask('/benchmarks/none/runs', json)).toMatchObject([400, problem, { status: 400 }]);
  expect(await ask('/api/v1/query?query=sum(')).toMatchObject([
    400,
    'application/json; charset=utf-8',
    { status: 'error', errorType: 'bad_data' },
  ]);
  expect(await ask('/api/v1/nothing')).toMatchObject([404, expect.anything(), { errorType: 'not_found' }]);
  expect(await ask('/api/v1/query_range?query=up&start=0&end=11001&step=1')).toMatchObject([
    400,
    expect.anything(),
    { error: expect.stringContaining('exceeded maximum resolution of 11,000 points') },
  ]);
  expect(await ask('/api/v1/query?query=1&time=x')).toMatchObject([
    400,
    expect.anything(),
    { error: 'invalid parameter "time": cannot parse "x" to a valid timestamp' },
  ]);
  const page = await fetch(`${service.url}/healthz`);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  expect(await ask('/readyz')).toMatchObject([200, expect.anything(), { status: 'ready' }]);
});

test('a query as a form answers as one in the URL does, infinities and NaN as strings', async () => {
  const service = await startServiceProcess(temporaryDirectory(), { targets: [] });
  const form = await fetch(`${service.url}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query: 'vector(0)/0 or -1/vector(0)', time: '4.5' }),
  });
  expect(await form.json()).toMatchObject({
    status: 'success',
    data: { resultType: 'vector', result: [{ metric: {}, value: [4.5, 'NaN'] }] },
  });
  const range = await fetch(`${service.url}/api/v1/query_range`, {
    method: 'POST',
    body: new URLSearchParams({ query: '1/0', start: '0', end: '2', step: '1s' }),
  });
  expect(await range.json()).toMatchObject({
    data: {
      resultType: 'matrix',
      result: [
        {
          metric: {},
          values: [
            [0, '+Inf'],
            [1, '+Inf'],
            [2, '+Inf'],
          ],
        },
      ],
    },
  });
});
