import { createServer, get as httpGet, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { type RedisServer, seededRandom, startRedis } from '@weir/test-kit';
import express, { type Response } from 'express';
import fastify, { type FastifyReply } from 'fastify';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { expressResponseCache } from '../src/express.ts';
import { fastifyResponseCache } from '../src/fastify.ts';
import { isNotModified, rangeOf, wishesOf } from '../src/http/reuse.ts';
import { variantKey } from '../src/http/stored-response.ts';
import { type Cache, createCache } from '../src/index.ts';
import { createScript, type Script, type Served, send, serveExpress, serveFastify } from './http-servers.ts';

let redisServer: RedisServer;
let redis: Redis;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  redisServer = await startRedis();
  redis = new Redis(redisServer.url);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await redis.flushall();
});
afterAll(async () => {
  redis.disconnect();
  await redisServer.stop();
});

async function sharedCache(): Promise<Cache> {
  const client = new Redis(redisServer.url);
  const cache = createCache({ name: 'http', redis: client, l2: { deadlineMs: 2_000 } });
  closing.push(
    () => client.disconnect(),
    () => cache.close(),
  );
  await cache.ready();
  return cache;
}

describe.each([
  ['Fastify', serveFastify],
  ['Express', serveExpress],
] as const)('the response cache of %s', (_name, serve) => {
  let script: Script;
  let server: Served;

  async function start(cache: Cache, options = {}): Promise<void> {
    server = await serve({ cache, ...options }, script);
    closing.push(() => server.close());
  }
  beforeEach(() => {
    script = createScript();
  });

  test('takes no resource for another, whatever a client sends as its host', async () => {
    await start(createCache({ name: 'http' }));
    const hosts = ['a', 'a/b', 'a /b', 'a/b/', 'a?x', 'a /b /b', '"a"', 'a%20', 'b'];
    const paths = ['/', '/b', '/b/b', '/%20/b', '/?x', '/b?x', '/b/?a'];
    const ask = async (host: string, path: string) => {
      script.body = JSON.stringify([host, path]);
      return await send(`${server.origin}${path}`, { headers: { host } });
    };
    for (const isStored of [false, true]) {
      for (const host of hosts) {
        for (const path of paths) {
          const { body, cacheStatus } = await ask(host, path);
          expect([body, cacheStatus.includes('hit')]).toEqual([JSON.stringify([host, path]), isStored]);
        }
      }
    }
    expect((await ask('A', '/b')).body).toBe(JSON.stringify(['a', '/b']));
  });

  test.each([
    ['no string', () => undefined],
    ['an empty string', () => ''],
    ['an error', () => JSON.parse('{')],
  ])('passes a request uncached whose key is %s, and says so once', async (_title, key) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    await start(createCache({ name: 'http' }), { key });
    for (const path of ['/a', '/a', '/b']) {
      expect((await send(`${server.origin}${path}`)).cacheStatus).toBe('weir; fwd=bypass; detail=key');
    }
    expect((await send(`${server.origin}/a`, { method: 'PUT' })).status).toBe(200);
    expect(script.calls).toBe(4);
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('`key` failed'));
    warn.mockRestore();
  });

  test('leaves nothing in Redis of a resource of which nothing is stored', async () => {
    await start(await sharedCache(), { maxBodyBytes: 100 });
    // The versions that all entries of the cache share.
    await send(`${server.origin}/warm`, { headers: { 'cache-control': 'no-cache' } });
    await expect.poll(() => redis.dbsize()).toBe(5);
    const before = 5;
    const life = { 'cache-control': 'max-age=60' };
    const answers: [string, Partial<Script>, { method?: string; headers?: Record<string, string> }?][] = [
      ['no-store', { headers: { 'cache-control': 'no-store' } }],
      ['private', { headers: { 'cache-control': 'private, max-age=60' } }],
      ['no freshness', { headers: {} }],
      ['a cookie', { headers: { ...life, 'set-cookie': 'a=1' } }],
      ['vary: *', { headers: { ...life, vary: '*' } }],
      ['an event stream', { headers: { ...life, 'content-type': 'text/event-stream' } }],
      ['an error', { status: 500, headers: life }],
      ['a part', { status: 206, headers: life }],
      ['too large', { headers: life, body: 'x'.repeat(101) }],
      ['too large a stream', { headers: life, chunks: [Promise.resolve('x'.repeat(101))] }],
      ['HEAD', { headers: life }, { method: 'HEAD' }],
      ['POST', { headers: life }, { method: 'POST' }],
      ['only-if-cached', { headers: life }, { headers: { 'cache-control': 'only-if-cached' } }],
      ['no-store asked for', { headers: life }, { headers: { 'cache-control': 'no-store' } }],
      ['authorization', { headers: life }, { headers: { authorization: 'Bearer x' } }],
    ];
    for (const [title, answer, init] of answers) {
      for (let index = 0; index < 3; index += 1) {
        Object.assign(script, createScript(), answer);
        await send(`${server.origin}/search?q=${encodeURIComponent(title)}-${index}`, init);
      }
      await expect.poll(() => redis.dbsize(), { message: title }).toBe(before);
    }
    Object.assign(script, createScript());
    await send(`${server.origin}/stored`);
    await expect.poll(() => redis.dbsize()).toBe(before + 3);
  });

  test('stores a response again of a resource that was not storable', async () => {
    await start(await sharedCache());
    script.headers = { 'cache-control': 'no-store' };
    for (let index = 0; index < 2; index += 1) await send(`${server.origin}/a`);
    script.headers = { 'cache-control': 'max-age=60' };
    expect((await send(`${server.origin}/a`)).cacheStatus).toBe('weir; fwd=uri-miss; detail=unclaimed');
    expect((await send(`${server.origin}/a`)).cacheStatus).toBe('weir; fwd=uri-miss; stored');
    await expect.poll(async () => (await send(`${server.origin}/a`)).cacheStatus).toContain('hit');
  });
});

