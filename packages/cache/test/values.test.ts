import { createManualClock, type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cache, type CacheOptions, createCache, type StandardSchema } from '../src/index.ts';

let server: RedisServer;
let admin: Redis;
const open: { readonly cache: Cache; readonly client: Redis | undefined }[] = [];

beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url);
});
afterEach(async () => {
  for (const { cache, client } of open.splice(0)) {
    await cache.close();
    client?.disconnect();
  }
  await admin.flushall();
});
afterAll(async () => {
  admin.disconnect();
  await server.stop();
});

async function process(options: Partial<CacheOptions> = {}, hasRedis = true): Promise<Cache> {
  const client = hasRedis ? new Redis(server.url) : undefined;
  const cache = createCache({
    name: 'shop',
    ...(client && { redis: client, l2: { deadlineMs: 2_000 } }),
    ...options,
  });
  open.push({ cache, client });
  await cache.ready();
  return cache;
}

describe('a value in memory and in Redis', () => {
  class Result extends Array<unknown> {}
  class Zoned extends Date {
    zone = 'Asia/Tokyo';
  }
  class Ranking extends Map<number, number> {}
  class Bytes extends Uint8Array {}
  const named = <T extends object>(value: T) => Object.assign(value, { label: 'x' });

  test.each<[string, () => unknown]>([
    ['a subclass of Array', () => Result.from([1])],
    ['a subclass of Date', () => new Zoned(0)],
    ['a subclass of Map', () => new Ranking([[1, 2]])],
    ['a subclass of Uint8Array', () => new Bytes(2)],
    ['an array with a property', () => 'ab'.match(/b/)],
    ['a long array with a property', () => named(Array.from({ length: 100 }, (_, index) => index))],
    ['an array with a property and a hole', () => named(Object.assign([], { 0: 1, 2: 3 }))],
    ['a Buffer with a property', () => named(Buffer.from('x'))],
    ['a typed array with a property', () => named(new Float64Array([1]))],
    ['a Date with a property', () => named(new Date(0))],
    ['a Set with a property', () => named(new Set([1]))],
    ['a property that is not enumerable', () => Object.defineProperty({}, 'label', { value: 'x' })],
    ['a regular expression in use', () => Object.assign(/a/g, { lastIndex: 3 })],
    ['a class instance within plain data', () => ({ list: [new Zoned(0)] })],
  ])('is the same or is not in Redis at all: %s', async (_title, make) => {
    const [here, there] = [await process(), await process()];
    vi.spyOn(globalThis.process, 'emitWarning').mockImplementation(() => {});
    const load = vi.fn(make);
    const mine = await here.getOrSet('k', load);
    await expect.poll(() => admin.keys('weir:shop@1:l:*')).toEqual([]);
    const theirs = await there.getOrSet('k', load);
    expect(theirs).toStrictEqual(mine);
    expect(Reflect.ownKeys(theirs as object)).toEqual(Reflect.ownKeys(mine as object));
    expect(theirs instanceof RegExp && theirs.lastIndex).toBe(mine instanceof RegExp && mine.lastIndex);
  });

  test.each<[string, () => unknown]>([
    [
      'a getter that throws',
      () => ({
        get broken() {
          throw new RangeError('no');
        },
      }),
    ],
    [
      'a detached ArrayBuffer',
      () => {
        const buffer = new ArrayBuffer(8);
        structuredClone(buffer, { transfer: [buffer] });
        return buffer;
      },
    ],
  ])('reaches its reader though Redis cannot have it: %s', async (_title, make) => {
    vi.spyOn(globalThis.process, 'emitWarning').mockImplementation(() => {});
    const cache = await process();
    const value = make();
    expect(await cache.getOrSet('k', () => value)).toBe(value);
  });
});

