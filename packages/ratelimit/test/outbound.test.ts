import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { createManualClock, seededRandom } from '@weir/test-kit';
import { Agent, type Dispatcher, interceptors, request, stream, fetch as undiciFetch } from 'undici';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AdaptiveThrottle } from '../src/outbound/adaptive-throttle.ts';
import { createOutboundLimiter, limitedFetch, outboundInterceptor } from '../src/outbound/index.ts';
import { pauseMs } from '../src/outbound/outbound-limiter.ts';

let server: Server | undefined;

/** Timers and the clock stand still until `vi.advanceTimersByTimeAsync`. */
function fakeTime(): { now(): number } {
  vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  return { now: () => Date.now() };
}

afterEach(async () => {
  vi.useRealTimers();
  server?.closeAllConnections();
  await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  server = undefined;
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const listening = createServer(answer);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

describe('what a server asks for', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  test.each([
    [429, { 'retry-after': '7' }, 7000],
    [503, { 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT' }, 9000],
    [200, { 'retry-after': '7' }, 0],
    [429, { 'retry-after': 'soon' }, 0],
    [429, { 'retry-after': '-5' }, 0],
    [429, { 'retry-after': '99999999999' }, 3_600_000],
    [200, { ratelimit: '"a";r=0;t=3, "b";r=5;t=60' }, 3000],
    [200, { ratelimit: '"odd, name";r=0;t=4' }, 4000],
    [200, { ratelimit: 'limit=5, remaining=0' }, 0],
    [429, { 'retry-after': '2', ratelimit: '"a";r=0;t=6' }, 6000],
  ])('%i %j is a pause of %i ms', (status, headers: Record<string, string>, expected) => {
    expect(pauseMs(status, (name) => headers[name], now)).toBe(expected);
  });
});

test('the throttle lets about K requests through for each accept, and all once the server accepts again', () => {
  const random = seededRandom(4);
  const throttle = new AdaptiveThrottle(0);
  let sent = 0;
  const send = (atMs: number, accepted: boolean): boolean => {
    if (throttle.drops(atMs, random)) return false;
    throttle.answered(atMs, accepted);
    return true;
  };
  for (let index = 0; index < 2000; index++) sent += Number(send(0, false));
  expect(sent).toBeGreaterThanOrEqual(10);
  expect(sent).toBeLessThan(150);
  for (let index = 0; index < 500; index++) send(600_000 + index, true);
  let dropped = 0;
  for (let index = 0; index < 200; index++) dropped += Number(!send(601_000, true));
  expect(dropped).toBe(0);
});

describe('an outbound limiter', () => {
  test('lets requests of an origin go in order, at the rate of its policies', async () => {
    const policies = [{ name: 'p', algorithm: 'gcra', limit: 1000, windowMs: 10_000, burst: 2 }] as const;
    const clock = fakeTime();
    const limiter = createOutboundLimiter({ name: 'api', policies, clock });
    const turns: [number, number][] = [];
    for (let index = 0; index < 12; index++)
      void limiter.turn('http://a').then(() => void turns.push([index, clock.now()]));
    await vi.advanceTimersByTimeAsync(1000);
    // A burst of two, then one each 10 ms.
    expect(turns).toEqual(Array.from({ length: 12 }, (_, index) => [index, Math.max(0, index - 1) * 10]));
    expect(limiter.waiting).toBe(0);
  });

  test('refuses what would wait too long, what is above its queue, and what is aborted', async () => {
    const clock = createManualClock();
    const policies = [{ name: 'p', algorithm: 'fixed-window', limit: 1, windowMs: 60_000 }] as const;
    const limiter = createOutboundLimiter({ name: 'api', policies, clock, maxWaitMs: 1000, maxQueue: 1 });
    await limiter.turn('http://a');
    const code = 'ERR_WEIR_RATELIMIT_OVERLOADED';
    await expect(limiter.turn('http://a')).rejects.toMatchObject({ code });
    await limiter.turn('http://b');
    const patient = createOutboundLimiter({
      name: 'api',
      policies,
      clock,
      maxWaitMs: 100_000,
      maxQueue: 1,
      random: () => 1,
    });
    await patient.turn('http://a');
    const abort = new AbortController();
    const waiting = patient.turn('http://a', { signal: abort.signal });
    await expect(patient.turn('http://a')).rejects.toMatchObject({ code });
    abort.abort(new Error('no more'));
    await expect(waiting).rejects.toThrow('no more');
    expect(patient.waiting).toBe(0);
  });

  test('rejects at once who is aborted or waits too long in line, and keeps the order of the others', async () => {
    const policies = [{ name: 'p', algorithm: 'gcra', limit: 1, windowMs: 1000, burst: 1 }] as const;
    const clock = fakeTime();
    const limiter = createOutboundLimiter({ name: 'api', policies, clock, maxWaitMs: 2500 });
    const ends: [string, string, number][] = [];
    const ask = (name: string, signal?: AbortSignal): void => {
      limiter.turn('http://a', { signal }).then(
        () => ends.push([name, 'turn', clock.now()]),
        (error: Error & { code?: string }) => ends.push([name, error.code ?? error.message, clock.now()]),
      );
    };
    const abort = new AbortController();
    for (const name of ['1', '2']) ask(name);
    ask('aborted', abort.signal);
    for (const name of ['3', 'late', 'later']) ask(name);
    await vi.advanceTimersByTimeAsync(100);
    abort.abort(new Error('no more'));
    await vi.advanceTimersByTimeAsync(0);
    expect(ends).toEqual([
      ['1', 'turn', 0],
      ['aborted', 'no more', 100],
    ]);
    await vi.advanceTimersByTimeAsync(5000);
    const code = 'ERR_WEIR_RATELIMIT_OVERLOADED';
    expect(ends.slice(2)).toEqual([
      ['2', 'turn', 1000],
      ['3', 'turn', 2000],
      ['late', code, expect.any(Number)],
      ['later', code, expect.any(Number)],
    ]);
    for (const [, , atMs] of ends) expect(atMs).toBeLessThanOrEqual(2500);
    expect(limiter.waiting).toBe(0);
    ask('next');
    await vi.advanceTimersByTimeAsync(0);
    expect(ends.at(-1)).toEqual(['next', 'turn', clock.now()]);
  });

  test('budgets retries as a share of requests', async () => {
    const limiter = createOutboundLimiter({ name: 'api', retryRatio: 0.5, random: () => 1 });
    let spent = 0;
    while (limiter.mayRetry()) spent++;
    expect(spent).toBe(10);
    await limiter.turn('http://a');
    expect(limiter.mayRetry()).toBe(false);
    await limiter.turn('http://a');
    expect(limiter.mayRetry()).toBe(true);
  });
});

describe('the fetch wrapper', () => {
  test('waits as long as the server asked, then repeats what may be repeated', async () => {
    const clock = fakeTime();
    const times: number[] = [];
    const send: typeof fetch = async () => {
      times.push(clock.now());
      if (times.length > 1) return new Response('served');
      return new Response('busy', { status: 429, headers: { 'retry-after': '7' } });
    };
    const limiter = createOutboundLimiter({ name: 'api', clock, random: () => 0 });
    const answer = limitedFetch(limiter, { fetch: send })('http://a/');
    await vi.advanceTimersByTimeAsync(6999);
    expect(times).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await (await answer).text()).toBe('served');
    expect(times).toEqual([0, 7000]);
  });

  test.each([
    [503, {}, 0, [0, 50, 150]],
    [503, {}, 0.99, [0, 99, 298]],
    [429, { 'retry-after': '0' }, 0, [0, 50, 150]],
    [429, { 'retry-after': 'soon' }, 0, [0, 50, 150]],
    [503, { 'retry-after': '3' }, 0, [0, 3000, 6000]],
  ] as const)('pauses before each new try of a %i with %j', async (status, headers, drawn, expected) => {
    const clock = fakeTime();
    const times: number[] = [];
    const send: typeof fetch = async () => {
      times.push(clock.now());
      return new Response(null, { status, headers });
    };
    const limiter = createOutboundLimiter({ name: 'api', clock, random: () => 0 });
    const answer = limitedFetch(limiter, { fetch: send, random: () => drawn })('http://a/');
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await answer).status).toBe(status);
    expect(times.map(Math.floor)).toEqual(expected);
  });

  test('ends with the caller’s reason when it is aborted during a pause, and refuses pauses of nothing', async () => {
    const clock = fakeTime();
    let sent = 0;
    const send: typeof fetch = async () => new Response('busy', { status: 503, statusText: String(++sent) });
    const limiter = createOutboundLimiter({ name: 'api', clock });
    const abort = new AbortController();
    const answer = limitedFetch(limiter, { fetch: send })('http://a/', { signal: abort.signal });
    const end = expect(answer).rejects.toThrow('no more');
    await vi.advanceTimersByTimeAsync(10);
    abort.abort(new Error('no more'));
    await end;
    expect(sent).toBe(1);
    for (const backoffMs of [0, -1, Number.NaN, 10_001])
      expect(() => limitedFetch(limiter, { backoffMs })).toThrow(/`backoffMs`/);
  });

  test.each([
    ['attempts', [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 101, '3', null, {}]],
    ['backoffMs', ['100', null, {}]],
    ['fetch', [null, 'fetch', {}]],
    ['random', [null, 0.5]],
  ])('is refused with a wrong `%s`', (option, values) => {
    const limiter = createOutboundLimiter({ name: 'api' });
    for (const value of values) {
      const error = { code: 'ERR_WEIR_RATELIMIT_OPTIONS', message: expect.stringContaining(`\`${option}\``) };
      expect(() => limitedFetch(limiter, { [option]: value })).toThrow(expect.objectContaining(error));
    }
    expect(() => limitedFetch({} as never)).toThrow(/`limiter`/);
  });

  test('repeats over real HTTP what a server was too busy for', async () => {
    const methods: (string | undefined)[] = [];
    const url = await serve((incoming, response) => {
      methods.push(incoming.method);
      if (methods.length === 1) response.writeHead(503).end();
      else response.end('served');
    });
    const answer = await limitedFetch(createOutboundLimiter({ name: 'api' }), { backoffMs: 1 })(url, {
      method: 'PUT',
      body: 'x',
    });
    expect([await answer.text(), methods]).toEqual(['served', ['PUT', 'PUT']]);
  });

  test('never repeats a POST, and gives the answer back', async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests++;
      response.writeHead(503).end('busy');
    });
    const answer = await limitedFetch(createOutboundLimiter({ name: 'api' }))(url, {
      method: 'POST',
      body: 'x',
    });
    expect([answer.status, await answer.text(), requests]).toEqual([503, 'busy', 1]);
  });
});

