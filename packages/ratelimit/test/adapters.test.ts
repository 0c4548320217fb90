import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { createManualClock } from '@weir/test-kit';
import express from 'express';
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import Koa from 'koa';
import { afterEach, describe, expect, test } from 'vitest';
import { expressRateLimit } from '../src/adapters/express.ts';
import { type FastifyRouteLimit, fastifyRateLimit } from '../src/adapters/fastify.ts';
import { honoRateLimit } from '../src/adapters/hono.ts';
import { koaRateLimit } from '../src/adapters/koa.ts';
import { httpRateLimit } from '../src/adapters/node-http.ts';
import type { RequestLimit } from '../src/adapters/request-limit.ts';
import { clientIpKey, createRateLimiter, type LimitKey, type RateLimiter, secretKey } from '../src/index.ts';

type Common = Omit<RequestLimit<unknown>, 'key' | 'cost'>;
type Headers = Readonly<Record<string, string | string[] | undefined>>;
type KeyOf = (request: { readonly headers: Headers }) => LimitKey;
const byClient: KeyOf = ({ headers }) => secretKey(headers['x-client']);
const costOf = (headers: Headers): number | Promise<number> =>
  headers['x-cost'] === undefined ? 1 : Promise.resolve(Number(headers['x-cost']));
/** What `?throw=` asks a handler to throw: an error with that status, or without one. */
function thrownBy(url: string): (Error & { status?: number }) | undefined {
  const thrown = new URL(url, 'http://a').searchParams.get('throw');
  if (thrown === null) return undefined;
  return Object.assign(new Error(thrown), thrown === 'plain' ? {} : { status: Number(thrown) });
}
const statusOf = (url: string): number => Number(new URL(url, 'http://a').searchParams.get('status') ?? 200);

let server: Server | undefined;

