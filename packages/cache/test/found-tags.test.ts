import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cache, createCache } from '../src/index.ts';
import { createFlakyRedis, type FlakyRedis } from '../src/testing.ts';

let server: RedisServer;
let client: Redis;
let redis: FlakyRedis;
let caches: Cache[];
let run = 0;

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url);
  redis = createFlakyRedis(client);
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});

const inMemory = (): Cache => createCache({ name: 'memory' });
const withRedis = (): Cache => createCache({ name: `shop-${run}`, redis, l2: { deadlineMs: 1_000 } });

describe.each([
  ['in memory', inMemory, 1],
  ['with Redis', withRedis, 2],
] as const)('tags that a load finds out about, %s,', (_name, make, instances) => {
  const setUp = async (): Promise<[Cache, Cache]> => {
    run += 1;
    caches = Array.from({ length: instances }, make);
    for (const cache of caches) expect(await cache.ready()).toBe(true);
    return [caches[0] as Cache, caches.at(-1) as Cache];
  };
  const tearDown = () => Promise.all(caches.map((cache) => cache.close()));

  test('invalidate its value everywhere, beside those known before', async () => {
    const [a, b] = await setUp();
    for (const tag of ['found', 'given']) {
      const load = async (context: { tags(tags: string[]): Promise<boolean> }) => {
        await context.tags(['found', 'given', 'other']);
        return tag;
      };
      expect(await a.getOrSet('k', load, { tags: ['given'] })).toBe(tag);
      expect(await b.get('k')).toBe(tag);
      expect(await b.invalidateTags([tag])).toBe(true);
      for (const cache of [a, b]) expect(await cache.get('k')).toBeUndefined();
    }
    await tearDown();
  });

  test('count even when the load does not wait for them', async () => {
    const [a, b] = await setUp();
    await a.getOrSet('k', (context) => {
      void context.tags(['t']);
      return 1;
    });
    expect(await b.get('k')).toBe(1);
    await b.invalidateTags(['t']);
    expect(await a.get('k')).toBeUndefined();
    await tearDown();
  });

  test('keep out what the load brings when they are invalidated after it has named them', async () => {
    const [a, b] = await setUp();
    const gate = Promise.withResolvers<string>();
    const named = Promise.withResolvers<void>();
    const early = a.getOrSet('k', async (context) => {
      await context.tags(['t']);
      named.resolve();
      return await gate.promise;
    });
    await named.promise;
    await b.invalidateTags(['t']);
    gate.resolve('old');
    expect(await early).toBe('old');
    expect(await a.getOrSet('k', () => 'new')).toBe('new');
    await tearDown();
  });

  test('tell whether they speak of the whole load: not the first time, nor after an invalidation during it', async () => {
    const [a, b] = await setUp();
    const answers: boolean[] = [];
    const load = async (key: string, before: () => Promise<unknown> = async () => {}) => {
      await a.getOrSet(key, async (context) => {
        await before();
        answers.push(await context.tags(['t']));
        return 1;
      });
    };
    await load('first');
    await load('second');
    await load('third', () => b.invalidateTags(['t']));
    await load('fourth');
    expect(answers).toEqual([false, true, false, true]);
    await tearDown();
  });

  test('must be non-empty strings', async () => {
    const [a] = await setUp();
    await expect(a.getOrSet('k', (context) => context.tags(['']))).rejects.toMatchObject({
      code: 'ERR_WEIR_CACHE_INVALID_OPTION',
    });
    await tearDown();
  });
});

test('when Redis cannot tell the version of a tag, the load goes on and what it brings is good for nobody else', async () => {
  run += 1;
  const cache = createCache({ name: `shop-${run}`, redis, l2: { deadlineMs: 50 } });
  await cache.ready();
  const value = await cache.getOrSet('k', async (context) => {
    redis.behave('failing');
    expect(await context.tags(['t'])).toBe(false);
    return 'value';
  });
  redis.behave('well');
  expect(value).toBe('value');
  await expect.poll(() => cache.getOrSet('k', () => 'again')).toBe('again');
  await cache.close();
});
