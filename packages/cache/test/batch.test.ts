import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Cache, type CacheError, createCache } from '../src/index.ts';

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

function define(cache: Cache) {
  const calls: number[][] = [];
  const item = cache.define('item', {
    key: (id: number) => String(id),
    loadMany: async (ids) => {
      calls.push([...ids]);
      return ids.map((id) => (id < 0 ? new Error(`no ${id}`) : `item ${id}`));
    },
  });
  return { calls, item };
}

describe.each([false, true])('getMany (Redis: %j)', (hasRedis) => {
  const create = () => createCache({ name: 'shop', ...(hasRedis && { redis }) });

  test('loads all misses with one call and keeps the order of its arguments', async () => {
    const cache = create();
    const { calls, item } = define(cache);
    await item.get(2);
    expect(await item.getMany([3, 1, 2, 3])).toEqual(['item 3', 'item 1', 'item 2', 'item 3']);
    expect(calls).toEqual([[2], [3, 1]]);
    expect(await item.getMany([])).toEqual([]);
    await cache.close();
  });

  test('joins loads in flight, and single reads join its own', async () => {
    const cache = create();
    const { calls, item } = define(cache);
    const single = item.get(1);
    const many = item.getMany([1, 2]);
    const late = item.get(2);
    expect(await Promise.all([single, many, late])).toEqual(['item 1', ['item 1', 'item 2'], 'item 2']);
    expect(calls.flat().sort()).toEqual([1, 2]);
    await cache.close();
  });

  test('rejects for a key whose load failed, and has cached the others', async () => {
    const cache = create();
    const { calls, item } = define(cache);
    await expect(item.getMany([1, -5])).rejects.toThrow('no -5');
    expect(await item.get(1)).toBe('item 1');
    expect(calls).toHaveLength(1);
    await cache.close();
  });

  test('says what is wrong when `loadMany` returns too few values', async () => {
    const cache = create();
    const item = cache.define('short', { key: String, loadMany: () => [] as string[] });
    await expect(item.getMany([1, 2])).rejects.toMatchObject({ code: 'ERR_WEIR_CACHE_LOAD_INCOMPLETE' });
    await cache.close();
  });
});

test('does not hold up the rest of a batch for a key that another process is loading', async () => {
  const [a, b] = [createCache({ name: 'shop', redis }), createCache({ name: 'shop', redis })];
  const gate = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  const slow = a.define('item', {
    key: String,
    load: () => {
      started.resolve();
      return gate.promise;
    },
  });
  const { calls, item } = define(b);
  const first = slow.get(1);
  await started.promise;
  const many = item.getMany([1, 2]);
  expect(await item.get(2)).toBe('item 2');
  gate.resolve('from a');
  expect(await many).toEqual(['from a', 'item 2']);
  expect(await first).toBe('from a');
  expect(calls).toEqual([[2]]);
  await Promise.all([a.close(), b.close()]);
});

describe('wrap', () => {
  test('keeps the signature, keys by the arguments and can be deleted from', async () => {
    const cache = createCache({ name: 'shop' });
    let calls = 0;
    const price = cache.wrap(async function price(id: number, at: Date) {
      calls += 1;
      return `${id}@${at.getTime()}`;
    });
    expect(await price(1, new Date(5))).toBe('1@5');
    expect(await price(1, new Date(5))).toBe('1@5');
    expect(await price(1, new Date(6))).toBe('1@6');
    expect(calls).toBe(2);
    await price.definition.delete([1, new Date(5)]);
    await price(1, new Date(5));
    expect(calls).toBe(3);
  });

  class Query {}
  class Ids extends Array {}
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`) as unknown;
  test.each<[string, unknown]>([
    ['an instance of Query', new Query()],
    ['an instance of Ids', Ids.from([1])],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a cyclic value', cyclic],
    ['a value nested deeper', deep],
    ['a property keyed by a symbol', { [Symbol('s')]: 1 }],
    [
      'a value that cannot be read',
      Object.defineProperty({}, 'a', { get: () => JSON.parse('{'), enumerable: true }),
    ],
  ])('says that no key can be made of an argument: %s', async (what, argument) => {
    for (const options of [{}, { redis }]) {
      const cache = createCache({ name: 'shop', ...options });
      const run = cache.wrap((_query: unknown) => 1, { name: 'query' });
      const attempts = [
        () => run(argument),
        () => run({ nested: argument }),
        () => run.definition.delete([argument]),
      ];
      for (const attempt of attempts) {
        const error = (await attempt().catch((reason: unknown) => reason)) as CacheError;
        expect(error.code).toBe('ERR_WEIR_CACHE_INVALID_KEY');
        expect(error.message).toContain(`arguments of \`query\`: they contain ${what}`);
        expect(error.message).toMatch(/`key`/);
        expect(error.message).not.toMatch(/Redis|load/);
      }
      await cache.close();
    }
  });

  test('refuses what it cannot call when it is made', async () => {
    const cache = createCache({ name: 'shop' });
    expect(() => cache.wrap(undefined as never)).toThrow(/`fn` to be a function/);
    expect(() => cache.wrap(() => 1, { name: 'a', key: 'id' as never })).toThrow(/`key` to be a function/);
    await cache.close();
  });
});

describe('a schema', () => {
  test('makes a stored value of another shape a miss', async () => {
    const old = createCache({ name: 'shop', redis });
    await old.define('item', { key: String, load: (id: number) => ({ id, title: 'old shape' }) }).get(1);
    const cache = createCache({ name: 'shop', redis });
    const schema = {
      '~standard': {
        version: 1 as const,
        validate: (value: unknown) =>
          typeof (value as { name?: unknown }).name === 'string'
            ? { value: value as { name: string } }
            : { issues: [{ message: 'no name' }] },
      },
    };
    const item = cache.define('item', {
      key: String,
      load: (id: number) => ({ name: `item ${id}` }),
      schema,
    });
    expect(await item.get(1)).toEqual({ name: 'item 1' });
    await Promise.all([old.close(), cache.close()]);
  });
});

test('entries of another version of the cache are not seen', async () => {
  const options = { name: 'shop', redis, l2: { deadlineMs: 2_000 } };
  const [one, two] = [createCache(options), createCache({ ...options, version: 2 })];
  await one.getOrSet('k', () => 1);
  expect(await two.getOrSet('k', () => 2)).toBe(2);
  expect(await one.get('k')).toBe(1);
  await Promise.all([one.close(), two.close()]);
});