describe('a value of any depth', () => {
  const listOf = (levels: number) => {
    let head: { next: unknown } = { next: undefined };
    for (let level = 1; level < levels; level += 1) head = { next: head };
    return head;
  };
  const depthOf = (value: unknown) => {
    let depth = 0;
    for (let item = value; item !== undefined; item = (item as { next: unknown }).next) depth += 1;
    return depth;
  };

  test.each<[string, Partial<CacheOptions>, boolean]>([
    ['in memory', {}, false],
    ['with Redis', {}, true],
    ['bounded by bytes', { l1: { maxBytes: 1e9 } }, false],
    ['frozen', { defaults: { values: 'frozen' } }, false],
    ['frozen, with Redis', { defaults: { values: 'frozen' }, l1: { maxBytes: 1e9 } }, true],
    ['cloned', { defaults: { values: 'cloned' } }, false],
    ['with a schema', { defaults: { values: 'cloned' } }, true],
  ])('reaches every reader: %s', async (_title, options, hasRedis) => {
    vi.spyOn(globalThis.process, 'emitWarning').mockImplementation(() => {});
    const cache = await process(options, hasRedis);
    for (const depth of [1, 900, 20_000]) {
      const read = () => cache.getOrSet(`k${depth}`, () => listOf(depth));
      const values = [...(await Promise.all([read(), read()])), await read()];
      expect(values.map(depthOf)).toEqual([depth, depth, depth]);
    }
  });

  test('is measured whole: the byte bound holds for deep values', async () => {
    const cache = await process({ l1: { maxBytes: 3_000_000 } }, false);
    for (let index = 0; index < 10; index += 1) await cache.getOrSet(`k${index}`, () => listOf(20_000));
    expect(cache.stats()).toMatchObject({ entries: 2, evictions: 8 });
  });
});

describe('frozen values', () => {
  const make = () => ({
    list: [{ n: 1 }],
    map: new Map([['a', { n: 1 }]]),
    set: new Set([{ n: 1 }]),
    at: new Date(0),
    url: new URL('https://shop.example/a?b=1'),
    query: new URLSearchParams('b=1'),
    error: new Error('failed', { cause: { n: 1 } }),
    errors: new AggregateError([{ n: 1 }]),
    [Symbol.for('hidden')]: { n: 1 },
  });
  type Made = ReturnType<typeof make>;
  const changes: [string, (value: Made) => unknown][] = [
    ['a property', (value) => Object.assign(value, { list: [] })],
    ['an item', (value) => value.list.push({ n: 2 })],
    ['a nested property', (value) => Object.assign(value.list[0] as object, { n: 2 })],
    ['a map', (value) => value.map.set('b', { n: 2 })],
    ['a map, by deleting', (value) => value.map.delete('a')],
    ['what a map holds', (value) => Object.assign(value.map.get('a') ?? {}, { n: 2 })],
    ['a set', (value) => value.set.clear()],
    ['what a set holds', (value) => Object.assign([...value.set][0] ?? {}, { n: 2 })],
    ['a URL', (value) => Object.assign(value.url, { pathname: '/other' })],
    ['a URL, as a whole', (value) => Object.assign(value.url, { href: 'https://other.example' })],
    ['the parameters of a URL', (value) => value.url.searchParams.set('b', '2')],
    ['parameters', (value) => value.query.append('b', '2')],
    ['parameters, by sorting', (value) => value.query.sort()],
    ['the cause of an error', (value) => Object.assign(value.error.cause as object, { n: 2 })],
    ['the errors of an error', (value) => Object.assign(value.errors.errors[0], { n: 2 })],
    ['a date', (value) => value.at.setFullYear(1999)],
    ['what a symbol names', (value) => Object.assign(value[Symbol.for('hidden')] ?? {}, { n: 2 })],
  ];
  const shapes: [string, () => Made][] = [
    ['as they are', make],
    ['with the outermost level frozen already', () => Object.freeze(make())],
    ['with an inner level frozen already', () => ({ ...make(), list: Object.freeze([{ n: 1 }]) as never })],
  ];

  test.each(changes)('cannot be changed by a reader: %s', async (_title, change) => {
    for (const [shape, load] of shapes) {
      const cache = await process({ defaults: { values: 'frozen' } }, false);
      const value = await cache.getOrSet(shape, load);
      expect(() => change(value)).toThrow(TypeError);
      expect(await cache.getOrSet(shape, load)).toEqual(make());
    }
  });

  test('are equal to what was loaded, from Redis as well, and may contain themselves', async () => {
    const defaults = { values: 'frozen' } as const;
    const [here, there] = [await process({ defaults }), await process({ defaults })];
    const load = vi.fn(() => ({
      at: new Date(0),
      map: new Map([[1, new Set([2])]]),
      url: new URL('https://shop.example/a?b=1'),
    }));
    const mine = await here.getOrSet('k', load);
    await expect.poll(() => admin.exists('weir:shop@1:e:{~:k}')).toBe(1);
    const theirs = await there.getOrSet('k', load);
    expect([mine, theirs]).toStrictEqual([load(), load()]);
    expect(load).toHaveBeenCalledTimes(3);
    expect(() => theirs.map.clear()).toThrow(TypeError);
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    expect(await (await process({ defaults }, false)).getOrSet('cyclic', () => cyclic)).toBe(cyclic);
  });
});

