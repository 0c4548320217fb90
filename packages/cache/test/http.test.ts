import { startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
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
  const twice = async (path?: string, headers?: Record<string, string>) => {
    await get(path, headers);
    await get(path, headers);
    return script.calls;
  };
  const pass = (seconds: number) => {
    now += seconds * 1_000;
  };

  test('serves a fresh response without the handler, with its age and status (RFC 9111 §5.1, RFC 9211)', async () => {
    const first = await get();
    expect(first.cacheStatus).toBe('weir; fwd=uri-miss; stored');
    expect(first.headers.age).toBeUndefined();
    pass(10);
    const { body, cacheStatus, headers } = await get();
    expect([body, script.calls]).toEqual(['one', 1]);
    expect(cacheStatus).toBe('weir; hit; ttl=50');
    expect(headers.age).toBe('10');
    expect(headers['cache-control']).toBe('max-age=60');
  });

  test('asks the handler again when the response has expired', async () => {
    await get();
    pass(61);
    await get();
    expect(script.calls).toBe(2);
  });

  test.each([
    ['no-store', { 'cache-control': 'no-store, max-age=60' }],
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['no-cache', { 'cache-control': 'no-cache, max-age=60' }],
    ['max-age=0', { 'cache-control': 'max-age=0' }],
    ['s-maxage=0 over max-age', { 'cache-control': 's-maxage=0, max-age=60' }],
    ['a malformed max-age', { 'cache-control': 'max-age=soon' }],
    ['no freshness at all', { 'cache-control': '' }],
    ['an Expires of 0', { 'cache-control': '', expires: '0' }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: 'accept, *' }],
    ['Set-Cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'a=1' }],
    ['an Age beyond its freshness', { 'cache-control': 'max-age=60', age: '61' }],
    ['a Date long past (§4.2.3)', { 'cache-control': 'max-age=60', date: new Date(0).toUTCString() }],
  ])('does not store a response with %s', async (_title, headers) => {
    script.headers = headers;
    expect(await twice()).toBe(2);
  });

  test.each([
    ['Expires in an hour', { expires: new Date(Date.now() + 3_600_000).toUTCString() }, 200],
    [
      'must-understand over no-store (§5.2.2.3)',
      { 'cache-control': 'max-age=9, no-store, must-understand' },
      200,
    ],
    ['an explicit life on a redirect', { 'cache-control': 'max-age=9', location: '/b' }, 302],
    ['an explicit life on 404', { 'cache-control': 's-maxage=9' }, 404],
  ])('stores a response with %s', async (_title, headers, status) => {
    Object.assign(script, { headers, status });
    expect(await twice()).toBe(1);
  });

  test.each([
    ['an error, whatever it says', 500, 'max-age=60'],
    ['a part', 206, 'max-age=60'],
    ['a status it does not understand, with must-understand', 299, 'max-age=60, must-understand'],
  ])('does not store %s', async (_title, status, control) => {
    Object.assign(script, { status, headers: { 'cache-control': control } });
    expect(await twice()).toBe(2);
  });

  test('passes on a body beyond the bound, whole and uncached', async () => {
    script.body = 'x'.repeat(2_000);
    expect(await twice()).toBe(2);
    expect((await get()).body).toHaveLength(2_000);
  });

  test('stores a response to an authorised request only when it says so (RFC 9111 §3.5)', async () => {
    const authorised = { authorization: 'Bearer x' };
    expect(await twice('/plain', authorised)).toBe(2);
    for (const [index, word] of ['public', 'must-revalidate', 's-maxage=60'].entries()) {
      script.headers = { 'cache-control': `max-age=60, ${word}` };
      expect(await twice(`/${index}`, authorised)).toBe(3 + index);
    }
  });

  test('keeps the variants of a response apart (RFC 9111 §4.1)', async () => {
    script.headers = { 'cache-control': 'max-age=60', vary: 'Accept-Language, X-Tenant' };
    for (const language of ['de', 'en', 'de', 'en', 'de,  en', 'de, en']) {
      script.body = language.replace('  ', ' ');
      expect((await get('/v', { 'accept-language': language })).body).toBe(script.body);
    }
    expect(script.calls).toBe(3);
    expect((await get('/v', { 'accept-language': 'fr' })).cacheStatus).toContain('fwd=vary-miss');
  });

  test('does as the request says: no-cache, no-store, Pragma, max-age, min-fresh (RFC 9111 §5.2.1)', async () => {
    script.headers = { 'cache-control': 'max-age=60' };
    await get();
    const forwarded = async (headers: Record<string, string>) => {
      const { calls } = script;
      const { cacheStatus } = await get('/a', headers);
      if (script.calls > calls) expect(cacheStatus).toContain('fwd=request');
      return script.calls > calls;
    };
    expect(await forwarded({ 'cache-control': 'no-cache' })).toBe(true);
    expect(await forwarded({ 'cache-control': 'no-store' })).toBe(true);
    expect(await forwarded({ 'cache-control': 'max-age=0' })).toBe(true);
    expect(await forwarded({ pragma: 'no-cache' })).toBe(true);
    expect(await forwarded({ pragma: 'no-cache', 'cache-control': 'max-age=9' })).toBe(false);
    pass(10);
    expect(await forwarded({ 'cache-control': 'max-age=10, min-fresh=50' })).toBe(false);
    expect(await forwarded({ 'cache-control': 'max-age=9' })).toBe(true);
    pass(10);
    expect(await forwarded({ 'cache-control': 'min-fresh=51' })).toBe(true);
  });

  test('serves stale as far as max-stale allows, and the response does (§5.2.1.2)', async () => {
    script.headers = { 'cache-control': 'max-age=60', etag: '"a"' };
    await get();
    script.headers = { 'cache-control': 'max-age=60, must-revalidate', etag: '"a"' };
    await get('/strict');
    pass(70);
    const { calls } = script;
    const stale = await get('/a', { 'cache-control': 'max-stale=11' });
    expect([stale.cacheStatus, script.calls]).toEqual(['weir; hit; ttl=-10', calls]);
    expect((await get('/a', { 'cache-control': 'max-stale' })).cacheStatus).toContain('hit');
    expect((await get('/strict', { 'cache-control': 'max-stale' })).cacheStatus).toContain('fwd=stale');
    expect((await get('/a', { 'cache-control': 'max-stale=9' })).cacheStatus).toContain('fwd=stale');
  });

  test('answers only-if-cached from the cache or with 504 (§5.2.1.7)', async () => {
    const only = { 'cache-control': 'only-if-cached' };
    const missing = await get('/a', only);
    expect([missing.status, script.calls]).toEqual([504, 0]);
    expect(missing.headers['content-type']).toBe('application/problem+json');
    await get();
    expect((await get('/a', only)).cacheStatus).toContain('hit');
    pass(61);
    expect((await get('/a', only)).status).toBe(504);
    expect(script.calls).toBe(1);
  });

  test('answers HEAD from a stored GET, and stores no HEAD', async () => {
    await get('/a', {}, 'HEAD');
    await get();
    const { body, headers } = await get('/a', {}, 'HEAD');
    expect([body, headers['content-length'], script.calls]).toEqual(['', '3', 2]);
  });

  test('drops every variant of a URL after a successful unsafe request, and same-origin locations (§4.4)', async () => {
    script.headers = { 'cache-control': 'max-age=60', vary: 'accept-language' };
    for (const path of ['/a', '/b', '/c', '/d']) {
      for (const language of ['de', 'en']) await get(path, { 'accept-language': language });
    }
    const isHeld = async (path: string, language: string) =>
      (await get(path, { 'accept-language': language })).cacheStatus.includes('hit');
    script.status = 400;
    await get('/a', {}, 'POST');
    expect(await isHeld('/a', 'de')).toBe(true);
    script.status = 201;
    script.headers = {
      location: '/b',
      'content-location': `${server.origin}/c`,
      'cache-control': 'max-age=60',
    };
    await get('/a', {}, 'DELETE');
    script.headers = { location: 'http://elsewhere.test/d', 'cache-control': 'max-age=60' };
    await get('/x', {}, 'PUT');
    for (const path of ['/a', '/b', '/c']) expect(await isHeld(path, 'en')).toBe(false);
    expect(await isHeld('/d', 'de')).toBe(true);
  });

  test('never stores what a handler was making while an unsafe request invalidated it', async () => {
    script.delayMs = 60;
    script.body = 'before';
    const early = get();
    while (script.calls === 0) await new Promise(setImmediate);
    const { delayMs } = script;
    script.delayMs = 0;
    await get('/a', {}, 'POST');
    script.delayMs = delayMs;
    script.body = 'after';
    await early;
    expect((await get()).body).toBe('after');
    expect(script.calls).toBe(3);
  });

  test('calls the handler once for concurrent misses, and says who waited (RFC 9211 §2.6)', async () => {
    script.delayMs = 400;
    const all = await Promise.all(Array.from({ length: 20 }, () => get('/herd')));
    expect(new Set(all.map(({ body }) => body))).toEqual(new Set(['one']));
    expect(script.calls).toBe(1);
    expect(all.filter(({ cacheStatus }) => cacheStatus === 'weir; fwd=uri-miss; collapsed')).toHaveLength(19);
  });
});

