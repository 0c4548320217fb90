import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createAdaptorServer } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { Agent, request } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { expressOverload } from '../src/adapters/express.ts';
import { fastifyOverload } from '../src/adapters/fastify.ts';
import { honoOverload } from '../src/adapters/hono.ts';
import { koaOverload } from '../src/adapters/koa.ts';
import { httpOverload } from '../src/adapters/node-http.ts';
import { createConcurrencyLimiter, createLoadShedder, type OverloadGuard } from '../src/overload/index.ts';

type Common = Omit<OverloadGuard<unknown>, 'tier' | 'exempt'> & { readonly exempt?: readonly string[] };
/** What a path answers; `/` waits for the test. */
type Handler = (path: string) => Promise<string>;
const tierOf = (path: string): string => (path.startsWith('/pay') ? 'critical' : 'background');

let server: Server | undefined;

async function listening(target: Server): Promise<string> {
  server = target;
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(target.address() as AddressInfo).port}`;
}

// All looks at what stands still are made by the test.
beforeAll(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterAll(() => void vi.useRealTimers());

afterEach(async () => {
  for (const response of streams.splice(0)) response.destroy();
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
});

/** The answers of `/stream`, for the test to go on with. */
const streams: ServerResponse[] = [];

/** Begins an answer of the type in the query, which the headers carry in one of the ways that Node takes. */
function stream(url: string, response: ServerResponse): void {
  const { searchParams } = new URL(url, 'http://a');
  const type = searchParams.get('type') ?? '';
  const by = searchParams.get('by');
  response.statusCode = 200;
  if (by === 'setHeader') response.setHeader('Content-Type', type);
  else if (by === 'array') response.writeHead(200, ['Content-Type', type]);
  else response.writeHead(200, 'OK', { 'content-type': type });
  response.write('begun');
  streams.push(response);
}

/** Of the answers of `/piped`. */
function pipedType(url: string): string {
  return url.endsWith('events') ? 'text/event-stream' : 'application/octet-stream';
}

/** A stream without a byte. */
function silent(): Readable {
  return new Readable({ read: () => {} });
}

/** A connection on which a request was begun by hand. */
async function opened(url: string, ...lines: string[]): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'connect');
  await new Promise((resolve) => socket.write(`${lines.join('\r\n')}\r\nHost: a\r\n\r\n`, resolve));
  return socket;
}

const sockets: Socket[] = [];

/** Every adapter on a real server; the handler answers what `handle` gives. */
const adapters: Record<string, (guard: Common, handle: Handler) => Promise<string>> = {
  async fastify(guard, handle) {
    const app = fastify();
    await app.register(fastifyOverload, { ...guard, tier: ({ url }) => tierOf(url) });
    app.get('/stream', (request, reply) => {
      reply.hijack();
      stream(request.url, reply.raw);
    });
    app.get('/piped', (request, reply) => reply.type(pipedType(request.url)).send(silent()));
    app.get('/*', ({ url }) => handle(url));
    app.post('/*', { bodyLimit: 2 ** 21 }, ({ body }) => body);
    await app.ready();
    return listening(app.server);
  },
  async express(guard, handle) {
    const app = express();
    app.use(expressOverload({ ...guard, tier: ({ path }) => tierOf(path) }));
    app.get('/stream', (request, response) => stream(request.url, response));
    app.get('/piped', (request, response) => {
      response.setHeader('content-type', pipedType(request.url));
      silent().pipe(response);
    });
    app.post('/', express.text({ limit: '2mb' }), (request, response) => void response.send(request.body));
    app.use((request, response, next) => {
      handle(request.originalUrl).then((text) => void response.send(text), next);
    });
    return listening(createServer(app as RequestListener));
  },
  async koa(guard, handle) {
    const app = new Koa();
    app.silent = true;
    app.use(koaOverload({ ...guard, tier: ({ path }) => tierOf(path) }));
    app.use(async (context) => {
      if (context.path === '/stream') {
        context.respond = false;
        stream(context.url, context.res);
      } else if (context.path === '/piped') {
        context.type = pipedType(context.url);
        context.body = silent();
      } else context.body = context.method === 'POST' ? await text(context.req) : await handle(context.url);
    });
    return listening(createServer(app.callback()));
  },
  async hono(guard, handle) {
    const app = new Hono();
    app.use(honoOverload({ ...guard, tier: ({ req }) => tierOf(req.path) }));
    app.get('/*', async (context) => context.text(await handle(context.req.path)));
    app.post('/*', async (context) => context.text(await context.req.text()));
    return listening(createAdaptorServer(app) as Server);
  },
  async 'node:http'(guard, handle) {
    const guarded = httpOverload({ ...guard, tier: ({ url = '' }) => tierOf(url) });
    return listening(
      createServer(async (request, response) => {
        if (!(await guarded(request, response))) return;
        const { url = '', method } = request;
        if (url.startsWith('/stream')) stream(url, response);
        else if (url.startsWith('/piped')) {
          response.setHeader('content-type', pipedType(url));
          silent().pipe(response);
        } else response.end(method === 'POST' ? await text(request) : await handle(url));
      }),
    );
  },
};

/** A handler whose `/` waits until it is let go. */
function held(): { handle: Handler; started: Promise<void>; letGo: () => void } {
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  return {
    handle: async (path) => {
      if (path !== '/') return path;
      begun.resolve();
      await end.promise;
      return 'done';
    },
    started: begun.promise,
    letGo: end.resolve,
  };
}

const bulkhead = () =>
  createConcurrencyLimiter({ limit: 1, tiers: [{ name: 'critical' }, { name: 'background' }], queue: false });

describe.each(Object.keys(adapters))('the overload guard for %s', (name) => {
  const start = adapters[name] as (typeof adapters)[string];

  test('answers 503 with the draft’s problem type and Retry-After, and frees the permit with the answer', async () => {
    const limiter = bulkhead();
    const { handle, started, letGo } = held();
    const url = await start({ limiter }, handle);
    const first = fetch(url);
    await started;
    const refused = await fetch(url);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({
      type: expect.stringMatching(/#temporary-reduced-capacity$/),
    });
    letGo();
    expect(await (await first).text()).toBe('done');
    await expect.poll(() => limiter.stats().inFlight).toBe(0);
    expect((await fetch(`${url}/other`)).status).toBe(200);
  });

  test('never refuses exempt paths, which take no permit, but everything near them', async () => {
    const limiter = bulkhead();
    const { handle, started, letGo } = held();
    const url = await start({ limiter, exempt: ['/healthz', '/metrics'] }, handle);
    const first = fetch(url);
    await started;
    const statusOf = async (path: string): Promise<number> => (await fetch(`${url}${path}`)).status;
    expect(await Promise.all(['/healthz', '/metrics?a=/', '/healthz'].map(statusOf))).toEqual([
      200, 200, 200,
    ]);
    expect(await Promise.all(['/healthz/', '/metrics2', '/?p=/healthz'].map(statusOf))).toEqual([
      503, 503, 503,
    ]);
    expect(limiter.stats().admitted).toBe(1);
    letGo();
    await (await first).text();
  });

  test('keeps the permit of a request whose client left until its handler is done', async () => {
    const limiter = bulkhead();
    const { handle, started, letGo } = held();
    const url = await start({ limiter }, handle);
    const abort = new AbortController();
    const left = fetch(url, { signal: abort.signal }).catch(() => 'left');
    await started;
    abort.abort();
    expect(await left).toBe('left');
    expect((await fetch(url)).status).toBe(503);
    expect(limiter.stats().inFlight).toBe(1);
    letGo();
    await expect.poll(() => limiter.stats().inFlight).toBe(0);
  });

  test('asks for no permit before the body has come, and hands the body on whole', async () => {
    const limiter = bulkhead();
    const url = await start({ limiter }, async (path) => path);
    const head = ['POST / HTTP/1.1', 'Content-Type: text/plain'];
    const slow = await opened(url, ...head, 'Content-Length: 10');
    await opened(url, ...head, 'Transfer-Encoding: chunked');
    await opened(url, ...head, 'Content-Length: 1000000');
    const headers = { 'content-type': 'text/plain' };
    for (const length of [1, 1000, 65_536, 65_537, 1_000_000]) {
      const body = 'x'.repeat(length);
      const answer = await fetch(url, { method: 'POST', headers, body });
      expect([answer.status, await answer.text()]).toEqual([200, body]);
      const chunked = new Blob([body]).stream();
      const streamed = await fetch(url, {
        method: 'POST',
        headers,
        body: chunked,
        duplex: 'half',
      } as RequestInit);
      expect([streamed.status, (await streamed.text()).length]).toEqual([200, length]);
    }
    const { admitted } = limiter.stats();
    slow.write('0123456789');
    expect(String((await once(slow, 'data'))[0])).toMatch(/^HTTP\/1.1 200/);
    expect(limiter.stats().admitted).toBe(admitted + 1);
    await expect.poll(() => limiter.stats().inFlight).toBe(0);
  });

  test('a refused upload leaves its connection usable', async () => {
    const limiter = bulkhead();
    const url = await start({ limiter }, async (path) => path);
    const permit = limiter.tryAcquire();
    const agent = new Agent({ connections: 1, pipelining: 1 });
    const body = 'x'.repeat(300_000);
    const ask = async (): Promise<number> => {
      const { statusCode, body: answer } = await request(url, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body,
      });
      await answer.dump();
      return statusCode;
    };
    expect([await ask(), await ask()]).toEqual([503, 503]);
    permit?.release();
    expect(await ask()).toBe(200);
    await agent.close();
  });

  test('gives the place of an upload that stands still to others, and takes it again when it moves on', async () => {
    const limiter = bulkhead();
    const url = await start({ limiter }, async (path) => path);
    const socket = await opened(url, 'POST / HTTP/1.1', 'Content-Type: text/plain', 'Content-Length: 200000');
    socket.write('x'.repeat(100_000));
    await expect.poll(() => limiter.stats().inFlight).toBe(1);
    // The bytes may still be on their way.
    await expect.poll(() => vi.advanceTimersByTime(1000) && limiter.stats().inFlight).toBe(0);
    expect((await fetch(`${url}/other`)).status).toBe(200);
    socket.write('x'.repeat(10_000));
    await expect.poll(() => vi.advanceTimersByTime(1000) && limiter.stats().inFlight).toBe(1);
    socket.write('x'.repeat(90_000));
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 200/);
    await expect.poll(() => limiter.stats().inFlight).toBe(0);
  });

  test.runIf(name !== 'hono')(
    'counts a stream of events until its head is written, other answers until they end',
    async () => {
      const limiter = bulkhead();
      const url = await start({ limiter }, async (path) => path);
      const ask = async (type: string, by: string): Promise<AbortController> => {
        const abort = new AbortController();
        const path = `/stream?by=${by}&type=${encodeURIComponent(type)}`;
        const answer = await fetch(url + path, { signal: abort.signal });
        expect([type, by, answer.status]).toEqual([type, by, 200]);
        answer.body?.pipeTo(new WritableStream(), { signal: abort.signal }).catch(() => {});
        return abort;
      };
      for (const type of [
        'text/event-stream',
        'Text/Event-Stream; charset=utf-8',
        'multipart/x-mixed-replace; boundary=a',
      ])
        for (const by of ['setHeader', 'array', 'object']) await ask(type, by);
      expect(limiter.stats().inFlight).toBe(0);
      // A download: the client leaves in the middle of it.
      const download = await ask('application/octet-stream', 'object');
      expect((await fetch(`${url}/other`)).status).toBe(503);
      download.abort();
      await expect.poll(() => limiter.stats().inFlight).toBe(0);
      // A feed of another type: silent, then lively, then done.
      await ask('application/x-ndjson', 'setHeader');
      expect(limiter.stats().inFlight).toBe(1);
      await expect.poll(() => vi.advanceTimersByTime(1000) && limiter.stats().inFlight).toBe(0);
      expect((await fetch(`${url}/other`)).status).toBe(200);
      streams.at(-1)?.write('more');
      vi.advanceTimersByTime(1000);
      expect(limiter.stats().inFlight).toBe(1);
      streams.at(-1)?.end();
      expect(limiter.stats().inFlight).toBe(0);
    },
  );

  test.runIf(name !== 'hono')(
    'frees the permit of a stream whose client left before its first byte',
    async () => {
      const limiter = bulkhead();
      const url = await start({ limiter }, async (path) => path);
      const socket = await opened(url, 'GET /piped HTTP/1.1');
      await expect.poll(() => limiter.stats().inFlight).toBe(1);
      expect((await fetch(`${url}/other`)).status).toBe(503);
      socket.destroy();
      await expect.poll(() => limiter.stats().inFlight).toBe(0);
    },
  );

  test('lets critical requests through while others are shed', async () => {
    const shedder = createLoadShedder({ measure: () => ({ delayMs: 1000, utilization: 1 }), sampleMs: 1e9 });
    for (let index = 0; index < 3; index++) {
      shedder.sheds('critical');
      shedder.sample();
    }
    const url = await start({ shedder, exempt: ['/healthz'] }, async (path) => path);
    expect((await fetch(`${url}/pay`)).status).toBe(200);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/list`)).status).toBe(503);
    shedder.close();
  });
});

