import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Cache, type CacheOptions, createCache, type RedisClient } from '../src/index.ts';
import { ioredis, nodeRedis, type TestClient } from './clients.ts';

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

async function instance(options: Partial<CacheOptions> = {}): Promise<Cache> {
  const cache = createCache({ name: 'shop', redis, l2: { deadlineMs: 2_000 }, ...options });
  open.push(cache);
  expect(await cache.ready()).toBe(true);
  return cache;
}

const entryKey = (key: string) => `weir:shop@1:e:{~:${key}}`;
const inL1 = async (cache: Cache, key: string) => {
  const before = cache.stats().l1Hits;
  await cache.get(key);
  return cache.stats().l1Hits > before;
};

describe.each([
  ['tracking', ioredis],
  ['bus', ioredis],
  ['tracking', nodeRedis],
] as const)('with %s, through $library', (coherence, kind) => {
  let client: TestClient;
  beforeAll(async () => {
    client = await kind.connect(server);
    options.redis = client.redis;
  });
  afterAll(() => client.close());
  const options: Partial<CacheOptions> & { redis: RedisClient } = {
    redis,
    l2: { coherence, deadlineMs: 2_000 },
  };

  test('a resolved delete has reached the L1 of every instance', async () => {
    const caches = await Promise.all([instance(options), instance(options), instance(options)]);
    for (let round = 0; round < 50; round += 1) {
      for (const cache of caches) expect(await cache.getOrSet('k', () => round)).toBe(round);
      expect(await caches[round % 3]?.delete('k')).toBe(true);
      const results = await Promise.all(caches.map((cache) => cache.get('k')));
      expect(results).toEqual([undefined, undefined, undefined]);
    }
  });

  test('a resolved set and a resolved tag invalidation have, too', async () => {
    const [a, b] = [await instance(options), await instance(options)];
    await b.getOrSet('k', () => 'loaded', { tags: ['t'] });
    expect(await a.set('k', 'set', { tags: ['t'] })).toBe(true);
    expect(await b.get('k')).toBe('set');
    expect(await a.invalidateTags(['t'])).toBe(true);
    expect(await b.get('k')).toBeUndefined();
    expect(await a.get('k')).toBeUndefined();
  });

  test('an instance keeps in L1 what it has loaded itself, its own echo notwithstanding', async () => {
    const cache = await instance(options);
    await cache.getOrSet('k', () => 1);
    await redis.ping();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await inL1(cache, 'k')).toBe(true);
  });

  test('wakes a waiting process as soon as the holder is done', async () => {
    const [a, b] = [await instance(options), await instance(options)];
    const gate = Promise.withResolvers<number>();
    const first = a.getOrSet('k', () => gate.promise);
    const second = b.getOrSet('k', () => expect.unreachable());
    await vi.waitFor(async () => expect(await redis.strlen('weir:shop@1:l:{~:k}')).toBe(17));
    gate.resolve(1);
    expect(await Promise.all([first, second])).toEqual([1, 1]);
    expect(b.stats()).toMatchObject({ l2Hits: 1, loads: 0 });
  });
});

describe.each([ioredis, nodeRedis])('changes by others than Weir, through $library,', (kind) => {
  let client: TestClient;
  beforeAll(async () => {
    client = await kind.connect(server);
  });
  afterAll(() => client.close());

  test.each([
    ['DEL', (key: string) => redis.del(key)],
    ['PEXPIRE', (key: string) => redis.pexpire(key, 1)],
    ['FLUSHALL', () => redis.flushall()],
  ])('%s evicts the entry from L1', async (_name, change) => {
    const caches = [await instance({ redis: client.redis }), await instance({ redis: client.redis })];
    for (const key of ['k', 'comma,\nnewline']) {
      for (const cache of caches) await cache.getOrSet(key, () => 1);
      for (const cache of caches) expect(await inL1(cache, key)).toBe(true);
      await change(entryKey(key));
      for (const cache of caches) await vi.waitFor(async () => expect(await inL1(cache, key)).toBe(false));
    }
  });
});

describe('changes by others than Weir', () => {
  test('to keys that are no UTF-8 do no harm', async () => {
    const cache = await instance();
    const events = vi.fn();
    process.on('unhandledRejection', events);
    await cache.getOrSet('k', () => 1);
    await redis.set(Buffer.concat([Buffer.from('weir:shop@1:e:{~:'), Buffer.from([0xff, 0xfe, 0x2c])]), 'x');
    await redis.set('weir:shop@1:e:{', 'x');
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', events);
    expect(events).not.toHaveBeenCalled();
    expect(await inL1(cache, 'k')).toBe(true);
  });
});

