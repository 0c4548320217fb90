import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCache } from '../src/index.ts';

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
});

const caches = () => [createCache({ name: 'shop', redis }), createCache({ name: 'shop', redis })] as const;

describe('two processes on one Redis', () => {
  it('share what one of them has loaded, and its expiry', async () => {
    const [a, b] = caches();
    expect(await a.getOrSet('k', () => ({ at: new Date(5) }), { ttlMs: 60_000 })).toEqual({
      at: new Date(5),
    });
    expect(await b.getOrSet('k', () => expect.unreachable(), { ttlMs: 60_000 })).toEqual({ at: new Date(5) });
    expect(b.stats()).toMatchObject({ l2Hits: 1, loads: 0 });
    expect(await redis.pttl('weir:shop@1:e:{~:k}')).toBeGreaterThan(50_000);
  });

  it('load once for all their concurrent callers', async () => {
    const [a, b] = caches();
    let loads = 0;
    const gate = Promise.withResolvers<number>();
    const load = () => {
      loads += 1;
      return gate.promise;
    };
    const reads = [a, b].flatMap((cache) => Array.from({ length: 100 }, () => cache.getOrSet('k', load)));
    setTimeout(() => gate.resolve(1), 50);
    expect(new Set(await Promise.all(reads))).toEqual(new Set([1]));
    expect(loads).toBe(1);
  });

  it('keep a load out of Redis when the other deletes the key meanwhile', async () => {
    const [a, b] = caches();
    const gate = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    const early = a.getOrSet('k', () => {
      started.resolve();
      return gate.promise;
    });
    await started.promise;
    expect(await b.delete('k')).toBe(true);
    gate.resolve('old');
    expect(await early).toBe('old');
    expect(await redis.exists('weir:shop@1:e:{~:k}')).toBe(0);
    expect(await a.getOrSet('k', () => 'new')).toBe('new');
    expect(await b.get('k')).toBe('new');
  });

  it('go on when Redis has forgotten the scripts', async () => {
    const [a, b] = caches();
    await a.getOrSet('k', () => 1);
    await redis.script('FLUSH');
    expect(await b.get('k')).toBe(1);
  });
});

it('leaves the injected client as it found it', async () => {
  const before = redis.listenerCount('error') + redis.listenerCount('ready');
  const cache = createCache({ name: 'shop', redis });
  await cache.getOrSet('k', () => 1);
  await cache.close();
  expect(redis.status).toBe('ready');
  expect(redis.listenerCount('error') + redis.listenerCount('ready')).toBe(before);
});