describe('cloned values', () => {
  test('are each reader’s own, whatever options a later read has; what the load returned is not among them', async () => {
    const cache = await process({}, false);
    const loaded = { n: 1 };
    const read = (values: 'cloned' | 'shared') => cache.getOrSet('k', () => loaded, { values });
    const values = [...(await Promise.all([read('cloned'), read('cloned')])), await read('shared')];
    for (const value of [loaded, ...values]) value.n += 1;
    expect(values.map(({ n }) => n)).toEqual([2, 2, 2]);
    expect(await read('cloned')).toEqual({ n: 1 });
  });
});

describe('a value that has no copy', () => {
  test('reaches the readers of its load with `values: cloned`, and is kept nowhere', async () => {
    const warn = vi.spyOn(globalThis.process, 'emitWarning').mockImplementation(() => {});
    const cache = createCache({ name: 'uncloneable', defaults: { values: 'cloned' } });
    const load = vi.fn(() => ({ call: () => 1 }));
    const [one, two] = await Promise.all([cache.getOrSet('k', load), cache.getOrSet('k', load)]);
    expect([one.call(), two.call(), (await cache.getOrSet('k', load)).call()]).toEqual([1, 1, 1]);
    expect(load).toHaveBeenCalledTimes(2);
    expect(cache.stats().entries).toBe(0);
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("`values: 'cloned'`"), {
      code: 'ERR_WEIR_CACHE_UNSUPPORTED_VALUE',
    });
    await cache.close();
  });
});

test.each([
  ['cloned', 'a function', { call() {} }],
  [
    'cloned',
    'a value too deep to copy',
    Array(20_000)
      .fill(0)
      .reduce((next: unknown) => ({ next }), null),
  ],
  [
    'frozen',
    'a proxy that refuses',
    new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no');
        },
      },
    ),
  ],
] as const)(
  'with `values: %s`, a set of %s is refused and the old value stays',
  async (values, _name, value) => {
    for (const hasRedis of [false, true]) {
      const cache = await process({ defaults: { values } }, hasRedis);
      await cache.set('k', 'old');
      await expect(cache.set('k', value)).rejects.toMatchObject({ code: 'ERR_WEIR_CACHE_UNSUPPORTED_VALUE' });
      expect(await cache.get('k')).toBe('old');
    }
  },
);