test('two servers with one Redis share what one has made, and an unsafe request to either drops it for both', async () => {
  const redis = await startRedis();
  const clients = [new Redis(redis.url), new Redis(redis.url)];
  const caches = clients.map((client) => createCache({ name: 'http', redis: client }));
  for (const cache of caches) await cache.ready();
  const script = createScript();
  const key = ({ url }: { url: string }) => url;
  const servers = await Promise.all(caches.map((cache) => serveFastify({ cache, key }, script)));
  const [one, two] = servers.map(({ origin }) => origin);
  await send(`${one}/a`);
  await expect.poll(async () => (await send(`${two}/a`)).cacheStatus).toMatch(/; hit;/);
  const { calls } = script;
  script.body = 'changed';
  await send(`${two}/a`, { method: 'PUT' });
  expect((await send(`${one}/a`)).body).toBe('changed');
  expect(script.calls).toBe(calls + 2);
  await Promise.all(servers.map((server) => server.close()));
  await Promise.all(caches.map((cache) => cache.close()));
  for (const client of clients) client.disconnect();
  await redis.stop();
});

describe('the options of a response cache', () => {
  test('store without Set-Cookie, by a default life, under an exposed key, when told to', async () => {
    const cache = createCache({ name: 'http' });
    const script = createScript();
    script.headers = { 'set-cookie': 'a=1' };
    const server = await serveFastify(
      {
        cache,
        setCookie: 'strip',
        defaultTtlMs: 5_000,
        exposeKey: true,
        statusName: 'edge',
        key: () => 'say "q"',
      },
      script,
    );
    expect((await send(`${server.origin}/a`)).headers['set-cookie']).toEqual(['a=1']);
    const { cacheStatus, headers } = await send(`${server.origin}/a`);
    expect(headers['set-cookie']).toBeUndefined();
    expect(cacheStatus).toMatch(/^edge; hit; ttl=[45]; key="say \\"q\\""$/);
    await server.close();
    await cache.close();
  });

  test.each([
    [{}, /`cache`/],
    [{ statusName: 'no token' }, /`statusName`/],
    [{ setCookie: 'keep' }, /`setCookie`/],
    [{ maxBodyBytes: -1 }, /`maxBodyBytes`/],
    [{ maxKeepMs: Number.NaN }, /`maxKeepMs`/],
    [{ maxBodySize: 1 }, /Unknown option `maxBodySize`/],
  ])('%j is refused', async (options, message) => {
    const cache = createCache({ name: 'http' });
    const given = (Object.keys(options).length === 0 ? {} : { cache, ...options }) as never;
    await expect(serveFastify(given, createScript())).rejects.toThrow(message);
    await cache.close();
  });
});