test('the undici interceptor spaces requests and reports what was not sent', async () => {
  const url = await serve(
    (_, response) => void response.writeHead(200, { ratelimit: '"a";r=0;t=60' }).end('ok'),
  );
  const limiter = createOutboundLimiter({ name: 'api', maxWaitMs: 1000 });
  const agent = new Agent();
  const dispatcher = agent.compose(outboundInterceptor(limiter));
  const first = await request(url, { dispatcher });
  expect(await first.body.text()).toBe('ok');
  await expect(request(url, { dispatcher })).rejects.toMatchObject({ code: 'ERR_WEIR_RATELIMIT_OVERLOADED' });
  const patient = new Agent().compose(outboundInterceptor(createOutboundLimiter({ name: 'api' })));
  await (await request(url, { dispatcher: patient })).body.text();
  const abort = new AbortController();
  const waiting = request(url, { dispatcher: patient, signal: abort.signal });
  abort.abort(new Error('no more'));
  await expect(waiting).rejects.toThrow('no more');
  await agent.close();
});

describe('a request through the undici interceptor', () => {
  const ways: Record<string, (url: string, dispatcher: Dispatcher, signal: AbortSignal) => Promise<unknown>> =
    {
      fetch: (url, dispatcher, signal) => undiciFetch(url, { dispatcher, signal }).then((got) => got.text()),
      'fetch with a body': (url, dispatcher, signal) =>
        undiciFetch(url, { dispatcher, signal, method: 'POST', body: 'x' }).then((got) => got.text()),
      request: (url, dispatcher, signal) =>
        request(url, { dispatcher, signal }).then(({ body }) => body.text()),
      stream: (url, dispatcher, signal) =>
        stream(
          url,
          { dispatcher, signal, method: 'GET' },
          () => new Writable({ write: (_, __, done) => done() }),
        ),
    };
  const around: Record<string, readonly Dispatcher.DispatcherComposeInterceptor[]> = {
    alone: [],
    'inside retry and redirect': [
      interceptors.retry({ maxRetries: 1 }),
      interceptors.redirect({ maxRedirections: 1 }),
    ],
  };
  const rows = Object.keys(ways).flatMap((way) => Object.keys(around).map((place) => ({ way, place })));
  const policies = [{ name: 'p', algorithm: 'gcra', limit: 1, windowMs: 60_000, burst: 1 }] as const;

  test.each(rows)(
    'leaves the line at once when it is aborted, and takes no turn: $way, $place',
    async (row) => {
      const send = ways[row.way] as (typeof ways)[string];
      const paths: (string | undefined)[] = [];
      const url = await serve((incoming, response) => {
        paths.push(incoming.url);
        if (incoming.url !== '/silent') response.end('ok');
      });
      const clock = createManualClock();
      const limiter = createOutboundLimiter({ name: 'api', policies, clock, maxWaitMs: 120_000 });
      const agent = new Agent();
      const dispatcher = agent.compose([
        outboundInterceptor(limiter),
        ...(around[row.place] as (typeof around)[string]),
      ]);
      await send(`${url}/first`, dispatcher, new AbortController().signal);
      const abort = new AbortController();
      const waiting = Array.from({ length: 5 }, () => send(`${url}/aborted`, dispatcher, abort.signal));
      const ends = Promise.allSettled(waiting);
      await expect.poll(() => limiter.waiting).toBe(5);
      abort.abort(new Error('no more'));
      for (const end of await ends) expect(end).toMatchObject({ reason: { message: 'no more' } });
      expect(limiter.waiting).toBe(0);
      clock.advance(60_000);
      // The turn is there for the next one, which can still be aborted when it is under way.
      const late = new AbortController();
      const silent = send(`${url}/silent`, dispatcher, late.signal);
      const rejected = expect(silent).rejects.toThrow('no more');
      await expect.poll(() => paths).toEqual(['/first', '/silent']);
      late.abort(new Error('no more'));
      await rejected;
      await agent.close();
    },
  );
});
