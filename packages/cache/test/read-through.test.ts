import { createManualClock } from '@weir/test-kit';
import { describe, expect, test } from 'vitest';
import { type Cache, CacheError, type CacheOptions, createCache } from '../src/index.ts';

function deferred<T>() {
  return Promise.withResolvers<T>();
}

function memoryCache(options: Partial<CacheOptions> = {}) {
  const clock = createManualClock();
  return { clock, cache: createCache({ name: 'test', clock, ...options }) };
}

describe('a read', () => {
  test('loads a missing value once and serves it from memory until its ttl has passed', async () => {
    const { cache, clock } = memoryCache();
    let loads = 0;
    const load = () => ++loads;
    expect(await cache.getOrSet('k', load, { ttlMs: 1_000 })).toBe(1);
    clock.advance(999);
    expect(await cache.getOrSet('k', load, { ttlMs: 1_000 })).toBe(1);
    clock.advance(1);
    expect(await cache.getOrSet('k', load, { ttlMs: 1_000 })).toBe(2);
    expect(cache.stats()).toMatchObject({ l1Hits: 1, misses: 2, loads: 2, entries: 1 });
  });

  test('hands out the same promise on every hit, so that a hit allocates nothing', async () => {
    const { cache } = memoryCache();
    const item = cache.define('item', { key: String, load: (id: number) => ({ id }) });
    await item.get(1);
    expect(item.get(1)).toBe(item.get(1));
  });

  test('shares one load among 1000 concurrent callers', async () => {
    const { cache } = memoryCache();
    const gate = deferred<string>();
    let loads = 0;
    const item = cache.define('item', {
      key: (id: number) => String(id),
      load: () => {
        loads += 1;
        return gate.promise;
      },
    });
    const reads = Array.from({ length: 1000 }, () => item.get(7));
    gate.resolve('value');
    expect(new Set(await Promise.all(reads))).toEqual(new Set(['value']));
    expect(loads).toBe(1);
    expect(cache.stats()).toMatchObject({ misses: 1, coalesced: 999, loads: 1 });
  });

  test('hands the very error of a failed load to every caller, and loads again for the next', async () => {
    const { cache } = memoryCache();
    const failure = new Error('database is down');
    let loads = 0;
    const load = async () => {
      loads += 1;
      throw failure;
    };
    const results = await Promise.allSettled([1, 2, 3].map(() => cache.getOrSet('k', load)));
    expect(results.every((result) => result.status === 'rejected' && result.reason === failure)).toBe(true);
    expect(loads).toBe(1);
    await expect(cache.getOrSet('k', load)).rejects.toBe(failure);
    expect(loads).toBe(2);
    expect(cache.stats()).toMatchObject({ misses: 2, coalesced: 2, loads: 2, loadErrors: 2, entries: 0 });
  });

  test('counts every read in exactly one outcome', async () => {
    const { cache, clock } = memoryCache();
    let reads = 0;
    for (let step = 0; step < 200; step += 1) {
      const fails = step % 7 === 0;
      const load = async () => {
        if (fails) throw new Error('no');
        return step;
      };
      const options = { ttlMs: 5, graceMs: 5, staleWhileRevalidateMs: 2 };
      await Promise.allSettled([
        cache.getOrSet('a', load, options),
        cache.getOrSet('a', load, options),
        cache.get('a'),
      ]);
      reads += 3;
      clock.advance(step % 4);
    }
    const { l1Hits, l2Hits, staleHits, coalesced, misses } = cache.stats();
    expect(l1Hits + l2Hits + staleHits + coalesced + misses).toBe(reads);
  });

  test('keeps ad-hoc keys and the keys of each definition apart', async () => {
    const { cache } = memoryCache();
    const one = cache.define('one', { key: String, load: () => 'one' });
    const two = cache.define('two', { key: String, load: () => 'two' });
    expect([await one.get(1), await two.get(1), await cache.getOrSet('1', () => 'ad hoc')]).toEqual([
      'one',
      'two',
      'ad hoc',
    ]);
  });

  test('rejects a key that is no string, rather than mixing up values', async () => {
    const { cache } = memoryCache();
    const item = cache.define('item', { key: () => undefined as unknown as string, load: () => 1 });
    await expect(item.get(1)).rejects.toMatchObject({ code: 'ERR_WEIR_CACHE_INVALID_KEY' });
    await expect(cache.getOrSet('', () => 1)).rejects.toBeInstanceOf(CacheError);
  });

  test('survives more concurrent loads than L1 has room for', async () => {
    const { cache } = memoryCache({ l1: { maxEntries: 5 } });
    const item = cache.define('item', { key: String, load: async (id: number) => id * 2 });
    const ids = Array.from({ length: 50 }, (_, id) => id);
    expect(await Promise.all(ids.map((id) => item.get(id)))).toEqual(ids.map((id) => id * 2));
    expect(cache.stats()).toMatchObject({ entries: 5, evictions: 45 });
  });

  test('bounds L1 by bytes', async () => {
    const { cache } = memoryCache({ l1: { maxEntries: 1_000, maxBytes: 100_000 } });
    const item = cache.define('item', { key: String, load: (id: number) => `${id}`.padEnd(10_000) });
    for (let id = 0; id < 20; id += 1) await item.get(id);
    expect(cache.stats().entries).toBe(4);
    await cache.getOrSet('huge', () => 'x'.repeat(100_000));
    expect(await cache.get('huge')).toBeUndefined();
  });
});

