import { type RedisServer, startRedis } from '@weir/test-kit';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Cache, createCache, type RedisClient } from '../src/index.ts';
import { Deadlines } from '../src/stores/deadlines.ts';
import { ServerClock } from '../src/stores/server-clock.ts';
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
  const client = {
    get status() {
      return redis.status;
    },
    isCluster: false,
    options: redis.options,
    callBuffer: (command: string, args: (string | Buffer | number)[]) => {
      if (args.some((arg) => names.has(arg))) count += 1;
      return redis.callBuffer(command, args);
    },
    duplicate: (...args: never[]) => redis.duplicate(...args),
  };
  return { client, count: () => count };
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

  it('getMany reads what Redis has with one MGET', async () => {
    const { client, count } = counting(keys);
    const [writer, reader] = [define(await instance(redis)), await instance(client)];
    const item = define(reader);
    await writer.getMany([...ids, 99]);
    await item.get(99);
    expect(await item.getMany(ids)).toEqual(ids.map((id) => `v${id}`));
    expect(count()).toBe(1);
    expect(reader.stats()).toMatchObject({ l2Hits: 21, misses: 1 });
  });

  it('getMany asks for leases for the misses alone, loads them with one call and commits them together', async () => {
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

  it('concurrent single reads share it as well', async () => {
    const { client, count } = counting(keys);
    const [writer, reader] = [define(await instance(redis)), await instance(client)];
    const item = define(reader);
    await writer.getMany([...ids, 99]);
    await item.get(99);
    expect(await Promise.all(ids.map((id) => item.get(id)))).toEqual(ids.map((id) => `v${id}`));
    expect(count()).toBe(1);
  });

  it.each([
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

  it('after misses, a miss costs one round trip before its load', async () => {
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
  it('is given back, so that nobody waits for it', async () => {
    const client = createFlakyRedis(redis);
    const [a, b] = [await instance(client), await instance(redis)];
    client.loseNextReply();
    expect(await a.getOrSet('k', () => 'without a lease')).toBe('without a lease');
    expect(a.stats().redisErrors).toBe(1);
    expect(await b.getOrSet('k', () => 'next')).toBe('next');
    expect(await redis.exists('weir:shop@1:l:{~:k}')).toBe(0);
  });

  it('is given back when Redis answers again, where it could not be at once', async () => {
    const client = createFlakyRedis(redis);
    const cache = await instance(client);
    const { callBuffer } = client;
    let refused = 0;
    // The grant is lost, then the connection: the release cannot be sent.
    client.callBuffer = async (command, args) => {
      if (refused === 2 || !args.includes('weir:shop@1:l:{~:k}'))
        return await callBuffer.call(client, command, args);
      refused += 1;
      if (refused === 1) await callBuffer.call(client, command, args);
      throw new Error('Connection is closed.');
    };
    expect(await cache.getOrSet('k', () => 'first')).toBe('first');
    expect(refused).toBe(2);
    await cache.getOrSet('other', () => 1);
    await vi.waitFor(async () => expect(await redis.exists('weir:shop@1:l:{~:k}')).toBe(0));
  });
});

it('all that one read asks of Redis has one deadline together', async () => {
  const client = createFlakyRedis(redis);
  const cache = createCache({ name: 'slow', redis: client, l2: { deadlineMs: 200 } });
  open.push(cache);
  await cache.ready();
  const { callBuffer } = client;
  // Each command alone stays within the deadline: the lease, then the versions of the namespace.
  client.callBuffer = async (command, args) => {
    await new Promise((resolve) => setTimeout(resolve, 130));
    return await callBuffer.call(client, command, args);
  };
  expect(await cache.getOrSet('k', () => 1)).toBe(1);
  expect(cache.stats().redisErrors).toBeGreaterThan(0);
});

it('a read that gave up on its second command counts as late though that command was answered in its own time', async () => {
  const client = createFlakyRedis(redis);
  const cache = await instance(client, 200);
  // Reads that hit: the next one looks first and asks for the lease after that.
  for (let id = 0; id < 12; id += 1) {
    await (await instance(redis)).getOrSet(`k${id}`, () => id);
    await cache.getOrSet(`k${id}`, () => id);
  }
  const { redisErrors } = cache.stats();
  const { callBuffer } = client;
  client.callBuffer = async (command, args) => {
    await new Promise((resolve) => setTimeout(resolve, 130));
    return await callBuffer.call(client, command, args);
  };
  expect(await cache.getOrSet('missing', () => 1)).toBe(1);
  await vi.waitFor(() => expect(cache.stats().redisErrors).toBe(redisErrors + 1));
});

it('a lost connection ends at once what waits for it', async () => {
  let isLost = false;
  const deadlines = new Deadlines(1, () => isLost);
  const ended = new Promise<string>((resolve) => {
    deadlines.start(performance.now() + 3_600_000, () => resolve('ended'));
  });
  isLost = true;
  expect(await ended).toBe('ended');
});

it('what is known of the clock of Redis never makes an entry live longer than it does', () => {
  const step = fc.record({
    pause: fc.integer({ min: 0, max: 20_000 }),
    there: fc.integer({ min: 0, max: 500 }),
    back: fc.integer({ min: 0, max: 500 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.array(step, { minLength: 1 }), (offset, steps) => {
      const clock = new ServerClock();
      let now = 0;
      for (const { back, pause, there } of steps) {
        now += pause;
        const sentAt = now;
        now += there;
        const serverMs = now + offset;
        now += back;
        clock.observe(serverMs, sentAt, now);
        expect(clock.toLocal(1_000 + offset)).toBeLessThanOrEqual(1_000);
        expect(clock.toLocal(1_000 + offset)).toBeGreaterThanOrEqual(1_000 - there - back);
      }
      expect(clock.isKnown(now)).toBe(true);
      expect(clock.isKnown(now + 10_000)).toBe(false);
    }),
  );
});