test('nobody who asks after a change has been made is answered with what was before it, in any order of events', async () => {
  const caches = [await sharedCache(), await sharedCache()];
  let hits = 0;
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = seededRandom(seed);
    const pick = (count: number) => Math.floor(random() * count);
    let version = 0;
    const gates: PromiseWithResolvers<void>[] = [];
    const apps = await Promise.all(
      caches.map(async (cache) => {
        const app = fastify();
        await app.register(fastifyResponseCache, { cache, key: ({ url }) => url });
        app.get('/*', async (request, reply) => {
          const made = version;
          const gate = Promise.withResolvers<void>();
          gates.push(gate);
          await gate.promise;
          reply.header('cache-control', 'max-age=60').header('vary', 'x-variant');
          return { made, variant: request.headers['x-variant'] };
        });
        app.put('/*', async () => ({ version }));
        return app;
      }),
    );
    const reads: Promise<void>[] = [];
    for (let step = 0; step < 40; step += 1) {
      const app = apps[pick(2)] as (typeof apps)[number];
      const url = `/${seed}`;
      const action = pick(8);
      if (action < 4) {
        const asked = version;
        const variant = String(pick(2));
        const read = app.inject({ url, headers: { 'x-variant': variant } }).then((answer) => {
          const { made, variant: got } = answer.json<{ made: number; variant: string }>();
          if (String(answer.headers['cache-status']).includes('hit')) hits += 1;
          expect(made, `seed ${seed}, step ${step}`).toBeGreaterThanOrEqual(asked);
          expect(got).toBe(variant);
        });
        reads.push(read);
        await Promise.race([read, new Promise((resolve) => setImmediate(resolve))]);
      } else if (action < 7) {
        gates.splice(pick(gates.length), 1)[0]?.resolve();
        await redis.ping();
      } else {
        version += 1;
        await app.inject({ method: 'PUT', url });
      }
    }
    const open = setInterval(() => {
      for (const gate of gates.splice(0)) gate.resolve();
    }, 1);
    await Promise.all(reads).finally(() => clearInterval(open));
    for (const app of apps) await app.close();
  }
  expect(hits).toBeGreaterThan(30);
});

