import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type BenchmarkProgress, runBenchmark, type Scenario } from '../src/index.ts';
import { plainAnswer, type Script, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function load(script: Script, scenario: Partial<Scenario> = {}) {
  server = await startScriptedServer(script);
  return runBenchmark({
    name: 'scripted',
    target: server.target,
    requests: [{ path: '/' }],
    connections: 2,
    durationMs: 600,
    warmupMs: 0,
    timeoutMs: 2_000,
    ...scenario,
  });
}

test('every request of the measured time counts once', async () => {
  const result = await load((socket) => socket.write(plainAnswer));
  expect(result.requests.total).toBeGreaterThan(0);
  expect(result.requests).toMatchObject({ ok: result.requests.total, non2xx: 0, errors: 0, timeouts: 0 });
  expect(result.requests.total).toBe(server?.arrivals.length);
  expect(result.statusCodes).toEqual({ 200: result.requests.total });
  expect(result).toMatchObject({
    schemaVersion: 1,
    partial: false,
    durationMs: 600,
    load: { mode: 'closed', connections: 2, pipelining: 1 },
  });
});

test('requests of the warm-up are not counted', async () => {
  const result = await load((socket) => socket.write(plainAnswer), { warmupMs: 200, durationMs: 100 });
  expect(result.requests.total).toBeGreaterThan(0);
  expect(result.requests.total).toBeLessThan(server?.arrivals.length ?? 0);
});

test('statuses other than 2xx are counted apart and redirects are not followed', async () => {
  const result = await load((socket, index) => {
    if (index % 2 === 0) socket.write('HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n');
    else socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
  });
  expect(result.requests.ok).toBe(0);
  expect(result.requests.non2xx).toBe(result.requests.total);
  expect(Object.keys(result.statusCodes)).toEqual(['302', '503']);
});

test.each<[string, (socket: Parameters<Script>[0]) => void]>([
  ['a FIN without an answer', (socket) => socket.end()],
  ['a reset', (socket) => socket.resetAndDestroy()],
  [
    'an answer cut off in its body',
    (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel'),
  ],
  ['an answer that is not HTTP', (socket) => socket.write('SMTP ready\r\n\r\n')],
])('%s counts as a request without an answer, and what follows is timed on its own', async (_name, fault) => {
  const faults = [3, 10, 11, 20];
  const result = await load((socket, index) => {
    if (faults.includes(index)) fault(socket);
    else socket.write(plainAnswer);
  });
  expect(result.requests.errors).toBe(faults.length);
  expect(result.requests.timeouts).toBe(0);
  expect(result.requests.total).toBe(server?.arrivals.length);
  expect(result.requests.ok).toBe(result.requests.total - faults.length);
});

test('an answer that nobody asked for answers nothing, and ends its connection', async () => {
  const result = await load((socket, index) =>
    socket.write(index === 5 ? plainAnswer + plainAnswer : plainAnswer),
  );
  expect(result.requests.total).toBe(server?.arrivals.length);
  expect(result.failures).toEqual({ malformed: 1 });
});

test('a request that is never answered counts as timed out and stands in the histogram', async () => {
  const result = await load((socket, index) => index !== 5 && socket.write(plainAnswer), { timeoutMs: 150 });
  expect(result.requests).toMatchObject({ errors: 1, timeouts: 1 });
  expect(result.requests.total).toBe(server?.arrivals.length);
  expect(result.latencyMs.max).toBeGreaterThanOrEqual(145);
});

test('a server that never answers shows one timeout for each connection and its patience', async () => {
  const result = await load(() => {}, { timeoutMs: 150, durationMs: 100 });
  expect(result.requests).toMatchObject({ total: 2, errors: 2, timeouts: 2, ok: 0 });
});

test('a slow body counts until its last byte', async () => {
  const result = await load(
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe');
      setTimeout(() => socket.write('llo'), 60);
    },
    { durationMs: 150 },
  );
  expect(result.latencyMs.min).toBeGreaterThanOrEqual(55);
});

test.each<[string, string, Partial<Scenario>]>(
  [
    'Connection: close\r\nContent-Length: 5\r\n\r\nhello',
    'connection: Close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'Connection: keep-alive,close\r\nContent-Length: 0\r\n\r\n',
  ].flatMap((answer) => [
    ['a closed loop', answer, {}] as [string, string, Partial<Scenario>],
    ['an open loop', answer, { rate: 100, connections: 2 }],
    ['flows', answer, { requests: [], flows: [{ name: 'one', steps: [{ path: '/' }] }] }],
  ]),
)(
  '%s closes a connection whose server announced its end and leaves it to the client: %j',
  async (_name, answer, more) => {
    // The second answer of each connection is its last.
    const result = await load((socket) => {
      const { answered = 0 } = socket as { answered?: number };
      Object.assign(socket, { answered: answered + 1 });
      socket.write(answered === 0 ? plainAnswer : `HTTP/1.1 200 OK\r\n${answer}`);
    }, more);
    expect(result.requests.total).toBeGreaterThan(30);
    expect(result.requests).toMatchObject({ ok: result.requests.total, errors: 0 });
    expect(result.requests.total).toBe(server?.arrivals.length);
    expect(server?.connections()).toBeLessThanOrEqual(2);
  },
);

test('pipelined requests behind the last answer of a connection were not answered', async () => {
  const result = await load(
    (socket, index) => {
      if (index % 4 === 3) socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      else if (index % 4 < 2) socket.write(plainAnswer);
    },
    { connections: 1, pipelining: 3, timeoutMs: 300, durationMs: 300 },
  );
  expect(result.requests.ok).toBeGreaterThan(1);
  expect(result.requests.total).toBe(server?.arrivals.length);
});

test('answers to HEAD, chunked answers and answers that close the connection end where they should', async () => {
  const answers: Record<string, string> = {
    '/head': 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n',
    '/chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    '/close': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello',
    '/until-end': 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello',
  };
  const result = await load(
    (socket, _index, head) => {
      const path = head.split(' ')[1] ?? '';
      if (path === '/close' || path === '/until-end') socket.end(answers[path] ?? '');
      else socket.write(answers[path] ?? '');
    },
    {
      requests: [
        { method: 'HEAD', path: '/head' },
        { path: '/chunked' },
        { path: '/close' },
        { path: '/until-end' },
      ],
    },
  );
  expect(result.requests.total).toBeGreaterThan(20);
  expect(result.requests.errors).toBe(0);
  expect(result.requests.ok).toBe(server?.arrivals.length);
});

test('pipelined requests that a cut connection takes with it are all counted', async () => {
  const result = await load(
    (socket, index) => (index === 7 ? socket.resetAndDestroy() : socket.write(plainAnswer)),
    {
      connections: 1,
      pipelining: 4,
    },
  );
  expect(result.load).toEqual({ mode: 'closed', connections: 1, pipelining: 4 });
  expect(result.requests.errors).toBeGreaterThanOrEqual(1);
  expect(result.requests.errors).toBeLessThanOrEqual(4 + 3);
  expect(result.requests.ok + result.requests.errors).toBe(result.requests.total);
});

test('aborting ends at once with what was measured, marked partial, and closes every connection', async () => {
  const abort = new AbortController();
  server = await startScriptedServer((socket) => socket.write(plainAnswer));
  const seen: BenchmarkProgress[] = [];
  const result = await runBenchmark(
    { name: 'abort', target: server.target, requests: [{ path: '/' }], durationMs: 60_000, warmupMs: 0 },
    {
      signal: abort.signal,
      onProgress: (progress) => {
        seen.push(progress);
        if (progress.requests > 10) abort.abort();
      },
    },
  );
  expect(result.partial).toBe(true);
  expect(result.durationMs).toBeLessThan(30_000);
  expect(result.requests.ok).toBeGreaterThan(10);
  expect(seen[0]).toMatchObject({ phase: 'running', totalMs: 60_000 });
  await expect.poll(() => server?.connections()).toBe(0);
});

test('a run aborted before it began is empty and partial', async () => {
  server = await startScriptedServer((socket) => socket.write(plainAnswer));
  const result = await runBenchmark(
    { name: 'abort', target: server.target, requests: [{ path: '/' }] },
    { signal: AbortSignal.abort() },
  );
  expect(result).toMatchObject({ partial: true, durationMs: 0, requests: { total: 0, perSecond: 0 } });
});

test('bodies and headers arrive as written', async () => {
  const seen = new Set<string>();
  const http = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      seen.add(`${request.method} ${request.url} ${request.headers['x-shop']} ${body}`);
      response.end();
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const result = await runBenchmark({
    name: 'body',
    target: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    requests: [{ method: 'POST', path: '/orders?x=1', headers: { 'x-shop': 'a' }, body: '{"é":1}' }],
    durationMs: 100,
    warmupMs: 0,
  });
  http.close();
  expect(result.requests.errors).toBe(0);
  expect([...seen]).toEqual(['POST /orders?x=1 a {"é":1}']);
});

test('nothing at the target is one clear error before any load', async () => {
  const closed = await startScriptedServer(() => {});
  await closed.close();
  await expect(
    runBenchmark({ name: 'none', target: closed.target, requests: [{ path: '/' }] }),
  ).rejects.toMatchObject({
    code: 'ERR_WEIR_BENCH_UNREACHABLE',
    message: expect.stringContaining('ECONNREFUSED'),
  });
});