describe('keys', () => {
  test.each([
    '{}',
    '}{',
    'a}b{c',
    'comma,',
    'new\nline',
    'ключ',
    '\ud800',
    '\udfff',
    'x'.repeat(5_000),
    '~sha256:x',
    '\0',
  ])('%j keeps its own value in Redis and is evicted everywhere', async (key) => {
    const [a, b] = [await instance(), await instance()];
    await a.getOrSet(key, () => key);
    expect(await b.get(key)).toBe(key);
    expect(await a.delete(key)).toBe(true);
    expect(await b.get(key)).toBeUndefined();
  });
});

describe('a lost subscriber', () => {
  test('makes L1 distrusted until it is back: reads ask Redis', async () => {
    const cache = await instance();
    await cache.getOrSet('k', () => 1);
    expect(await inL1(cache, 'k')).toBe(true);
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await vi.waitFor(async () => expect(await inL1(cache, 'k')).toBe(false));
    expect(await cache.ready()).toBe(true);
    await cache.get('k');
    expect(await inL1(cache, 'k')).toBe(true);
  });

  test('during a load keeps what the load brings from being trusted', async () => {
    const cache = await instance();
    const gate = Promise.withResolvers<number>();
    const started = Promise.withResolvers<void>();
    const read = cache.getOrSet('k', () => {
      started.resolve();
      return gate.promise;
    });
    await started.promise;
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await redis.ping();
    await vi.waitFor(async () =>
      expect(await redis.pubsub('NUMSUB', 'weir:shop@1:bus')).toEqual(['weir:shop@1:bus', 0]),
    );
    gate.resolve(1);
    expect(await read).toBe(1);
    expect(await inL1(cache, 'k')).toBe(false);
  });
});

describe('tags', () => {
  test('keep a load that was in flight at their invalidation out of the cache', async () => {
    const [a, b] = [await instance(), await instance()];
    const gate = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    const options = { tags: ['t'] };
    const load = () => {
      started.resolve();
      return gate.promise;
    };
    const early = a.getOrSet('k', load, options);
    await started.promise;
    await b.invalidateTags(['t']);
    gate.resolve('old');
    expect(await early).toBe('old');
    expect(await a.getOrSet('k', () => 'new', options)).toBe('new');
    expect(await b.get('k')).toBe('new');
  });

  test('that Redis has lost make their entries invalid', async () => {
    const cache = await instance();
    const other = await instance();
    await cache.getOrSet('k', () => 'old', { tags: ['t'] });
    await redis.del('weir:shop@1:t:{tt}');
    await vi.waitFor(async () => expect(await cache.get('k')).toBeUndefined());
    expect(await other.get('k')).toBeUndefined();
  });

  test('cost one operation whatever the number of their entries', async () => {
    const cache = await instance();
    for (let id = 0; id < 50; id += 1) await cache.getOrSet(`k${id}`, () => id, { tags: ['t'] });
    const commands = async () =>
      Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1]);
    // The entries' own echoes are checked in the background.
    let before = await commands();
    await vi.waitFor(async () => {
      const last = before;
      before = await commands();
      expect(before - last).toBe(1);
    });
    await cache.invalidateTags(['t']);
    // EVALSHA with its GET, TIME, SET and PUBLISH, the check of the tag's own echo, and INFO itself.
    expect((await commands()) - before).toBeLessThan(20);
    expect(await cache.get('k7')).toBeUndefined();
  });
});

describe('clear', () => {
  test('of a definition leaves the others alone, in every instance', async () => {
    const caches = [await instance(), await instance()];
    const [one, other] = caches.map((cache) => ({
      cleared: cache.define('cleared', { key: String, load: (id: number) => id }),
      kept: cache.define('kept', { key: String, load: (id: number) => id }),
    }));
    for (const side of [one, other]) await Promise.all([side?.cleared.get(1), side?.kept.get(1)]);
    expect(await one?.cleared.clear()).toBe(true);
    expect(await other?.cleared.peek(1)).toBeUndefined();
    expect(await other?.kept.peek(1)).toBe(1);
  });

  test('of a cache reaches definitions that only others know', async () => {
    const [a, b] = [await instance(), await instance()];
    const item = b.define('item', { key: String, load: (id: number) => id });
    await item.get(1);
    await a.clear();
    expect(await item.peek(1)).toBeUndefined();
  });
});
