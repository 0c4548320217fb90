import { decorateLink, linkOf } from '@weir/redis';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Cache, createCache, type RedisClient } from '../src/index.ts';
import { createFlakyRedis } from '../src/testing.ts';

let server: RedisServer;
let redis: Redis;
let open: Cache[] = [];

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
afterEach(async () => {
  await Promise.all(open.map((cache) => cache.close()));
  open = [];
});

async function instance(client: RedisClient, deadlineMs = 2_000): Promise<Cache> {
  const cache = createCache({ name: 'shop', redis: client, l2: { deadlineMs } });
  open.push(cache);
  expect(await cache.ready()).toBe(true);
  // From now on it knows the time of Redis and the versions of its namespaces.
  await cache.getOrSet('warm', () => 1);
  await redis.del('weir:shop@1:e:{~:warm}');
  return cache;
}

/** Counts the commands that name one of `keys`: the cache looks at its own earlier writes again, at a moment of its own. */
function counting(keys: readonly string[]): { readonly client: RedisClient; readonly count: () => number } {
  const names = new Set<unknown>(keys.map((key) => `weir:shop@1:e:{${key}}`));
  let count = 0;
  const client = decorateLink(linkOf(redis), (send, used) => {
    if (used.some((key) => names.has(key))) count += 1;
    return send();
  });
  return { client, count: () => count };
}

/** A client whose commands can be delayed. */
function slowable(): { readonly link: RedisClient; delayMs: number } {
  const slow = { link: linkOf(redis) as RedisClient, delayMs: 0 };
  slow.link = decorateLink(linkOf(redis), async (send) => {
    if (slow.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, slow.delayMs));
    return await send();
  });
  return slow;
}

describe('one command for all that is asked for at once', () => {
  const ids = Array.from({ length: 20 }, (_, id) => id);
  const keys = ids.map((id) => `item:${id}`);
  const define = (cache: Cache, calls: number[][] = []) =>
    cache.define('item', {
      key: String,
      loadMany: (args: readonly number[]) => {
        calls.push([...args]);
        return args.map((id) => `v${id}`);
      },
    });

  test('getMany reads what Redis has with one MGET', async () => {
    const { client, count } = counting(keys);
    const [writer, reader] = [define(await instance(redis)), await instance(client)];
    const item = define(reader);
    await writer.getMany([...ids, 99]);
    await item.get(99);
    expect(await item.getMany(ids)).toEqual(ids.map((id) => `v${id}`));
    expect(count()).toBe(1);
    expect(reader.stats()).toMatchObject({ l2Hits: 21, misses: 1 });
  });

  test('getMany asks for leases for the misses alone, loads them with one call and commits them together', async () => {
    const { client, count } = counting(keys);
    const [writer, reader] = [define(await instance(redis)), await instance(client)];
    const calls: number[][] = [];
    const item = define(reader, calls);
    await writer.getMany([...ids.slice(0, 10), 99]);
    await item.get(99);
    expect(await item.getMany(ids)).toEqual(ids.map((id) => `v${id}`));
    expect(calls).toEqual([ids.slice(10)]);
    expect(count()).toBe(3);
    expect(await redis.exists(...ids.map((id) => `weir:shop@1:e:{item:${id}}`))).toBe(20);
    expect(await redis.keys('weir:shop@1:l:*')).toEqual([]);
  });

  test('concurrent single reads share it as well', async () => {
    const { client, count } = counting(keys);
    const [writer, reader] = [define(await instance(redis)), await instance(client)];
    const item = define(reader);
    await writer.getMany([...ids, 99]);
    await item.get(99);
    expect(await Promise.all(ids.map((id) => item.get(id)))).toEqual(ids.map((id) => `v${id}`));
    expect(count()).toBe(1);
  });

  test.each([
    [Number.MIN_VALUE, 1],
    [0.4, 1],
    [1_000_000.5, 1_000_001],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [2 ** 60, -1],
    [1e300, -1],
    [Number.POSITIVE_INFINITY, -1],
  ])('a ttl of %s ms lives in Redis for %s ms, however it is given', async (ttlMs, lifeMs) => {
    const cache = await instance(redis);
    await cache.getOrSet('load', () => 1, { ttlMs });
    await cache.getOrSet('adaptive', ({ setTtl }) => setTtl(ttlMs));
    expect(await cache.set('set', 1, { ttlMs })).toBe(true);
    for (const key of lifeMs === 1 ? [] : ['load', 'adaptive', 'set']) {
      const life = () => redis.pttl(`weir:shop@1:e:{~:${key}}`);
      await expect.poll(life).not.toBe(-2);
      if (lifeMs === -1) expect(await life()).toBe(-1);
      else expect(lifeMs - (await life())).toBeLessThan(100_000);
    }
    expect(cache.stats().redisErrors).toBe(0);
  });

  test('after misses, a miss costs one round trip before its load', async () => {
    const { client, count } = counting(['~:k']);
    const cache = await instance(client);
    for (let id = 0; id < 3; id += 1) await cache.getOrSet(`k${id}`, () => id);
    let before = 0;
    await cache.getOrSet('k', () => {
      before = count();
      return 1;
    });
    expect(before).toBe(1);
  });
});

describe('a lease whose grant was never heard of', () => {
  test('is given back, so that nobody waits for it', async () => {
    const client = createFlakyRedis(redis);
    const [a, b] = [await instance(client), await instance(redis)];
    client.loseNextReply();
    expect(await a.getOrSet('k', () => 'without a lease')).toBe('without a lease');
    expect(a.stats().redisErrors).toBe(1);
    expect(await b.getOrSet('k', () => 'next')).toBe('next');
    expect(await redis.exists('weir:shop@1:l:{~:k}')).toBe(0);
  });

  test('is given back when Redis answers again, where it could not be at once', async () => {
    let refused = 0;
    // The grant is lost, then the connection: the release cannot be sent.
    const client = decorateLink(linkOf(redis), async (send, keys) => {
      if (refused === 2 || !keys.includes('weir:shop@1:l:{~:k}')) return await send();
      refused += 1;
      if (refused === 1) await send();
      throw new Error('Connection is closed.');
    });
    const cache = await instance(client);
    expect(await cache.getOrSet('k', () => 'first')).toBe('first');
    expect(refused).toBe(2);
    await cache.getOrSet('other', () => 1);
    await vi.waitFor(async () => expect(await redis.exists('weir:shop@1:l:{~:k}')).toBe(0));
  });
});

test('all that one read asks of Redis has one deadline together', async () => {
  const client = slowable();
  const cache = createCache({ name: 'slow', redis: client.link, l2: { deadlineMs: 200 } });
  open.push(cache);
  await cache.ready();
  // Each command alone stays within the deadline: the lease, then the versions of the namespace.
  client.delayMs = 130;
  expect(await cache.getOrSet('k', () => 1)).toBe(1);
  expect(cache.stats().redisErrors).toBeGreaterThan(0);
});

test('a read that gave up on its second command counts as late though that command was answered in its own time', async () => {
  const client = slowable();
  const cache = await instance(client.link, 200);
  // Reads that hit: the next one looks first and asks for the lease after that.
  for (let id = 0; id < 12; id += 1) {
    await (await instance(redis)).getOrSet(`k${id}`, () => id);
    await cache.getOrSet(`k${id}`, () => id);
  }
  const { redisErrors } = cache.stats();
  client.delayMs = 130;
  expect(await cache.getOrSet('missing', () => 1)).toBe(1);
  await vi.waitFor(() => expect(cache.stats().redisErrors).toBe(redisErrors + 1));
});