async function listening(target: Server): Promise<string> {
  server = target;
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(target.address() as AddressInfo).port}`;
}

afterEach(
  () => new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve()))),
);

/** Every adapter on a real server: answers with the status that `?status=` asks for, or throws what `?throw=` says. */
const adapters: Record<string, (common: Common, keyOf?: KeyOf) => Promise<string>> = {
  async fastify(common, keyOf = byClient) {
    const app = fastify();
    const rateLimit = {
      ...common,
      key: keyOf,
      cost: (request: { headers: Headers }) => costOf(request.headers),
    };
    await app.register(fastifyRateLimit);
    app.get('/', { config: { rateLimit } }, (request, reply) => {
      const thrown = thrownBy(request.url);
      if (thrown !== undefined) throw thrown;
      return reply.code(statusOf(request.url)).send('ok');
    });
    await app.ready();
    return listening(app.server);
  },
  async express(common, keyOf = byClient) {
    const app = express();
    app.use(
      expressRateLimit({
        ...common,
        key: keyOf,
        cost: ({ headers }) => costOf(headers),
      }),
    );
    app.get('/', (request, response) => {
      const thrown = thrownBy(request.url);
      if (thrown !== undefined) throw thrown;
      response.status(statusOf(request.url)).send('ok');
    });
    app.use(((error, _request, response, _next) => {
      response.status(error.status ?? 500).end();
    }) satisfies express.ErrorRequestHandler);
    return listening(createServer(app as RequestListener));
  },
  async koa(common, keyOf = byClient) {
    const app = new Koa();
    app.silent = true;
    // A handler of errors outside of the limit has the last word on the status.
    app.use(async (context, next) => {
      try {
        await next();
      } catch (error) {
        if ((error as { status?: number }).status !== 418) throw error;
        context.status = 400;
      }
    });
    app.use(
      koaRateLimit({
        ...common,
        key: keyOf,
        cost: ({ headers }) => costOf(headers),
      }),
    );
    app.use((context) => {
      const thrown = thrownBy(context.url);
      if (thrown?.status !== undefined) context.throw(thrown.status);
      if (thrown !== undefined) throw thrown;
      context.status = statusOf(context.url);
      context.body = 'ok';
    });
    return listening(createServer(app.callback()));
  },
  async hono(common, keyOf = byClient) {
    const app = new Hono();
    const key: RequestLimit<import('hono').Context>['key'] = (context) =>
      keyOf({ headers: context.req.header() });
    app.use(honoRateLimit({ ...common, key, cost: (context) => costOf(context.req.header()) }));
    app.get('/', (context) => {
      const thrown = thrownBy(context.req.url);
      if (thrown?.status !== undefined) throw new HTTPException(thrown.status as 401);
      if (thrown !== undefined) throw thrown;
      return context.text('ok', statusOf(context.req.url) as 200);
    });
    app.onError((error, context) =>
      context.text('error', error instanceof HTTPException ? error.status : 500),
    );
    return listening(createAdaptorServer(app) as Server);
  },
  async 'node:http'(common, keyOf = byClient) {
    const limited = httpRateLimit({
      ...common,
      key: keyOf,
      cost: ({ headers }) => costOf(headers),
    });
    return listening(
      createServer((request, response) => {
        limited(request, response).then(
          (allowed) => {
            const { url = '' } = request;
            const thrown = thrownBy(url);
            if (allowed) response.writeHead(thrown ? (thrown.status ?? 500) : statusOf(url)).end('ok');
          },
          () => response.writeHead(500).end(),
        );
      }),
    );
  },
};

function twoPerHour(): RateLimiter {
  const policies = [{ name: 'p', algorithm: 'fixed-window', limit: 2, windowMs: 3_600_000 }] as const;
  return createRateLimiter({ name: 'a', policies, clock: createManualClock(), deny: [secretKey('banned')] });
}

describe.each(Object.keys(adapters))('the %s adapter', (name) => {
  const start = adapters[name] as (typeof adapters)[string];

  test('sends draft headers, 429 problem+json when used up, and keeps clients apart', async () => {
    const url = await start({ limiter: twoPerHour(), partitionSecret: 'a secret of the server' });
    const first = await fetch(url, { headers: { 'x-client': 'a' } });
    expect([first.status, await first.text()]).toEqual([200, 'ok']);
    const pk = /pk=:[\w+/]{16}:/.source;
    expect(first.headers.get('ratelimit-policy')).toMatch(new RegExp(`^"p";q=2;w=3600;${pk}$`));
    expect(first.headers.get('ratelimit')).toMatch(new RegExp(`^"p";r=1;t=3600;${pk}$`));
    await fetch(url, { headers: { 'x-client': 'a' } });
    const denied = await fetch(url, { headers: { 'x-client': 'a' } });
    expect(denied.status).toBe(429);
    expect(denied.headers.get('content-type')).toBe('application/problem+json');
    expect(Number(denied.headers.get('retry-after'))).toBeGreaterThanOrEqual(3600);
    expect(await denied.json()).toMatchObject({ status: 429, 'violated-policies': ['p'] });
    expect((await fetch(url, { headers: { 'x-client': 'b' } })).status).toBe(200);
  });

  test('answers unusable keys and costs with 400, listed clients with 403, and burns no quota by it', async () => {
    const limiter = twoPerHour();
    const url = await start({ limiter });
    const statuses: number[] = [];
    for (const cost of ['-5', '0.5', 'x', '1e9', '3']) {
      const answer = await fetch(url, { headers: { 'x-client': 'a', 'x-cost': cost } });
      statuses.push(answer.status);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      await answer.arrayBuffer();
    }
    for (const headers of [{}, { 'x-client': 'x'.repeat(10_240) }]) {
      const answer = await fetch(url, { headers });
      statuses.push(answer.status);
      await answer.arrayBuffer();
    }
    expect(statuses).toEqual(Array(7).fill(400));
    expect((await fetch(url, { headers: { 'x-client': 'banned' } })).status).toBe(403);
    expect((await limiter.peek(secretKey('a'))).policies[0]?.remaining).toBe(2);
  });

  test('answers a malformed forwarded header with 400 and burns no quota by it', async () => {
    const limiter = twoPerHour();
    const key = clientIpKey({ trustProxy: 1 });
    const url = await start({ limiter }, ({ headers }) =>
      key({ headers, socket: { remoteAddress: '10.0.0.1' } }),
    );
    for (const header of [
      'not-an-address',
      '203.0.113.7, ',
      '203.0.113.7:http',
      '"><script>',
      '1.1.1.1,'.repeat(1000),
    ]) {
      const answer = await fetch(url, { headers: { 'x-forwarded-for': header } });
      expect([header.slice(0, 20), answer.status]).toEqual([header.slice(0, 20), 400]);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(await answer.json()).toMatchObject({ status: 400, detail: 'The client cannot be identified.' });
    }
    expect(limiter.stats()).toMatchObject({ decisions: [], keys: 0 });
    expect((await fetch(url, { headers: { 'x-forwarded-for': '6.6.6.6, 203.0.113.7' } })).status).toBe(200);
    expect((await limiter.peek('203.0.113.7')).policies[0]?.remaining).toBe(1);
  });

  test('counts by parts of a key, each with a partition key of its own, and refunds all of them', async () => {
    const fixed = { algorithm: 'fixed-window', windowMs: 3_600_000 } as const;
    const limiter = createRateLimiter({
      name: 'parts',
      clock: createManualClock(),
      policies: [
        { ...fixed, name: 'user', limit: 2, key: 'user' },
        { ...fixed, name: 'tenant', limit: 3, key: 'tenant' },
        { ...fixed, name: 'all', limit: 9 },
      ],
    });
    const url = await start(
      { limiter, partitionSecret: 'a secret of the server', refundIf: (status) => status >= 500 },
      ({ headers }) => ({ user: secretKey(headers['x-client']), tenant: String(headers['x-tenant'] ?? '') }),
    );
    const ask = async (client: string, tenant: string, path = '') => {
      const answer = await fetch(url + path, { headers: { 'x-client': client, 'x-tenant': tenant } });
      const body = await answer.text();
      return { status: answer.status, body, fields: answer.headers.get('ratelimit')?.split(', ') };
    };
    const first = await ask('a', 't');
    expect([first.status, first.fields?.length, first.fields?.[2]]).toEqual([200, 3, '"all";r=8;t=3600']);
    const second = await ask('b', 't');
    const pks = [first, second].map(({ fields }) => fields?.map((field) => field.split(';pk=')[1]));
    expect(pks[0]?.[1]).toBe(pks[1]?.[1]);
    expect(new Set([pks[0]?.[0], pks[1]?.[0], pks[0]?.[1]]).size).toBe(3);
    const key = { user: secretKey('a'), tenant: 't' };
    expect((await ask('a', 't', '/?status=503')).status).toBe(503);
    await expect
      .poll(async () => (await limiter.peek(key)).policies.map(({ remaining }) => remaining))
      .toEqual([1, 1, 7]);
    expect((await ask('a', 't')).status).toBe(200);
    const denied = await ask('a', 't');
    expect([denied.status, JSON.parse(denied.body)['violated-policies']]).toEqual([429, ['user', 'tenant']]);
    expect((await ask('a', '')).status).toBe(400);
    expect((await limiter.peek({ user: key.user, tenant: 'other' })).policies[2]?.remaining).toBe(6);
  });

  test('tells refundIf the status that the client gets, however the handler ends', async () => {
    const seen: number[] = [];
    const limiter = createRateLimiter({
      name: 'statuses',
      policies: [{ name: 'p', algorithm: 'fixed-window', limit: 100, windowMs: 3_600_000 }],
    });
    const refundIf = (status: number): boolean => seen.push(status) > 0 && status >= 500;
    const url = await start({ limiter, refundIf });
    const got: number[] = [];
    for (const query of [
      'status=200',
      'status=404',
      'status=503',
      'throw=401',
      'throw=418',
      'throw=503',
      'throw=plain',
    ]) {
      const answer = await fetch(`${url}/?${query}`, { headers: { 'x-client': 'a' } });
      await answer.arrayBuffer();
      got.push(answer.status);
      await expect.poll(() => seen).toEqual(got);
    }
    expect(got).toEqual([200, 404, 503, 401, name === 'koa' ? 400 : 418, 503, 500]);
    await expect
      .poll(async () => (await limiter.peek(secretKey('a'))).policies[0]?.remaining)
      .toBe(100 - got.filter((status) => status < 500).length);
  });

  test.each([undefined, null])('limits as usual where limits gives %s', async (limits) => {
    const limiter = twoPerHour();
    const url = await start({ limiter, limits: () => limits });
    const statuses: number[] = [];
    for (let index = 0; index < 3; index++)
      statuses.push((await fetch(url, { headers: { 'x-client': 'a' } })).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  test('awaits what limits and refundIf promise', async () => {
    const limiter = twoPerHour();
    const url = await start({
      limiter,
      headers: 'legacy',
      limits: async () => ({ p: { limit: 4 } }),
      refundIf: async (status) => status === 503,
    });
    const left: (string | null)[] = [];
    for (const status of [200, 503, 200, 200]) {
      const answer = await fetch(`${url}/?status=${status}`, { headers: { 'x-client': 'a', 'x-cost': '1' } });
      await answer.arrayBuffer();
      left.push(answer.headers.get('x-ratelimit-remaining'));
      const used = left.length - Number(left.length > 1);
      await expect
        .poll(async () => (await limiter.peek(secretKey('a'))).policies[0]?.remaining)
        .toBe(Math.max(0, 2 - used));
    }
    expect(left).toEqual(['3', '2', '2', '1']);
  });

  test('gives units back when the answer’s status says so', async () => {
    const limiter = twoPerHour();
    const url = await start({ limiter, refundIf: (status) => status >= 500 });
    for (let index = 0; index < 4; index++) {
      const answer = await fetch(`${url}/?status=503`, { headers: { 'x-client': 'a' } });
      expect(answer.status).toBe(503);
      await answer.arrayBuffer();
      await expect.poll(async () => (await limiter.peek(secretKey('a'))).policies[0]?.remaining).toBe(2);
    }
    await (await fetch(url, { headers: { 'x-client': 'a' } })).arrayBuffer();
    expect((await limiter.peek(secretKey('a'))).policies[0]?.remaining).toBe(1);
  });
});

describe('the status that refundIf gets in Hono', () => {
  const app = (seen: number[]): Hono => {
    const limiter = createRateLimiter({
      name: 'outer',
      policies: [{ name: 'p', algorithm: 'fixed-window', limit: 100, windowMs: 3_600_000 }],
    });
    const outer = new Hono();
    outer.use(async (context, next) => {
      await next();
      await new Promise((resolve) => setImmediate(resolve));
      if (context.req.query('outer') === 'throw') throw new HTTPException(502);
      context.res = new Response('maintenance', { status: 503 });
    });
    const inner = new Hono();
    inner.use(honoRateLimit({ limiter, key: () => 'k', refundIf: (status) => seen.push(status) > 0 }));
    inner.get('/', (context) => context.text('ok'));
    outer.route('/inner', inner);
    return outer;
  };

  test('is the one that a middleware outside has made of it, on Node', async () => {
    const seen: number[] = [];
    const url = await listening(createAdaptorServer(app(seen)) as Server);
    const got: number[] = [];
    for (const query of ['', '?outer=throw']) {
      got.push((await fetch(`${url}/inner${query}`)).status);
      await expect.poll(() => seen).toEqual(got);
    }
    expect(got).toEqual([503, 502]);
  });

  test('is the one at its own place where the runtime does not show the final one', async () => {
    const seen: number[] = [];
    expect((await app(seen).request('/inner')).status).toBe(503);
    expect(seen).toEqual([200]);
  });

  test('comes once, after the handler, for a client that leaves', async () => {
    const seen: number[] = [];
    const limiter = twoPerHour();
    const left = Promise.withResolvers<void>();
    const waiting = Promise.withResolvers<void>();
    const hono = new Hono();
    hono.use(honoRateLimit({ limiter, key: () => 'k', refundIf: (status) => seen.push(status) > 0 }));
    hono.get('/', async (context) => {
      waiting.resolve();
      await left.promise;
      return context.text('late', 201);
    });
    const target = createAdaptorServer(hono) as Server;
    target.on('request', (_, response) => response.once('close', () => left.resolve()));
    const url = await listening(target);
    const abort = new AbortController();
    const answer = fetch(url, { signal: abort.signal });
    await waiting.promise;
    abort.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => seen).toEqual([201]);
  });
});

describe('Fastify routes around the plugin', () => {
  const limited = (): { config: { rateLimit: FastifyRouteLimit } } => ({
    config: { rateLimit: { limiter: twoPerHour(), key: () => 'k', refundIf: (status) => status === 503 } },
  });
  const add = (app: FastifyInstance): FastifyInstance =>
    app.get('/', limited(), (request, reply) => reply.code(statusOf(request.url)).send('ok'));
  const orders: Record<string, (app: FastifyInstance) => unknown> = {
    'declared after it': async (app) => {
      await app.register(fastifyRateLimit);
      add(app);
    },
    'declared before it': async (app) => {
      add(app);
      await app.register(fastifyRateLimit);
    },
    'declared while it loads': (app) => {
      app.register(fastifyRateLimit);
      add(app);
    },
    'of a plugin that was loaded before it': async (app) => {
      await app.register(async (scope) => void add(scope));
      await app.register(fastifyRateLimit);
    },
    'of the root, where a scope registers it': async (app) => {
      add(app);
      await app.register(async (scope) => void scope.register(fastifyRateLimit));
    },
    'of the root, after a scope has registered it': async (app) => {
      await app.register(async (scope) => void scope.register(fastifyRateLimit));
      add(app);
    },
    'of a scope, where a later sibling registers it': async (app) => {
      await app.register(async (scope) => void add(scope));
      await app.register(async (scope) => void (await scope.register(fastifyRateLimit)));
    },
    'of a scope, after a sibling has registered it': async (app) => {
      await app.register(async (scope) => void (await scope.register(fastifyRateLimit)));
      await app.register(async (scope) => void add(scope));
    },
    'of the scope that registers it': async (app) => {
      await app.register(async (scope) => {
        await scope.register(fastifyRateLimit);
        add(scope);
      });
    },
    'of a scope in a scope that registers it, beside one that does so as well': async (app) => {
      await app.register(async (scope) => {
        scope.register(async (inner) => void add(inner));
        await scope.register(fastifyRateLimit);
      });
      app.register(async (scope) => void scope.register(fastifyRateLimit));
    },
    'declared after it was registered twice': async (app) => {
      await app.register(fastifyRateLimit);
      await app.register(fastifyRateLimit);
      add(app);
    },
    'of a scope that registers it again': async (app) => {
      await app.register(fastifyRateLimit);
      await app.register(async (scope) => {
        await scope.register(fastifyRateLimit);
        add(scope);
      });
    },
    'declared before it was registered twice': async (app) => {
      add(app);
      app.register(fastifyRateLimit);
      app.register(async (scope) => void scope.register(fastifyRateLimit));
    },
    'of a plugin that is loaded after it': async (app) => {
      await app.register(fastifyRateLimit);
      app.register(async (scope) => void add(scope));
    },
  };

  test.each(Object.keys(orders))('are limited once: %s', async (order) => {
    const app = fastify();
    await orders[order]?.(app);
    app.get('/free', () => 'ok');
    await app.ready();
    const answers: (string | number | undefined)[] = [];
    for (const url of ['/', '/?status=503', '/', '/', '/free']) {
      const { statusCode, headers } = await app.inject(url);
      answers.push(statusCode, headers.ratelimit?.toString());
    }
    const r = (remaining: number): string => `"p";r=${remaining};t=3600`;
    expect(answers).toEqual([200, r(1), 503, r(0), 200, r(0), 429, r(0), 200, undefined]);
    expect((await app.inject('/none')).statusCode).toBe(404);
  });

  test('fail at the first request when their limit is wrong and they were declared before it', async () => {
    const app = fastify();
    app.get('/', { config: { rateLimit: {} as FastifyRouteLimit } }, () => 'ok');
    await app.register(fastifyRateLimit);
    expect((await app.inject('/')).json()).toMatchObject({
      statusCode: 500,
      code: 'ERR_WEIR_RATELIMIT_OPTIONS',
    });
  });
});

test('options of the wrong kind are refused at construction', () => {
  const key = (): string => 'k';
  for (const wrong of [{ cost: '1' }, { limits: { p: { limit: 1 } } }, { refundIf: 503 }])
    expect(() => httpRateLimit({ limiter: twoPerHour(), key, ...wrong } as never)).toThrow(
      expect.objectContaining({ code: 'ERR_WEIR_RATELIMIT_OPTIONS' }),
    );
});

describe('older header styles', () => {
  test.each([
    ['draft-7', { 'ratelimit-policy': '2;w=3600', ratelimit: 'limit=2, remaining=1, reset=3600' }],
    [
      'draft-6',
      {
        'ratelimit-policy': '2;w=3600',
        'ratelimit-limit': '2',
        'ratelimit-remaining': '1',
        'ratelimit-reset': '3600',
      },
    ],
    ['legacy', { 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': '3600' }],
    ['none', {}],
  ] as const)('%s', async (headers, expected) => {
    const url = await (adapters['node:http'] as (typeof adapters)[string])({
      limiter: twoPerHour(),
      headers,
    });
    const answer = await fetch(url, { headers: { 'x-client': 'a' } });
    const found = Object.fromEntries([...answer.headers].filter(([name]) => name.includes('ratelimit')));
    expect(found).toEqual(expected);
  });
});

describe('a server that trusts everyone', () => {
  const code = 'ERR_WEIR_RATELIMIT_OPTIONS';
  const limited = async (trustProxy: FastifyServerOptions['trustProxy']): Promise<FastifyInstance> => {
    const app = fastify({ ...(trustProxy === undefined ? {} : { trustProxy }) });
    app.setErrorHandler((error: { code?: string }, _, reply) => reply.code(500).send(error.code));
    await app.register(fastifyRateLimit);
    const rateLimit = { limiter: twoPerHour(), key: ({ ip }: { ip: string }) => ip };
    app.get('/', { config: { rateLimit } }, () => 'ok');
    return app;
  };

  test('is refused by Fastify at start', async () => {
    await expect(limited(true)).rejects.toMatchObject({ code });
  });

  test.each([[() => true], [['0.0.0.0/1', '128.0.0.0/1']]])(
    'is refused by Fastify at the first request when a function or halves of everything hide it',
    async (trustProxy) => {
      const app = await limited(trustProxy);
      const answer = await app.inject('/');
      expect([answer.statusCode, answer.body]).toEqual([500, code]);
    },
  );

  test.each([false, 1, 3, 'loopback', ['10.0.0.0/8'], (address: string) => address.startsWith('10.')])(
    'is what Fastify with %j is not',
    async (trustProxy) => {
      const app = await limited(trustProxy as FastifyServerOptions['trustProxy']);
      expect((await app.inject('/')).statusCode).toBe(200);
    },
  );

  test.each([[true], [() => true], [['0.0.0.0/1', '128.0.0.0/1']]])(
    'is refused by Express at the first request',
    async (trustProxy) => {
      const app = express();
      app.set('trust proxy', trustProxy);
      app.use(expressRateLimit({ limiter: twoPerHour(), key: () => 'k' }));
      const errors: unknown[] = [];
      app.use(((error, _request, response, _next) => {
        errors.push(error);
        response.status(500).end();
      }) satisfies express.ErrorRequestHandler);
      const url = await listening(createServer(app as RequestListener));
      expect((await fetch(url)).status).toBe(500);
      expect(errors[0]).toMatchObject({ code });
    },
  );

  test('is refused by Koa at the first request when its own `proxy` is on and nobody counts the hops', async () => {
    const app = new Koa({ proxy: true });
    const errors: unknown[] = [];
    app.on('error', (error) => errors.push(error));
    app.use(koaRateLimit({ limiter: twoPerHour(), key: ({ ip }) => ip }));
    const url = await listening(createServer(app.callback()));
    expect((await fetch(url)).status).toBe(500);
    expect(errors[0]).toMatchObject({ code });
    app.maxIpsCount = 1;
    expect((await fetch(url)).status).toBe(404);
  });
});
