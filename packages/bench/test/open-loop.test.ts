import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { runBenchmark, type Scenario } from '../src/index.ts';
import { runOpenLoop } from '../src/load/open-loop.ts';
import { explainResult } from '../src/result/result-schema.ts';
import { plainAnswer, type Script, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function load(script: Script, scenario: Partial<Scenario>) {
  server = await startScriptedServer(script);
  return runBenchmark({
    name: 'open',
    target: server.target,
    requests: [{ path: '/' }],
    warmupMs: 0,
    timeoutMs: 10_000,
    ...scenario,
  });
}

test('every arrival of the schedule is sent once and counted once', async () => {
  const result = await load((socket) => socket.write(plainAnswer), { rate: 500, durationMs: 600 });
  expect(explainResult(JSON.parse(JSON.stringify(result)))).toBeUndefined();
  expect(result.requests).toMatchObject({ total: 300, ok: 300, errors: 0 });
  expect(server?.arrivals).toHaveLength(300);
  expect(result.arrivals).toMatchObject({ intended: 300, dropped: 0, achieved: 1 });
  expect(result.load).toMatchObject({ mode: 'open', rate: 500, connections: 500, workers: 1 });
});

test.each([1, 2])(
  'no arrival of %i threads comes before it is due, so none is part of a burst',
  async (workers) => {
    const rate = 500;
    const readings: number[] = [];
    const clock = {
      now: () => {
        const nowMs = performance.now();
        readings.push(nowMs);
        return nowMs;
      },
    };
    server = await startScriptedServer((socket) => socket.write(plainAnswer));
    const scenario = { name: 'even', target: server.target, requests: [{ path: '/' }] };
    await runBenchmark({ ...scenario, rate, durationMs: 800, warmupMs: 300, workers }, { clock });
    // The schedule begins at the first reading. How late an arrival is depends on the machine; that it is not early does not.
    const beginMs = readings[0] ?? 0;
    expect(server.arrivals).toHaveLength(550);
    const early = server.arrivals.map((atMs, index) => beginMs + (index * 1_000) / rate - atMs);
    // The clocks of two threads agree within less than a millisecond.
    expect(Math.max(...early)).toBeLessThan(1);
  },
);

test('the shares of several threads interleave to the whole schedule', async () => {
  const plan = {
    target: 'http://127.0.0.1:1',
    requests: [{ method: 'GET', path: '/', headers: {} }],
    stages: [{ durationMs: 40, rate: 500 }],
    maxConnections: 1,
    timeoutMs: 10,
    shares: 3,
  };
  const dueMs: number[] = [];
  const outcomes = {
    answered: () => {},
    failed: (due: number) => void dueMs.push(due),
    late: () => {},
    redirected: () => {},
  };
  const { signal } = new AbortController();
  for (const share of [0, 1, 2]) await runOpenLoop({ ...plan, share }, 0, outcomes, performance, signal);
  expect(dueMs.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index * 2));
});

test('a stall weighs on every request that was due in it, as the analytic distribution says', async () => {
  const held: Socket[] = [];
  let stalled = false;
  let releasedMs = 0;
  const rate = 200;
  const durationMs = 2_000;
  const result = await load(
    (socket, index) => {
      if (index === 100) {
        stalled = true;
        setTimeout(() => {
          stalled = false;
          releasedMs = performance.now();
          for (const waiting of held) waiting.write(plainAnswer);
        }, 1_200);
      }
      if (stalled) held.push(socket);
      else socket.write(plainAnswer);
    },
    { rate, durationMs },
  );
  // Request i was due i / rate after the first; those due between the stall's begin and its end waited for the rest of it.
  const firstMs = server?.arrivals[0] ?? 0;
  const expected = Array.from({ length: 400 }, (_, index) => {
    const dueMs = firstMs + (index * 1_000) / rate;
    return index < 100 ? 0 : Math.max(0, releasedMs - dueMs);
  }).sort((a, b) => a - b);
  expect(result.requests).toMatchObject({ total: 400, ok: 400 });
  for (const [percent, got] of [
    [50, result.latencyMs.p50],
    [90, result.latencyMs.p90],
    [99, result.latencyMs.p99],
  ] as const) {
    const exact = expected[Math.ceil((percent / 100) * 400) - 1] ?? 0;
    expect(exact).toBeGreaterThan(100);
    // 5 %, and never less than what another process may steal from this machine for a moment.
    expect(Math.abs(got - exact)).toBeLessThan(Math.max(exact * 0.05, 20));
  }
});

