import { get as httpGet } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Cache, createCache } from '../src/index.ts';
import { createScript, type Script, type Served, send, serveExpress, serveFastify } from './http-servers.ts';

describe.each([
  ['Fastify', serveFastify],
  ['Express', serveExpress],
] as const)('the response cache of %s', (_name, serve) => {
  let cache: Cache;
  let script: Script;
  let server: Served;
  let now: number;

  beforeEach(async () => {
    cache = createCache({ name: 'http' });
    script = createScript();
    now = Date.now();
    server = await serve({ cache, maxBodyBytes: 1_000, clock: { now: () => now } }, script);
  });
  afterEach(async () => {
    await server.close();
    await cache.close();
  });

  const get = (path = '/a', headers: Record<string, string> = {}, method = 'GET') =>
    send(`${server.origin}${path}`, { headers, method });
  const pass = (seconds: number) => {
    now += seconds * 1_000;
  };

  test('answers a client that has the response with 304 (RFC 9110 §13.1.2, §13.1.3)', async () => {
    script.headers = { 'cache-control': 'max-age=60', 'last-modified': new Date(0).toUTCString() };
    const { headers } = await get();
    const etag = headers.etag ?? '';
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await get('/a', { 'if-none-match': known });
      expect([answer.status, answer.body]).toEqual([304, '']);
      expect(answer.headers.etag).toBe(etag);
    }
    const since = { 'if-modified-since': new Date(1_000).toUTCString() };
    expect((await get('/a', since)).status).toBe(304);
    expect((await get('/a', { ...since, 'if-none-match': '"other"' })).status).toBe(200);
    expect(script.calls).toBe(1);
  });

  test('answers preconditions itself even on a miss, so that the whole response is there for everybody', async () => {
    script.headers = { 'cache-control': 'max-age=60', etag: '"v1"' };
    script.validates = true;
    const first = await get('/a', { 'if-none-match': '"v1"' });
    expect([first.status, first.body, first.cacheStatus]).toEqual([304, '', 'weir; fwd=uri-miss; stored']);
    expect(script.seen['if-none-match']).toBeUndefined();
    expect(await get()).toMatchObject({ status: 200, body: 'one', cacheStatus: 'weir; hit; ttl=60' });
  });

  test('validates an expired response with the handler, whose 304 freshens it (RFC 9111 §4.3)', async () => {
    script.headers = { 'cache-control': 'max-age=60', etag: '"v1"', 'x-made': 'first' };
    script.validates = true;
    await get();
    pass(61);
    script.headers = { ...script.headers, 'x-made': 'second' };
    const validated = await get();
    expect(script.seen['if-none-match']).toBe('"v1"');
    expect(validated).toMatchObject({ status: 200, body: 'one' });
    expect(validated.headers['x-made']).toBe('second');
    expect(validated.cacheStatus).toBe('weir; fwd=stale; fwd-status=304; stored');
    expect((await get()).cacheStatus).toBe('weir; hit; ttl=60');
    pass(61);
    // Another validator: the new response replaces the old one.
    script.headers = { 'cache-control': 'max-age=60', etag: '"v2"' };
    script.body = 'two';
    expect((await get('/a', { 'if-none-match': '"v1"' })).body).toBe('two');
    expect((await get('/a', { 'if-none-match': '"v2"' })).status).toBe(304);
    expect(script.calls).toBe(3);
  });

  test('keeps a no-cache response for validation only (§5.2.2.4)', async () => {
    script.headers = { 'cache-control': 'no-cache', etag: '"v1"' };
    script.validates = true;
    for (let call = 1; call <= 3; call += 1) {
      expect(await get()).toMatchObject({ status: 200, body: 'one' });
      expect(script.calls).toBe(call);
    }
    expect(script.seen['if-none-match']).toBe('"v1"');
  });

  test('asks no handler about a validator that was made here', async () => {
    script.headers = { 'cache-control': 'max-age=60, stale-if-error=600' };
    await get();
    pass(61);
    await get();
    expect(script.seen['if-none-match']).toBeUndefined();
  });

  test('serves a part of a stored response (RFC 9110 §14)', async () => {
    script.body = '0123456789';
    const { headers } = await get();
    const part = (range: string, more: Record<string, string> = {}) => get('/a', { range, ...more });
    expect(await part('bytes=2-4')).toMatchObject({ status: 206, body: '234' });
    expect((await part('bytes=2-4')).headers).toMatchObject({
      'content-range': 'bytes 2-4/10',
      'content-length': '3',
    });
    expect(await part('bytes=7-')).toMatchObject({ status: 206, body: '789' });
    expect(await part('bytes=-2')).toMatchObject({ status: 206, body: '89' });
    expect(await part('bytes=8-99')).toMatchObject({ status: 206, body: '89' });
    expect(await part('bytes=10-')).toMatchObject({
      status: 416,
      headers: { 'content-range': 'bytes */10' },
    });
    for (const ignored of ['bytes=4-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=-']) {
      expect(await part(ignored)).toMatchObject({ status: 200, body: '0123456789' });
    }
    expect(await part('bytes=2-4', { 'if-range': headers.etag ?? '' })).toMatchObject({ status: 206 });
    for (const other of ['"other"', `W/${headers.etag}`, new Date(0).toUTCString()]) {
      expect(await part('bytes=2-4', { 'if-range': other })).toMatchObject({ status: 200 });
    }
    expect((await get('/a', { range: 'bytes=2-4' }, 'HEAD')).headers['content-length']).toBe('10');
    expect(script.calls).toBe(1);
  });

  test('lets the handler answer a range that is not stored, and stores no part', async () => {
    Object.assign(script, {
      status: 206,
      body: '01',
      headers: { ...script.headers, 'content-range': 'bytes 0-1/9' },
    });
    const first = await get('/a', { range: 'bytes=0-1' });
    expect([first.status, first.body, script.seen.range]).toEqual([206, '01', 'bytes=0-1']);
    Object.assign(script, { status: 200, body: 'whole', headers: { 'cache-control': 'max-age=60' } });
    expect((await get()).body).toBe('whole');
    expect(script.calls).toBe(2);
  });

  test('serves stale at once and revalidates in the background (RFC 5861 §3)', async () => {
    script.headers = {
      'cache-control': 'max-age=60, stale-while-revalidate=60',
      etag: '"v1"',
      vary: 'x-tenant',
    };
    const tenant = { 'x-tenant': 'a', cookie: 'session=1' };
    await get('/a', tenant);
    pass(90);
    script.body = 'two';
    script.headers = { ...script.headers, etag: '"v2"' };
    const { promise, resolve: open } = Promise.withResolvers<void>();
    script.gate = promise;
    const stale = await Promise.all(Array.from({ length: 10 }, () => get('/a', tenant)));
    for (const { body, cacheStatus } of stale)
      expect([body, cacheStatus]).toEqual(['one', 'weir; hit; ttl=-30']);
    open();
    await vi.waitFor(async () => expect((await get('/a', tenant)).body).toBe('two'));
    expect(script.calls).toBe(2);
    expect(script.seen).toMatchObject({ ...tenant, 'if-none-match': '"v1"' });
    pass(125);
    expect((await get('/a', tenant)).cacheStatus).toContain('fwd=stale');
  });

  test('keeps the stale response when its background refresh fails, and tries again', async () => {
    script.headers = { 'cache-control': 'max-age=60, stale-while-revalidate=600' };
    await get();
    pass(90);
    script.status = 500;
    expect((await get()).body).toBe('one');
    await vi.waitFor(() => expect(script.calls).toBe(2));
    script.status = 200;
    script.body = 'two';
    await vi.waitFor(async () => expect((await get()).body).toBe('two'));
  });

  test.each([500, 502, 503, 504])('serves a stale response instead of %d (RFC 5861 §4)', async (status) => {
    script.headers = { 'cache-control': 'max-age=60, stale-if-error=600' };
    await get('/lenient');
    script.headers = { 'cache-control': 'max-age=60, etag="a"', etag: '"a"' };
    await get('/asked');
    script.headers = { 'cache-control': 'max-age=60, stale-if-error=600, must-revalidate', etag: '"b"' };
    await get('/strict');
    pass(90);
    Object.assign(script, { status, body: 'down', headers: {} });
    const lenient = await get('/lenient');
    expect([lenient.status, lenient.body]).toEqual([200, 'one']);
    expect(lenient.cacheStatus).toBe(`weir; fwd=stale; fwd-status=${status}; detail=stale-if-error`);
    expect(lenient.headers.age).toBe('90');
    expect((await get('/asked')).status).toBe(status);
    expect((await get('/asked', { 'cache-control': 'stale-if-error=600' })).body).toBe('one');
    expect((await get('/strict')).status).toBe(status);
    script.status = 501;
    expect((await get('/lenient')).status).toBe(501);
  });

  test('passes a stream on as it comes, and stores it whole', async () => {
    const gate = Promise.withResolvers<string>();
    script.chunks = [Promise.resolve('first '), gate.promise];
    const seen: string[] = [];
    const streaming = send(`${server.origin}/s`, { onChunk: (chunk) => seen.push(chunk) });
    await vi.waitFor(() => expect(seen).toEqual(['first ']));
    gate.resolve('second');
    const { body, cacheStatus } = await streaming;
    expect([body, cacheStatus]).toEqual(['first second', 'weir; fwd=uri-miss; detail=streamed']);
    await vi.waitFor(async () => expect((await get('/s')).cacheStatus).toBe('weir; hit; ttl=60'));
    expect((await get('/s')).body).toBe('first second');
  });

  test('passes a stream beyond the bound on unbroken and uncached', async () => {
    const chunk = 'x'.repeat(700);
    script.chunks = [1, 2, 3].map(() => Promise.resolve(chunk));
    expect((await get('/s')).body).toBe(chunk.repeat(3));
    expect((await get('/s')).body).toBe(chunk.repeat(3));
    expect(script.calls).toBe(2);
  });

  test('never stores a stream that broke off, and lets those who wait go on (RFC 9111 §3.3)', async () => {
    const broken = Promise.withResolvers<string>();
    script.chunks = [Promise.resolve('half'), broken.promise];
    const client = httpGet(`${server.origin}/s`);
    client.on('error', () => {});
    await new Promise((resolve) => client.once('response', (response) => response.once('data', resolve)));
    const waiting = get('/s');
    script.chunks = [Promise.resolve('whole')];
    client.destroy();
    expect((await waiting).body).toBe('whole');
    broken.resolve(' never');
    expect((await get('/s')).body).toBe('whole');
  });
});