describe('a schema', () => {
  const schemaOf = <T>(validate: (value: unknown) => T | Promise<T>): StandardSchema<T> => ({
    '~standard': {
      version: 1,
      validate: (value) => {
        try {
          const made = validate(value);
          return made instanceof Promise ? made.then((value) => ({ value })) : { value: made };
        } catch (error) {
          return { issues: [error] };
        }
      },
    },
  });
  const cents = (value: unknown) => {
    if (typeof value !== 'number') throw new TypeError('not a number');
    return value / 100;
  };

  test.each([
    ['synchronous', schemaOf(cents)],
    ['asynchronous', schemaOf(async (value) => cents(value))],
  ])('makes the same value for every reader, however it came there: %s', async (_title, schema) => {
    const define = (cache: Cache) =>
      cache.define('price', {
        key: String,
        schema,
        load: () => 1_250,
        loadMany: (ids: readonly number[]) => ids.map(() => 1_250),
      });
    const [here, there] = [define(await process()), define(await process())];
    const read = async (price: typeof here, id: number) => [
      await price.get(id),
      ...(await price.getMany([id, id + 100])),
      await price.peek(id),
    ];
    expect(await read(here, 1)).toEqual([12.5, 12.5, 12.5, 12.5]);
    await expect.poll(() => admin.exists('weir:shop@1:e:{price:101}')).toBe(1);
    expect(await read(there, 1)).toEqual([12.5, 12.5, 12.5, 12.5]);
    await here.set(2, 500);
    expect([await here.get(2), await there.get(2)]).toEqual([5, 5]);
  });

  test.each<[string, () => unknown, (value: never) => unknown]>([
    [
      'an object',
      () => ({ price: 1_250 }),
      (value: { price: number }) => {
        value.price /= 100;
        return value;
      },
    ],
    [
      'a list within',
      () => [{ tags: ['b', 'a'] }],
      (value: { tags: string[] }[]) => {
        value[0]?.tags.push('c');
        return value;
      },
    ],
    [
      'bytes',
      () => Buffer.from([1, 2]),
      (value: Buffer) => {
        value[0] = 7 + (value[0] ?? 0);
        return value;
      },
    ],
    [
      'a Map',
      () => new Map([['a', 1]]),
      (value: Map<string, number>) => value.set('a', 1 + (value.get('a') ?? 0)),
    ],
  ])('that changes %s in place makes the same of it in every process', async (_name, load, change) => {
    const schema = schemaOf(async (value) => change((await value) as never));
    const define = (cache: Cache) => cache.define('item', { key: String, schema, load: () => load() });
    const [here, there] = [define(await process()), define(await process())];
    const expected = change(load() as never);
    expect(await here.get(1)).toEqual(expected);
    await expect.poll(() => admin.exists('weir:shop@1:e:{item:1}')).toBe(1);
    expect(await there.get(1)).toEqual(expected);
    expect(await here.set(2, load())).toBe(true);
    expect([await here.get(2), await there.get(2)]).toEqual([expected, expected]);
  });

  test('fails a load that breaks it: a stale value stands in, else every reader gets the error', async () => {
    const clock = createManualClock();
    const cache = await process({ clock }, false);
    let loaded: unknown = 100;
    const options = { ttlMs: 100, graceMs: 1_000, graceThrottleMs: 10 };
    const load = () => loaded as number;
    const price = cache.define('price', { key: String, schema: schemaOf(cents), load, ...options });
    expect(await price.get(1)).toBe(1);
    loaded = 'a lot';
    clock.advance(150);
    expect(await price.get(1)).toBe(1);
    await expect(price.get(2)).rejects.toMatchObject({
      code: 'ERR_WEIR_CACHE_INVALID_VALUE',
      message: expect.stringContaining('not a number'),
    });
    await expect(price.set(3, 'a lot' as never)).rejects.toMatchObject({
      code: 'ERR_WEIR_CACHE_INVALID_VALUE',
    });
    expect(await price.peek(3)).toBeUndefined();
  });

  test('lets `undefined` and `null` pass, which say that there is no value', async () => {
    const caches = [await process(), await process()];
    const load = vi.fn((id: number) => (id === 1 ? undefined : null) as unknown as number);
    for (const cache of caches) {
      const price = cache.define('price', { key: String, schema: schemaOf(cents), load });
      expect([await price.get(1), await price.get(2)]).toEqual([undefined, null]);
      await expect.poll(() => admin.keys('weir:shop@1:e:{price:*')).toHaveLength(2);
    }
    expect(load).toHaveBeenCalledTimes(2);
  });

  test('is refused when it is none', async () => {
    const cache = await process({}, false);
    for (const schema of [{}, { parse: () => 1 }, null]) {
      expect(() => cache.define('price', { key: String, load: () => 1, schema: schema as never })).toThrow(
        /`schema` to be a Standard Schema/,
      );
    }
  });
});