test.each<[string, (socket: Socket) => void, string]>([
  ['a FIN without an answer', (socket) => socket.end(), 'cut'],
  ['a reset', (socket) => socket.resetAndDestroy(), 'cut'],
  [
    'an answer cut off in its body',
    (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel'),
    'cut',
  ],
  ['an answer that is not HTTP', (socket) => socket.write('SMTP ready\r\n\r\n'), 'malformed'],
  ['two answers to one request', (socket) => socket.write(plainAnswer + plainAnswer), 'surplus'],
])('%s has one outcome', async (_name, fault, kind) => {
  const faults = [3, 10, 11, 20];
  const result = await load(
    (socket, index) => {
      if (faults.includes(index)) fault(socket);
      else socket.write(plainAnswer);
    },
    { rate: 200, durationMs: 300 },
  );
  expect(result.requests.total).toBe(60);
  expect(server?.arrivals).toHaveLength(60);
  if (kind === 'surplus') expect(result.requests.ok).toBe(60);
  else expect(result.failures).toEqual({ [kind]: 4 });
});

test('requests that wait out their timeout are counted and stand in the histogram', async () => {
  const result = await load((socket, index) => index % 10 !== 0 && socket.write(plainAnswer), {
    rate: 200,
    durationMs: 300,
    timeoutMs: 200,
  });
  expect(result.failures).toEqual({ timeout: 6 });
  expect(result.requests).toMatchObject({ total: 60, ok: 54, timeouts: 6 });
  expect(result.latencyMs.max).toBeGreaterThanOrEqual(199);
});

test('a slow body counts until its last byte', async () => {
  const result = await load(
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe');
      setTimeout(() => socket.write('llo'), 60);
    },
    { rate: 100, durationMs: 100 },
  );
  expect(result.latencyMs.min).toBeGreaterThanOrEqual(58);
});

test('arrivals that never get a connection are dropped, counted, and take their timeout into the histogram', async () => {
  const result = await load(() => {}, { rate: 1_000, durationMs: 100, timeoutMs: 150, connections: 1 });
  expect(result.requests).toMatchObject({ total: 100, ok: 0, errors: 100 });
  expect((result.failures.timeout ?? 0) + (result.failures.dropped ?? 0)).toBe(100);
  expect(result.arrivals?.dropped).toBeGreaterThan(10);
  expect(result.latencyMs.p50).toBeGreaterThanOrEqual(149);
});

test('a server that stops listening turns later arrivals into refused ones', async () => {
  let closing: Promise<void> | undefined;
  const result = await load(
    (socket, index) => {
      if (index === 20) closing = server?.close();
      else socket.write(plainAnswer);
    },
    { rate: 200, durationMs: 300, timeoutMs: 500 },
  );
  await closing;
  server = undefined;
  expect(result.requests.total).toBe(60);
  expect(result.requests.ok).toBe(20);
  expect((result.failures.refused ?? 0) + (result.failures.cut ?? 0)).toBe(40);
  expect(result.failures.refused).toBeGreaterThan(10);
});

test('workers split the rate, stay even together, and end with it', async () => {
  const result = await load((socket) => socket.write(plainAnswer), {
    rate: 300,
    durationMs: 900,
    warmupMs: 600,
    workers: 3,
  });
  expect(server?.arrivals).toHaveLength(450);
  expect(result.requests.ok).toBe(result.requests.total);
  expect(result.requests.total).toBe(270);
});

test('stages ramp the rate', async () => {
  const result = await load((socket) => socket.write(plainAnswer), {
    stages: [
      { durationMs: 400, from: 100, rate: 300 },
      { durationMs: 200, rate: 300 },
    ],
  });
  expect(result.requests.total).toBe(140);
  expect(result.durationMs).toBe(600);
});

test.each([1, 2])('aborting with %i workers ends at once with what was measured', async (workers) => {
  const abort = new AbortController();
  server = await startScriptedServer((socket, index) => {
    socket.write(plainAnswer);
    if (index === 100) abort.abort();
  });
  const scenario = { name: 'abort', target: server.target, requests: [{ path: '/' }], rate: 200, workers };
  const result = await runBenchmark(
    { ...scenario, warmupMs: 0, durationMs: 60_000 },
    { signal: abort.signal },
  );
  expect(result.partial).toBe(true);
  expect(result.requests.ok).toBeGreaterThan(10);
  await expect.poll(() => server?.connections()).toBe(0);
});

test('contradictory load settings are refused', () => {
  const refused = (scenario: object, path: string) =>
    expect(
      runBenchmark({ name: 'x', target: 'http://127.0.0.1:1', requests: [{ path: '/' }], ...scenario }),
    ).rejects.toMatchObject({ code: 'ERR_WEIR_BENCH_SCENARIO', issues: [{ path }] });
  return Promise.all([
    refused({ rate: 10, stages: [{ durationMs: 1, rate: 1 }] }, 'rate'),
    refused({ rate: 10, pipelining: 2 }, 'pipelining'),
    refused({ workers: 2 }, 'workers'),
    refused({ stages: [{ durationMs: 100, rate: 1 }], durationMs: 50 }, 'durationMs'),
    refused({ stages: [{ durationMs: 100, rate: 0 }] }, 'stages[0].rate'),
  ]);
});
