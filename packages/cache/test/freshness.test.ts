import { createManualClock, seededRandom } from '@weir/test-kit';
import { describe, expect, test, vi } from 'vitest';
import {
  type Cache,
  type CacheOptions,
  createCache,
  type LoadContext,
  type SetOptions,
} from '../src/index.ts';

function setUp(options: Partial<CacheOptions> = {}) {
  const clock = createManualClock();
  const cache = createCache({ name: 'test', clock, ...options });
  let version = 0;
  return { cache, clock, next: () => ++version };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('stale-while-revalidate', () => {
  test('serves the expired value at once and one background load refreshes it', async () => {
    const { cache, clock, next } = setUp();
    const options = { ttlMs: 100, staleWhileRevalidateMs: 100 };
    await cache.getOrSet('k', next, options);
    clock.advance(150);
    expect(await Promise.all([1, 2, 3].map(() => cache.getOrSet('k', next, options)))).toEqual([1, 1, 1]);
    await settled();
    expect(await cache.getOrSet('k', next, options)).toBe(2);
    expect(cache.stats()).toMatchObject({ staleHits: 3, loads: 2, l1Hits: 1 });
  });

  test('leaves no unhandled rejection when the background load fails', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const { cache, clock } = setUp();
    const options = { ttlMs: 100, staleWhileRevalidateMs: 100 };
    await cache.getOrSet('k', () => 1, options);
    clock.advance(150);
    expect(await cache.getOrSet('k', () => Promise.reject(new Error('down')), options)).toBe(1);
    await settled();
    await settled();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe('setTtl', () => {
  const once = (cache: ReturnType<typeof createCache>, ttlMs: unknown) => (read: number) =>
    cache.getOrSet('k', (context) => {
      context.setTtl(ttlMs as number);
      return read;
    });

  test.each<[unknown]>([[Number.NaN], [undefined], [null], ['60000'], [{}], [60_000n]])(
    'refuses what is no number of milliseconds: %s',
    async (ttlMs) => {
      const { cache } = setUp();
      await expect(once(cache, ttlMs)(1)).rejects.toMatchObject({
        code: 'ERR_WEIR_CACHE_INVALID_OPTION',
        message: expect.stringMatching(/`setTtl\(ttlMs\)` to be a number of milliseconds/),
      });
      expect(cache.stats()).toMatchObject({ loadErrors: 1, entries: 0 });
    },
  );

  test.each([
    [Number.NEGATIVE_INFINITY, 0],
    [-1, 0],
    [-0, 0],
    [0, 0],
    [1, 1],
    [86_400_000, 86_400_000],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])('%s keeps the value for %s ms', async (ttlMs, lifeMs) => {
    const { cache, clock } = setUp();
    const read = once(cache, ttlMs);
    expect(await read(1)).toBe(1);
    if (lifeMs > 0) {
      clock.advance(Math.min(lifeMs, 1e15) - 1);
      expect(await read(2)).toBe(1);
    }
    clock.advance(1);
    expect(await read(3)).toBe(lifeMs > 1e15 ? 1 : 3);
  });
});

describe('grace', () => {
  const options = { ttlMs: 100, graceMs: 1_000, graceThrottleMs: 50 };

  test('lets the expired value stand in for a failed load, and tries again only after the throttle', async () => {
    const { cache, clock } = setUp();
    let loads = 0;
    const fail = () => {
      loads += 1;
      throw new Error('down');
    };
    await cache.getOrSet('k', () => 'old', options);
    clock.advance(200);
    for (let read = 0; read < 5; read += 1) expect(await cache.getOrSet('k', fail, options)).toBe('old');
    expect(loads).toBe(1);
    clock.advance(50);
    expect(await cache.getOrSet('k', fail, options)).toBe('old');
    expect(loads).toBe(2);
    clock.advance(50);
    expect(await cache.getOrSet('k', () => 'new', options)).toBe('new');
  });

  test('ends: then the error reaches the caller', async () => {
    const { cache, clock } = setUp();
    await cache.getOrSet('k', () => 'old', options);
    clock.advance(1_100);
    await expect(cache.getOrSet('k', () => Promise.reject(new Error('down')), options)).rejects.toThrow(
      'down',
    );
  });

  test('does not bring back a value that was deleted or whose tag was invalidated', async () => {
    const { cache, clock } = setUp();
    const fail = () => Promise.reject(new Error('down'));
    await cache.getOrSet('a', () => 'old', options);
    await cache.getOrSet('b', () => 'old', { ...options, tags: ['t'] });
    await cache.getOrSet('c', () => 'old', options);
    clock.advance(200);
    await cache.delete('a');
    await cache.invalidateTags(['t']);
    await expect(cache.getOrSet('a', fail, options)).rejects.toThrow('down');
    await expect(cache.getOrSet('b', fail, { ...options, tags: ['t'] })).rejects.toThrow('down');
    await cache.clear();
    await expect(cache.getOrSet('c', fail, options)).rejects.toThrow('down');
  });

  test('hands the stale value to the load, for a conditional request', async () => {
    const { cache, clock } = setUp();
    await cache.getOrSet('k', () => 'old', options);
    clock.advance(200);
    expect(await cache.getOrSet('k', ({ stale }: LoadContext) => `${stale}+`, options)).toBe('old+');
  });
});

describe('timeouts', () => {
  test('serve the stale value after the soft one while the load goes on', async () => {
    const { cache, clock } = setUp();
    const options = { ttlMs: 100, graceMs: 1_000, softTimeoutMs: 5 };
    await cache.getOrSet('k', () => 'old', options);
    clock.advance(200);
    const gate = Promise.withResolvers<string>();
    expect(await cache.getOrSet('k', () => gate.promise, options)).toBe('old');
    gate.resolve('new');
    await settled();
    expect(await cache.getOrSet('k', () => expect.unreachable(), options)).toBe('new');
    expect(cache.stats()).toMatchObject({ staleHits: 1, loads: 2 });
  });

  test('reject the caller after the hard one, and cache what the load brings later', async () => {
    const { cache } = setUp();
    const gate = Promise.withResolvers<string>();
    const read = cache.getOrSet('k', () => gate.promise, { hardTimeoutMs: 5 });
    await expect(read).rejects.toMatchObject({ code: 'ERR_WEIR_CACHE_LOAD_TIMEOUT' });
    gate.resolve('late');
    await settled();
    expect(await cache.get('k')).toBe('late');
  });

  test.each([
    ['beyond its grace', (_cache: Cache, clock: { advance(ms: number): void }) => clock.advance(200)],
    ['deleted', (cache: Cache) => void cache.delete('k')],
    ['invalidated', (cache: Cache) => void cache.invalidateTags(['t'])],
    ['cleared', (cache: Cache) => void cache.clear()],
  ])('serve no stale value that is %s by then', async (_name, change) => {
    for (const [softTimeoutMs, hardTimeoutMs] of [
      [1, 5],
      [Number.POSITIVE_INFINITY, 5],
    ]) {
      const { cache, clock } = setUp();
      const options = { ttlMs: 100, graceMs: 1_000, tags: ['t'], softTimeoutMs, hardTimeoutMs };
      await cache.getOrSet('k', () => 'old', options as SetOptions);
      clock.advance(1_000);
      const read = cache.getOrSet('k', () => new Promise<string>(() => {}), options as SetOptions);
      change(cache, clock);
      await expect(read).rejects.toMatchObject({ code: 'ERR_WEIR_CACHE_LOAD_TIMEOUT' });
    }
  });

  test('free the key of a load that hangs at its maximum age', async () => {
    const { cache } = setUp();
    let aborted: AbortSignal | undefined;
    const hung = cache.getOrSet(
      'k',
      ({ signal }) => {
        aborted = signal;
        return new Promise<string>(() => {});
      },
      { maxFlightMs: 10 },
    );
    await expect(hung).rejects.toMatchObject({ code: 'ERR_WEIR_CACHE_FLIGHT_EXPIRED' });
    expect(aborted?.aborted).toBe(true);
    expect(await cache.getOrSet('k', () => 'next')).toBe('next');
  });
});

describe('an abort', () => {
  test('ends one caller and leaves the load to the others', async () => {
    const { cache } = setUp();
    const gate = Promise.withResolvers<string>();
    const controller = new AbortController();
    let load: AbortSignal | undefined;
    const first = cache.getOrSet(
      'k',
      ({ signal }) => {
        load = signal;
        return gate.promise;
      },
      { signal: controller.signal },
    );
    const second = cache.getOrSet('k', () => 'never called');
    await settled();
    controller.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(load?.aborted).toBe(false);
    gate.resolve('value');
    expect(await second).toBe('value');
  });

  test('of every caller aborts the load', async () => {
    const { cache } = setUp();
    const controller = new AbortController();
    let load: AbortSignal | undefined;
    const hang = ({ signal }: LoadContext) => {
      load = signal;
      return new Promise<string>(() => {});
    };
    const reads = [1, 2].map(() => cache.getOrSet('k', hang, { signal: controller.signal }));
    await settled();
    controller.abort();
    await Promise.allSettled(reads);
    expect(load?.aborted).toBe(true);
    expect(await cache.getOrSet('k', () => 'next')).toBe('next');
  });
});

describe('a load decides', () => {
  test('its own ttl', async () => {
    const { cache, clock, next } = setUp();
    const load = (context: LoadContext) => {
      context.setTtl(10);
      return next();
    };
    await cache.getOrSet('k', load, { ttlMs: 1_000 });
    clock.advance(10);
    expect(await cache.getOrSet('k', load, { ttlMs: 1_000 })).toBe(2);
  });

  test('not to be cached', async () => {
    const { cache, next } = setUp();
    const load = (context: LoadContext) => {
      context.skipCache();
      return next();
    };
    await cache.getOrSet('k', load);
    expect(await cache.getOrSet('k', load)).toBe(2);
  });
});

test('keeps a negative value for its own ttl, and not at all with 0', async () => {
  const { cache, clock } = setUp();
  let loads = 0;
  const load = () => {
    loads += 1;
    return undefined;
  };
  await cache.getOrSet('k', load, { negativeTtlMs: 10 });
  clock.advance(9);
  await cache.getOrSet('k', load, { negativeTtlMs: 10 });
  expect(loads).toBe(1);
  clock.advance(1);
  await cache.getOrSet('k', load, { negativeTtlMs: 0 });
  await cache.getOrSet('k', load, { negativeTtlMs: 0 });
  expect(loads).toBe(3);
});

test('hands a failed load to further callers during the error backoff', async () => {
  const { cache, clock } = setUp();
  let loads = 0;
  const load = () => {
    loads += 1;
    return Promise.reject(new Error('down'));
  };
  const options = { errorBackoffMs: 100 };
  await expect(cache.getOrSet('k', load, options)).rejects.toThrow('down');
  await expect(cache.getOrSet('k', load, options)).rejects.toThrow('down');
  expect(loads).toBe(1);
  clock.advance(100);
  await expect(cache.getOrSet('k', load, options)).rejects.toThrow('down');
  expect(loads).toBe(2);
});

test('jitter shortens a ttl by at most its fraction, and never the throttle', async () => {
  const { cache, clock, next } = setUp({ random: () => 0.999 });
  await cache.getOrSet('k', next, { ttlMs: 100, jitter: 0.5 });
  clock.advance(50);
  expect(await cache.getOrSet('k', next, { ttlMs: 100, jitter: 0 })).toBe(1);
  clock.advance(1);
  expect(await cache.getOrSet('k', next, { ttlMs: 100, jitter: 0 })).toBe(2);
});

test('refreshes early in the background, sooner before expiry than long before', async () => {
  const refreshes: number[] = [];
  for (let round = 0; round < 200; round += 1) {
    const { cache, clock, next } = setUp({ random: seededRandom(round) });
    const options = { ttlMs: 1_000, earlyRefresh: 1 };
    const load = () => {
      clock.advance(50);
      return next();
    };
    await cache.getOrSet('k', load, options);
    clock.advance(500);
    for (let step = 0; step < 49; step += 1) {
      clock.advance(10);
      await cache.getOrSet('k', load, options);
      if (cache.stats().loads > 1) {
        refreshes.push(step);
        break;
      }
    }
  }
  const mean = refreshes.reduce((sum, step) => sum + step, 0) / refreshes.length;
  expect(refreshes.length).toBeGreaterThan(190);
  expect(mean).toBeGreaterThan(25);
});