test('an upgraded connection is admitted like a request and holds no permit', async () => {
  const limiter = bulkhead();
  const guarded = httpOverload({ limiter });
  const http = createServer();
  http.on('upgrade', async (incoming: IncomingMessage, socket: Socket) => {
    sockets.push(socket);
    const response = new ServerResponse(incoming);
    response.assignSocket(socket);
    if (await guarded(incoming, response)) socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  });
  const url = await listening(http);
  for (let client = 0; client < 3; client++) {
    const socket = await opened(url, 'GET / HTTP/1.1', 'Connection: Upgrade', 'Upgrade: websocket');
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 101/);
  }
  expect(limiter.stats()).toMatchObject({ admitted: 3, inFlight: 0 });
});

test('a predicate exempts too; a guard of nothing and paths that match nothing are refused', async () => {
  const limiter = bulkhead();
  const permit = limiter.tryAcquire();
  const isProbe = ({ headers }: IncomingMessage): boolean => headers['x-probe'] === 'yes';
  const guarded = httpOverload({ limiter, exempt: isProbe });
  const waiting = httpOverload({
    limiter,
    exempt: async (request) => isProbe(request),
    tier: async () => 'background',
  });
  const url = await listening(
    createServer(async (request, response) => {
      const guard = request.url === '/promised' ? waiting : guarded;
      if (await guard(request, response)) response.end('ok');
    }),
  );
  for (const path of ['/', '/promised']) {
    expect((await fetch(url + path, { headers: { 'x-probe': 'yes' } })).status).toBe(200);
    expect((await fetch(url + path)).status).toBe(503);
  }
  permit?.release();
  const code = 'ERR_WEIR_RATELIMIT_OPTIONS';
  for (const wrong of [
    {},
    { limiter, exempt: ['healthz'] },
    { limiter, exempt: ['/a?b'] },
    { limiter, exempt: '/a' as never },
  ])
    expect(() => httpOverload(wrong)).toThrow(expect.objectContaining({ code }));
});
