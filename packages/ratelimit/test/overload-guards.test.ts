import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { afterEach, describe, expect, test } from 'vitest';
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

afterEach(
  () => new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve()))),
);

/** Every adapter on a real server; the handler answers what `handle` gives. */
const adapters: Record<string, (guard: Common, handle: Handler) => Promise<string>> = {
  async fastify(guard, handle) {
    const app = fastify();
    await app.register(fastifyOverload, { ...guard, tier: ({ url }) => tierOf(url) });
    app.get('/*', ({ url }) => handle(url));
    await app.ready();
    return listening(app.server);
  },
  async express(guard, handle) {
    const app = express();
    app.use(expressOverload({ ...guard, tier: ({ path }) => tierOf(path) }));
    app.use((request, response, next) => {
      handle(request.originalUrl).then((text) => void response.send(text), next);
    });
    return listening(createServer(app as RequestListener));
  },
  async koa(guard, handle) {
    const app = new Koa();
    app.use(koaOverload({ ...guard, tier: ({ path }) => tierOf(path) }));
    app.use(async (context) => {
      context.body = await handle(context.url);
    });
    return listening(createServer(app.callback()));
  },
  async hono(guard, handle) {
    const app = new Hono();
    app.use(honoOverload({ ...guard, tier: ({ req }) => tierOf(req.path) }));
    app.get('/*', async (context) => context.text(await handle(context.req.path)));
    return listening(createAdaptorServer(app) as Server);
  },
  async 'node:http'(guard, handle) {
    const guarded = httpOverload({ ...guard, tier: ({ url = '' }) => tierOf(url) });
    return listening(
      createServer(async (request, response) => {
        if (await guarded(request, response)) response.end(await handle(request.url ?? ''));
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
