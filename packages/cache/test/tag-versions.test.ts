/** How long a process and Redis know a tag, and what an invalidation is worth when Redis dies right after it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { connect } from 'node:net';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Cache, type CacheRedisEvent, createCache, type SetOptions } from '../src/index.ts';
import { TagTable } from '../src/memory/tag-table.ts';
import { encode, encodeBody, type TagVersion } from '../src/values/envelope.ts';

let server: RedisServer;
let client: Redis;
let caches: Cache[] = [];
let operations: CacheRedisEvent[] = [];
const listen = (message: unknown) => operations.push(message as CacheRedisEvent);

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url);
  subscribe('weir:cache:redis', listen);
});
afterAll(async () => {
  unsubscribe('weir:cache:redis', listen);
  client.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await client.flushall();
});
afterEach(async () => {
  await Promise.all(caches.map((cache) => cache.close()));
  caches = [];
});

async function instance(redis: Redis = client, name = 'shop'): Promise<Cache> {
  const cache = createCache({ name, redis, l2: { deadlineMs: 2_000 } });
  caches.push(cache);
  expect(await cache.ready()).toBe(true);
  return cache;
}

const namesOf = (count: number) => Array.from({ length: count }, (_, index) => `tag-${index}`);
const countOf = (name: string) => operations.filter(({ operation }) => operation === name).length;

describe('a process knows', () => {
  test('the tag of every entry in memory, however many there are', async () => {
    const cache = createCache({ name: 'memory', l1: { maxEntries: 20_000 } });
    const item = cache.define('item', {
      key: String,
      load: (id: number) => id,
      tags: (id) => [`item-${id}`],
    });
    for (let round = 0; round < 2; round += 1) {
      for (let id = 0; id < 12_000; id += 1) await item.get(id);
    }
    expect(cache.stats().loads).toBe(12_000);
    await cache.invalidateTags(['item-0', 'item-11999']);
    expect([await item.peek(0), await item.peek(1), await item.peek(11_999)]).toEqual([
      undefined,
      1,
      undefined,
    ]);
    await cache.close();
  });

  test('of the tags that no entry carries only the last ones', () => {
    const table = new TagTable();
    const tagsOf = (name: string): TagVersion[] => [[name, '1']];
    for (const name of ['kept', 'twice', 'left']) table.hold(tagsOf(name));
    table.hold(tagsOf('twice'));
    for (const name of ['twice', 'left']) table.letGo(tagsOf(name));
    for (let index = 0; index < 10_000; index += 1) table.obtain(`other-${index}`);
    expect(['kept', 'twice', 'left'].map((name) => table.find(name)?.carriers)).toEqual([1, 1, undefined]);
  });
});

test('what was invalidated while Redis was up does not come back when it dies, in any process', async () => {
  const own = await startRedis();
  const clients = [1, 2].map(() => {
    const redis = new Redis(own.url, { retryStrategy: () => 20 });
    redis.on('error', () => {});
    return redis;
  });
  const [a, b] = (await Promise.all(clients.map((redis) => instance(redis)))) as [Cache, Cache];
  const define = (cache: Cache) => cache.define('item', { key: String, load: (id: number) => `old ${id}` });
  const [itemA, itemB] = [define(a), define(b)];
  const tagged: SetOptions = { tags: ['t'], ttlMs: 600_000, graceMs: 600_000 };
  for (const cache of [a, b]) {
    await cache.getOrSet('tagged', () => 'old', tagged);
    await cache.getOrSet('found', async (context) => {
      await context.tags(['t']);
      return 'old';
    });
    await cache.getOrSet('deleted', () => 'old');
    await cache.getOrSet('kept', () => 'kept', { tags: ['other'] });
  }
  await a.set('set', 'old', tagged);
  await b.get('set');
  await itemA.get(1);
  await itemB.get(1);
  expect(await a.invalidateTags(['t'])).toBe(true);
  expect(await b.delete('deleted')).toBe(true);
  expect(await b.invalidateTags(['unheard of'])).toBe(true);
  expect(await itemB.clear()).toBe(true);
  await own.kill();
  for (const cache of [a, b]) {
    for (const key of ['tagged', 'found', 'deleted', 'set']) {
      expect(await cache.getOrSet(key, () => 'new')).toBe('new');
    }
    expect(await cache.getOrSet('kept', () => 'new')).toBe('kept');
  }
  expect([await itemA.peek(1), await itemB.peek(1)]).toEqual([undefined, undefined]);
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
  for (const redis of clients) redis.disconnect();
});

describe('many tags in one call', () => {
  const names = namesOf(600);
  const probes = [0, 255, 256, 599].map((index) => `tag-${index}`);
  const readAll = async (value: string) => {
    const reads = caches.flatMap((cache) =>
      probes.map((tag) => cache.getOrSet(tag, () => value, { tags: [tag], ttlMs: 600_000 })),
    );
    return [...new Set(await Promise.all(reads))];
  };

  test('are invalidated everywhere, with one command and one message for some hundreds of them', async () => {
    const [a] = [await instance(), await instance()];
    expect(await readAll('old')).toEqual(['old']);
    operations = [];
    expect(await a.invalidateTags(names)).toBe(true);
    expect(countOf('invalidate')).toBe(3);
    // Acknowledgements of messages that arrive together share one.
    expect(countOf('publish')).toBeGreaterThan(0);
    expect(countOf('publish')).toBeLessThanOrEqual(3);
    expect(await readAll('new')).toEqual(['new']);
  });

  test('of one entry cost one question for some hundreds of them', async () => {
    const [a, b] = [await instance(), await instance()];
    operations = [];
    await a.getOrSet('k', () => 1, { tags: names });
    expect(countOf('tag')).toBe(3);
    expect(await b.get('k')).toBe(1);
    expect(await b.invalidateTags(['tag-599'])).toBe(true);
    expect([await a.get('k'), await b.get('k')]).toEqual([undefined, undefined]);
  });
});

describe('an entry that somebody else has written', () => {
  const entryOf = (tags: unknown) => {
    const fields = {
      body: encodeBody('foreign'),
      stamp: 's'.repeat(16),
      freshMs: 60_000,
      staleMs: 0,
      loadMs: 1,
    };
    const options = { compressFromBytes: Number.POSITIVE_INFINITY, maxExpandedBytes: 1_000 };
    const freshUntil = Buffer.alloc(8);
    freshUntil.writeDoubleLE(Date.now() + 60_000);
    return Buffer.concat([
      Buffer.from(encode({ ...fields, tags: tags as readonly TagVersion[] }, options)),
      freshUntil,
    ]);
  };

  test('under thousands of tags makes none of them in Redis, nor asks for each', async () => {
    const cache = await instance();
    await cache.getOrSet('warm', () => 1);
    await client.set('weir:shop@1:e:{~:k}', entryOf(namesOf(10_000).map((name) => [`t${name}`, '1'])));
    const before = await client.dbsize();
    operations = [];
    expect(await cache.get('k')).toBeUndefined();
    // The cache looks at its own earlier writes again, at a moment of its own.
    expect(countOf('verify')).toBeLessThan(6);
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded');
    expect(await client.dbsize()).toBe(before);
    expect(await (await instance()).get('k')).toBe('loaded');
  });

  test.each([[{ a: 1 }], ['text'], [[1]], [[['t']]], [[[1, 2]]], [null]])(
    'with %j for tags is a miss, and the next load replaces it',
    async (tags) => {
      const cache = await instance();
      const entry = entryOf(
        Array.isArray(tags) ? tags : Object.assign([], { toJSON: () => tags, length: 1 }),
      );
      await client.set('weir:shop@1:e:{~:k}', entry);
      expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded');
      await vi.waitFor(async () => expect(await (await instance()).get('k')).toBe('loaded'));
    },
  );
});

describe('Redis keeps a tag', () => {
  const dayMs = 24 * 3_600_000;

  test.each([
    ['an hour', { ttlMs: 3_600_000 }],
    ['six days', { ttlMs: 6 * dayMs }],
    ['a month', { ttlMs: 30 * dayMs }],
    ['an hour, with a month of grace', { ttlMs: 3_600_000, graceMs: 30 * dayMs }],
    ['ten years', { ttlMs: 3_650 * dayMs }],
    ['ever', { ttlMs: Number.POSITIVE_INFINITY }],
  ])('for as long as an entry that lives %s, loaded or set', async (_name, policy) => {
    const cache = await instance();
    await cache.getOrSet('loaded', () => 1, { ...policy, tags: ['a'] });
    await cache.set('set', 1, { ...policy, tags: ['b'] });
    const lifeOf = async (key: string) => {
      const ms = await client.pttl(`weir:shop@1:${key}`);
      return ms === -1 ? Number.POSITIVE_INFINITY : ms;
    };
    const entryLife = Math.max(await lifeOf('e:{~:loaded}'), await lifeOf('e:{~:set}'));
    await vi.waitFor(async () => {
      for (const key of ['t:{n~}', 't:{n*}', 't:{ta}', 't:{tb}']) {
        expect(await lifeOf(key)).toBeGreaterThanOrEqual(entryLife);
      }
    });
    operations = [];
    await cache.getOrSet('next', () => 1, { ...policy, tags: ['a'] });
    expect(countOf('tag')).toBe(0);
  });

  test('in mind while its entries are read, so that a full Redis evicts others', async () => {
    const cache = await instance();
    await cache.getOrSet('k', () => 1, { tags: ['t'] });
    const touched = new Set<string>();
    // A socket of its own: ioredis can take the first lines of MONITOR for replies to its handshake.
    const monitor = connect(server.port, '127.0.0.1').unref();
    monitor.write('MONITOR\r\n');
    let seen = '';
    monitor.setEncoding('utf8').on('data', (part: string) => {
      const lines = (seen + part).split('\n');
      seen = lines.pop() ?? '';
      for (const line of lines) {
        const [command, ...keys] = [...line.matchAll(/"([^"]*)"/g)].map(([, word = '']) => word);
        if (command === 'TOUCH') for (const key of keys) touched.add(key);
      }
    });
    await vi.waitFor(async () => {
      await cache.get('k');
      await cache.get('missing');
      await cache.getOrSet(`other-${Math.random()}`, () => 1);
      expect([...touched].sort()).toEqual(['n*', 'n~', 'tt'].map((name) => `weir:shop@1:t:{${name}}`));
    });
    monitor.destroy();
  });
});