describe('delete', () => {
  test('keeps a load that was in flight out of the cache, while its waiters still get their value', async () => {
    const { cache } = memoryCache();
    const gate = deferred<string>();
    const values = [gate.promise, Promise.resolve('new')];
    const item = cache.define('item', { key: String, load: () => values.shift() as Promise<string> });
    const early = item.get(1);
    await cache.stats();
    await item.delete(1);
    const late = item.get(1);
    gate.resolve('old');
    expect(await early).toBe('old');
    expect(await late).toBe('new');
    expect(await item.get(1)).toBe('new');
  });

  test('makes the next read load again', async () => {
    const { cache } = memoryCache();
    let loads = 0;
    const item = cache.define('item', { key: String, load: () => ++loads });
    await item.get(1);
    expect(await item.delete(1)).toBe(true);
    expect(await item.get(1)).toBe(2);
    expect(cache.stats()).toMatchObject({ deletes: 1 });
  });
});

describe('set', () => {
  test('is not overwritten by a load that was in flight', async () => {
    const { cache } = memoryCache();
    const gate = deferred<string>();
    const item = cache.define('item', { key: String, load: () => gate.promise });
    const early = item.get(1);
    await item.set(1, 'set');
    gate.resolve('loaded');
    expect(await early).toBe('loaded');
    expect(await item.get(1)).toBe('set');
  });
});

describe('close', () => {
  test('rejects further use and forgets everything', async () => {
    const { cache } = memoryCache();
    const item = cache.define('item', { key: String, load: () => 1 });
    await item.get(1);
    await cache.close();
    await cache.close();
    await expect(item.get(1)).rejects.toMatchObject({ code: 'ERR_WEIR_CACHE_CLOSED' });
    expect(cache.stats().entries).toBe(0);
  });
});

describe('options', () => {
  test.each([
    [{ name: 'no spaces' }, /Expected `name`/],
    [{ name: 'a', l1: { maxEntries: 0 } }, /Expected `l1.maxEntries` to be an integer from 1/],
    [{ name: 'a', defaults: { ttlMs: 0 } }, /got `0`. Use `Infinity` to keep entries until evicted/],
    [{ name: 'a', defaults: { ttl: 5 } }, /Unknown option `ttl` in `defaults`/],
    [{ name: 'a', redis: 'redis://' }, /client of ioredis/],
  ])('names what is wrong with %j and how to repair it', (options, message) => {
    expect(() => createCache(options as CacheOptions)).toThrow(message);
  });

  test.each<[string, (cache: Cache, options: never) => unknown]>([
    ['createCache', (_cache, options) => createCache(options)],
    ['its `defaults`', (_cache, defaults) => createCache({ name: 'a', defaults })],
    ['its `l1`', (_cache, l1) => createCache({ name: 'a', l1 })],
    ['its `l2`', (_cache, l2) => createCache({ name: 'a', l2 })],
    ['define', (cache, options) => cache.define('item', options)],
    ['wrap', (cache, options) => cache.wrap(function item() {}, options)],
    ['getOrSet', (cache, options) => cache.getOrSet('k', () => 1, options)],
    ['set', (cache, options) => cache.set('k', 1, options)],
  ])('of %s are refused when they are a promise or no object', async (_name, call) => {
    const { cache } = memoryCache();
    for (const options of [Promise.resolve({ name: 'a', ttlMs: 5 }), 5, ['tag']]) {
      const called = new Promise((resolve) => resolve(call(cache, options as never)));
      await expect(called).rejects.toMatchObject({ code: 'ERR_WEIR_CACHE_INVALID_OPTION' });
    }
    const waiting = new Promise((resolve) => resolve(call(cache, Promise.resolve({}) as never)));
    await expect(waiting).rejects.toThrow(/await it first|Expected `name`/);
  });

  test('refuses a second definition under the same name', () => {
    const { cache } = memoryCache();
    cache.define('item', { key: String, load: () => 1 });
    expect(() => cache.define('item', { key: String, load: () => 1 })).toThrow(/called twice/);
  });
});
