import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { expressResponseCache } from '../src/express.ts';
import { fastifyResponseCache } from '../src/fastify.ts';
import { type Cache, createCache } from '../src/index.ts';

/** What the handler answers next; `calls` counts how often it was asked. */
interface Script {
  calls: number;
  status: number;
  headers: Record<string, string>;
  body: string;
  delayMs: number;
}

interface Served {
  readonly origin: string;
  close(): Promise<void>;
}

async function serveFastify(cache: Cache, script: Script): Promise<Served> {
  const app = fastify();
  await app.register(fastifyResponseCache, { cache, maxBodyBytes: 1_000 });
  app.all('/*', async (_request, reply) => {
    script.calls += 1;
    await new Promise((resolve) => setTimeout(resolve, script.delayMs));
    return reply.code(script.status).headers(script.headers).send(script.body);
  });
  return { origin: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() };
}

async function serveExpress(cache: Cache, script: Script): Promise<Served> {
  const app = express();
  app.disable('etag');
  app.use(expressResponseCache({ cache, maxBodyBytes: 1_000 }));
  app.use(async (_request, response) => {
    script.calls += 1;
    await new Promise((resolve) => setTimeout(resolve, script.delayMs));
    response.status(script.status).set(script.headers).send(script.body);
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe.each([
  ['Fastify', serveFastify],
  ['Express', serveExpress],
] as const)('the response cache of %s', (_name, serve) => {
  let cache: Cache;
  let script: Script;
  let server: Served;

  beforeEach(async () => {
    cache = createCache({ name: 'http' });
    script = { calls: 0, status: 200, headers: { 'cache-control': 'max-age=60' }, body: 'one', delayMs: 0 };
    server = await serve(cache, script);
  });
  afterEach(async () => {
    vi.useRealTimers();
    await server.close();
    await cache.close();
  });

  const get = async (path = '/a', init: RequestInit = {}) => {
    const response = await fetch(`${server.origin}${path}`, init);
    return { response, body: await response.text(), status: response.headers.get('cache-status') };
  };
  const twice = async (path?: string, init?: RequestInit) => {
    await get(path, init);
    await get(path, init);
    return script.calls;
  };
  const later = (seconds: number) =>
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1_000 });

  it('serves a fresh response without the handler, with its age and status (RFC 9111 §5.1, RFC 9211)', async () => {
    const first = await get();
    expect(first.status).toBe('weir; fwd=uri-miss; stored');
    later(10);
    const { body, response, status } = await get();
    expect([body, script.calls]).toEqual(['one', 1]);
    expect(status).toMatch(/^weir; hit; ttl=(49|50)$/);
    expect(response.headers.get('age')).toBe('10');
    expect(response.headers.get('cache-control')).toBe('max-age=60');
  });

  it('asks the handler again when the response has expired', async () => {
    await get();
    later(61);
    await get();
    expect(script.calls).toBe(2);
  });

  it.each([
    ['no-store', { 'cache-control': 'no-store, max-age=60' }],
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['no-cache', { 'cache-control': 'no-cache, max-age=60' }],
    ['max-age=0', { 'cache-control': 'max-age=0' }],
    ['s-maxage=0 over max-age', { 'cache-control': 's-maxage=0, max-age=60' }],
    ['a malformed max-age', { 'cache-control': 'max-age=soon' }],
    ['no freshness at all', { 'cache-control': '' }],
    ['an Expires of 0', { 'cache-control': '', expires: '0' }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: '*' }],
    ['Set-Cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'a=1' }],
    ['an Age beyond its freshness', { 'cache-control': 'max-age=60', age: '61' }],
  ])('does not store a response with %s', async (_title, headers) => {
    script.headers = headers;
    expect(await twice()).toBe(2);
  });

  it('does not store an error, nor a body beyond the bound', async () => {
    script.status = 500;
    expect(await twice('/error')).toBe(2);
    script.status = 200;
    script.body = 'x'.repeat(2_000);
    expect(await twice('/large')).toBe(4);
    expect((await get('/large')).body).toHaveLength(2_000);
  });

  it('stores a response to an authorised request only when it says so (RFC 9111 §3.5)', async () => {
    const init = { headers: { authorization: 'Bearer x' } };
    expect(await twice('/plain', init)).toBe(2);
    script.headers = { 'cache-control': 'public, max-age=60' };
    expect(await twice('/public', init)).toBe(3);
  });

  it('keeps the variants of a response apart (RFC 9111 §4.1)', async () => {
    script.headers = { 'cache-control': 'max-age=60', vary: 'Accept-Language' };
    for (const language of ['de', 'en', 'de', 'en']) {
      script.body = language;
      expect((await get('/v', { headers: { 'accept-language': language } })).body).toBe(language);
    }
    expect(script.calls).toBe(2);
  });

  it('does as the request’s Cache-Control says', async () => {
    await get();
    for (const value of ['no-cache', 'no-store']) await get('/a', { headers: { 'cache-control': value } });
    expect(script.calls).toBe(3);
    later(10);
    await get('/a', { headers: { 'cache-control': 'max-age=5' } });
    expect(script.calls).toBe(4);
    await get('/a', { headers: { 'cache-control': 'min-fresh=3600' } });
    expect(script.calls).toBe(5);
  });

  it('answers a client that has the response with 304 (RFC 9110 §13.1.2)', async () => {
    await get();
    // Without one, `fetch` adds a Cache-Control of its own to conditional requests.
    const plain = { 'cache-control': 'max-age=3600' };
    const etag = (await get()).response.headers.get('etag') ?? '';
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const { body, response } = await get('/a', { headers: { ...plain, 'if-none-match': known } });
      expect([response.status, body]).toEqual([304, '']);
    }
    expect((await get('/a', { headers: { ...plain, 'if-none-match': '"other"' } })).response.status).toBe(
      200,
    );
  });

  it('answers HEAD from a stored GET', async () => {
    await get();
    const { body, response } = await get('/a', { method: 'HEAD' });
    expect([body, response.headers.get('content-length'), script.calls]).toEqual(['', '3', 1]);
  });

  it('drops every variant of a URL after a successful unsafe request (RFC 9111 §4.4)', async () => {
    await get();
    script.status = 400;
    await get('/a', { method: 'POST' });
    expect((await get()).status).toContain('hit');
    script.status = 204;
    script.body = '';
    await get('/a', { method: 'POST' });
    script.status = 200;
    script.body = 'two';
    expect((await get()).body).toBe('two');
  });

  it('serves a stale response while one request refreshes it (RFC 5861 §3)', async () => {
    script.headers = { 'cache-control': 'max-age=60, stale-while-revalidate=60' };
    await get();
    later(90);
    script.body = 'two';
    script.delayMs = 100;
    const refreshing = get();
    await vi.waitFor(() => expect(script.calls).toBe(2));
    expect((await get()).body).toBe('one');
    expect((await refreshing).body).toBe('two');
    expect((await get()).body).toBe('two');
    expect(script.calls).toBe(2);
  });

  it('serves a stale response instead of an error, unless it must be revalidated (RFC 5861 §4)', async () => {
    script.headers = { 'cache-control': 'max-age=60, stale-if-error=600' };
    await get('/lenient');
    script.headers = { 'cache-control': 'max-age=60, stale-if-error=600, must-revalidate' };
    await get('/strict');
    later(90);
    script.status = 503;
    script.body = 'down';
    const lenient = await get('/lenient');
    expect([lenient.response.status, lenient.body]).toEqual([200, 'one']);
    expect(lenient.status).toContain('detail=stale-if-error');
    expect((await get('/strict')).response.status).toBe(503);
  });

  it('calls the handler once for concurrent misses', async () => {
    script.delayMs = 50;
    const bodies = await Promise.all(Array.from({ length: 20 }, () => get('/herd')));
    expect(new Set(bodies.map(({ body }) => body))).toEqual(new Set(['one']));
    expect(script.calls).toBe(1);
  });
});