describe('an answer without an end', () => {
  const first = (port: number, path: string) =>
    new Promise<string>((resolve, reject) => {
      const request = httpGet({ port, path, agent: false }, (response: IncomingMessage) => {
        response.once('data', (chunk) => resolve(String(chunk)));
        response.once('error', () => {});
      });
      request.once('error', reject);
      closing.push(() => request.destroy());
    });
  const event = 'data: hello\n\n';
  const endless = () => {
    const stream = new Readable({ read() {} });
    stream.push(event);
    return stream;
  };
  const types = [
    { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    { 'content-type': 'text/event-stream; charset=utf-8' },
    { 'content-type': 'text/event-stream', 'cache-control': 'max-age=60' },
    { 'content-type': 'application/x-ndjson', 'cache-control': 'no-cache' },
    { 'content-type': 'application/x-ndjson; charset=utf-8', 'cache-control': 'max-age=60' },
    { 'content-type': 'application/json-seq', 'cache-control': 'max-age=60' },
    { 'content-type': 'multipart/x-mixed-replace; boundary=b', 'cache-control': 'max-age=60' },
    { 'content-type': 'Application/gRPC-web+proto', 'cache-control': 'max-age=60' },
  ];

  const fastifyWays: [string, (reply: FastifyReply, headers: Record<string, string>) => unknown][] = [
    [
      'hijacked',
      (reply, headers) => {
        reply.hijack();
        reply.raw.writeHead(200, headers).write(event);
      },
    ],
    [
      'hijacked, headers set one by one',
      (reply, headers) => {
        reply.hijack();
        for (const [name, value] of Object.entries(headers)) reply.raw.setHeader(name, value);
        reply.raw.flushHeaders();
        reply.raw.write(event);
      },
    ],
    [
      'raw, not hijacked',
      (reply, headers) => {
        reply.raw.writeHead(200, headers).write(event);
        return new Promise(() => {});
      },
    ],
    ['a stream', (reply, headers) => reply.headers(headers).send(endless())],
  ];
  const expressWays: [string, (response: Response, headers: Record<string, string>) => unknown][] = [
    ['writeHead', (response, headers) => response.writeHead(200, headers).write(event)],
    [
      'flushed headers',
      (response, headers) => {
        response.set(headers).flushHeaders();
        response.write(event);
      },
    ],
    ['a stream', (response, headers) => endless().pipe(response.set(headers))],
  ];

  test.each(fastifyWays)('holds up no other client of its URL: Fastify, %s', async (_title, answer) => {
    for (const headers of types) {
      const app = fastify({ forceCloseConnections: true });
      await app.register(fastifyResponseCache, {
        cache: createCache({ name: 'http' }),
        defaultTtlMs: 60_000,
      });
      app.get('/events', (_request, reply) => answer(reply, headers as never));
      await app.listen({ port: 0, host: '127.0.0.1' });
      closing.push(() => app.close());
      const { port } = app.server.address() as AddressInfo;
      for (let client = 0; client < 3; client += 1) expect(await first(port, '/events')).toBe(event);
    }
  });

  test.each(expressWays)('holds up no other client of its URL: Express, %s', async (_title, answer) => {
    for (const headers of types) {
      const app = express();
      app.use(expressResponseCache({ cache: createCache({ name: 'http' }), defaultTtlMs: 60_000 }));
      app.get('/events', (_request, response) => {
        answer(response, headers as never);
      });
      const server = createServer(app).listen(0, '127.0.0.1');
      closing.push(() => {
        server.closeAllConnections();
        server.close();
      });
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      for (let client = 0; client < 3; client += 1) expect(await first(port, '/events')).toBe(event);
    }
  });
});

test('a hijacked reply of Fastify is stored if it says so, and invalidates if it is unsafe', async () => {
  const app = fastify();
  await app.register(fastifyResponseCache, { cache: createCache({ name: 'http' }) });
  let made = 0;
  app.get('/a', (_request, reply) => {
    reply.hijack();
    made += 1;
    reply.raw.writeHead(200, { 'cache-control': 'max-age=60' });
    reply.raw.write('made ');
    reply.raw.end(String(made));
  });
  app.post('/b', (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(303, { location: '/a' }).end();
  });
  const get = async () => {
    const { body, headers } = await app.inject('/a');
    return [body, String(headers['cache-status']).replace(/ttl=\d+/, 'ttl=n')];
  };
  expect(await get()).toEqual(['made 1', 'weir; fwd=uri-miss; detail=streamed']);
  expect(await get()).toEqual(['made 1', 'weir; hit; ttl=n']);
  expect((await app.inject({ method: 'POST', url: '/b' })).statusCode).toBe(303);
  expect((await get())[0]).toBe('made 2');
  await app.close();
});

test('the memory of stored responses is bounded by default', async () => {
  const cache = createCache({ name: 'http' });
  const app = fastify();
  await app.register(fastifyResponseCache, { cache, maxBodyBytes: 2 ** 25 });
  const image = Buffer.alloc(2 ** 24);
  app.get('/image', (_request, reply) => reply.header('cache-control', 'max-age=60').send(image));
  for (let index = 0; index < 10; index += 1) await app.inject(`/image?x=${index}`);
  // Of each response a generation and its list of fields; seven bodies of 16 MiB fit into 128 MiB.
  await expect.poll(() => cache.stats().evictions).toBeGreaterThanOrEqual(3);
  expect(cache.stats().entries).toBeLessThanOrEqual(27);
  await app.close();
  await cache.close();
});

// Were it quadratic, it would pass the time limit of a test many times over.
describe('a header that is nearly all one character', () => {
  const size = 100_000;
  const readers: [string, (field: string) => unknown][] = [
    ['Vary', (field) => variantKey('a', ['x'], { x: field })],
    ['Cache-Control', (field) => wishesOf({ 'cache-control': field })],
    ['Pragma', (field) => wishesOf({ pragma: field })],
    ['Range', (field) => rangeOf({ range: field }, {}, 10)],
    ['If-Range', (field) => rangeOf({ range: 'bytes=0-1', 'if-range': field }, { etag: '"a"' }, 10)],
    ['If-None-Match', (field) => isNotModified({ 'if-none-match': field }, { etag: '"a"' })],
    ['If-Modified-Since', (field) => isNotModified({ 'if-modified-since': field }, { date: 'x' })],
  ];
  test.each(readers)('costs no more than any other of its length: %s', (_name, read) => {
    for (const start of ['', 'en', 'bytes=', 'bytes=0', 'bytes=0-', 'a="', 'W/"']) {
      for (const filler of [' ', '\t', ',', ' ,', '"', '\\"', '=', '0', 'a ']) {
        for (const end of ['', 'x', '"']) read(start + filler.repeat(size / filler.length) + end);
      }
    }
  });

  test('still means the same', () => {
    const key = (field: string) => variantKey('a', ['x'], { x: field });
    for (const same of ['de,en', 'de, en', ' de ,\t en  ', 'de  ,en']) expect(key(same)).toBe(key('de,en'));
    expect(key('d e,en')).not.toBe(key('de,en'));
    expect(key('de,,en')).not.toBe(key('de,en'));
    for (const range of ['bytes=0-1', ' bytes=0-1 ', 'bytes = 0-1', 'BYTES=0-1']) {
      expect(rangeOf({ range }, {}, 10)).toEqual({ start: 0, end: 2 });
    }
    for (const range of ['bytes=0 1-2', 'bytes=-', 'bytes=1-0', 'items=0-1', 'bytes=0-1,3-4']) {
      expect(rangeOf({ range }, {}, 10)).toBeUndefined();
    }
  });
});

test.each([
  [{ cache: {} }, /`cache` to be a cache made by `createCache`/],
  [{ cache: { getOrSet() {} } }, /`cache` to be a cache made by `createCache`/],
  [{ key: 'host' }, /`key` to be a function/],
  [{ exposeKey: 'yes' }, /`exposeKey` to be a boolean/],
  [{ clock: {} }, /`clock` to be an object with `now\(\)`/],
  [{ statusName: 7 }, /`statusName` to be an HTTP token/],
  [{ maxKeepMs: Number.NaN }, /`maxKeepMs` to be a number of at least 1/],
  [{ maxBodyBytes: -1 }, /`maxBodyBytes` to be a number of at least 0/],
])('an option out of range is refused: %o', (option, message) => {
  const cache = createCache({ name: 'http' });
  expect(() => expressResponseCache({ cache, ...option } as never)).toThrow(message);
});
