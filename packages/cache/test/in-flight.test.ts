/** What is on its way while something else happens: reads, background loads and their writes, clocks, the end of a process. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decorateLink, linkOf } from '@weir/redis';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Cache, type CacheOptions, createCache } from '../src/index.ts';
import { createFlakyRedis, createManualClock } from '../src/testing.ts';

let server: RedisServer;
let client: Redis;
const caches: Cache[] = [];

beforeAll(async () => {
  server = await startRedis();
  client = new Redis(server.url);
});
afterAll(async () => {
  client.disconnect();
  await server.stop();
});
beforeEach(() => client.flushall());
afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
});

async function instance(options: Partial<CacheOptions> = {}): Promise<Cache> {
  const cache = createCache({ name: 'shop', redis: client, l2: { deadlineMs: 2_000 }, ...options });
  caches.push(cache);
  expect(await cache.ready()).toBe(true);
  return cache;
}

/** A client whose replies can be kept back after Redis has carried the command out. */
function holdingClient() {
  let held: Promise<void> | undefined;
  const isHeld = Promise.withResolvers<void>();
  return {
    isHeld: isHeld.promise,
    hold(until: Promise<void>) {
      held = until;
    },
    redis: decorateLink(linkOf(client), async (send) => {
      const reply = await send();
      if (held !== undefined) {
        isHeld.resolve();
        await held;
      }
      return reply;
    }),
  };
}

test('a read of Redis that was in flight at a delete does not bring the value back to memory', async () => {
  const holding = holdingClient();
  const slow = await instance({ redis: holding.redis });
  const other = await instance();
  await other.getOrSet('k', () => 'old');
  const gate = Promise.withResolvers<void>();
  holding.hold(gate.promise);
  const early = slow.getOrSet('k', () => 'loaded');
  await holding.isHeld;
  // The slow instance acknowledges by a held reply, so the delete cannot be confirmed yet; it is carried out.
  const deleted = other.delete('k');
  await vi.waitFor(async () => expect(await client.exists('weir:shop@1:e:{~:k}')).toBe(0));
  await new Promise((resolve) => setTimeout(resolve, 20));
  gate.resolve();
  expect(['old', 'loaded']).toContain(await early);
  await deleted;
  expect(await slow.get('k')).not.toBe('old');
});

describe('a background load', () => {
  const options = { ttlMs: 1_000, staleWhileRevalidateMs: 60_000, tags: ['t'] };

  test('that was in flight when its tag was invalidated stores nothing', async () => {
    const clock = createManualClock();
    const cache = createCache({ name: 'memory', clock });
    caches.push(cache);
    await cache.getOrSet('k', () => 'old', options);
    clock.advance(2_000);
    const gate = Promise.withResolvers<string>();
    expect(await cache.getOrSet('k', () => gate.promise, options)).toBe('old');
    await cache.invalidateTags(['t']);
    gate.resolve('loaded before');
    await new Promise(setImmediate);
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.getOrSet('k', () => 'new', options)).toBe('new');
  });

  test('whose value Redis does not take leaves no unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const clock = createManualClock();
    const redis = createFlakyRedis(client);
    const cache = await instance({ redis, clock, l2: { deadlineMs: 50 } });
    await cache.getOrSet('k', () => 'old', options);
    clock.advance(2_000);
    let loads = 0;
    await cache.getOrSet(
      'k',
      () => {
        loads += 1;
        redis.behave('failing');
        return 'new';
      },
      options,
    );
    await vi.waitFor(() => expect(loads + cache.stats().redisErrors).toBeGreaterThan(0));
    await new Promise((resolve) => setTimeout(resolve, 80));
    redis.behave('well');
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe.each(['in memory', 'with Redis', 'with Redis, before changes reach it'])(
  '%s, of two changes',
  (where) => {
    const create = async (): Promise<Cache> => {
      if (where === 'with Redis') return await instance();
      const cache = createCache({
        name: 'shop',
        ...(where !== 'in memory' && { redis: client, l2: { deadlineMs: 2_000 } }),
      });
      caches.push(cache);
      return cache;
    };

    test.each([
      ['a set and a delete', ['set', 'delete'], undefined],
      ['two sets', ['set', 'set'], 1],
      ['a delete and a set', ['delete', 'set'], 1],
      ['a set that keeps nothing and a set', ['nothing', 'set'], 1],
      ['a set and a set that keeps nothing', ['set', 'nothing'], undefined],
      ['a set and an invalidation of its tag', ['set', 'invalidate'], undefined],
      ['a set and a clear', ['set', 'clear'], undefined],
    ] as const)('%s, of which none is waited for, the later one counts', async (_name, changes, left) => {
      const cache = await create();
      const tagsOf = [[], ['known'], ['new']] as const;
      await cache.getOrSet('warm', () => 1, { tags: ['known'] });
      const changed = async (key: string, tags: readonly string[]) => {
        const results = changes.map((change, index) => {
          if (change === 'delete') return cache.delete(key);
          if (change === 'invalidate') return cache.invalidateTags(tags);
          if (change === 'clear') return cache.clear();
          return cache.set(key, change === 'nothing' ? undefined : index, { tags, negativeTtlMs: 0 });
        });
        return (await Promise.all(results)).at(-1);
      };
      for (const [index, tags] of tagsOf.entries()) {
        if (changes.some((change) => change === 'invalidate') && tags.length === 0) continue;
        expect(await changed(`k${index}`, tags)).toBe(true);
        expect(await cache.get(`k${index}`)).toBe(left);
        if (where !== 'in memory') expect(await (await instance()).get(`k${index}`)).toBe(left);
      }
    });
  },
);

test.each(['in memory', 'with Redis'])(
  '%s a set whose schema takes its time does not undo a later delete',
  async (where) => {
    const cache = where === 'with Redis' ? await instance() : createCache({ name: 'memory' });
    caches.push(cache);
    const gate = Promise.withResolvers<void>();
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value: unknown) => {
          await gate.promise;
          return value === 'refused' ? { issues: [{ message: 'refused' }] } : { value };
        },
      },
    } as const;
    const item = cache.define('item', { key: String, load: () => 'loaded', schema, tags: ['new'] });
    const setting = item.set(1, 'old');
    const kept = item.set(2, 'kept');
    // A set that its schema refuses is no change.
    const refused = expect(item.set(2, 'refused')).rejects.toMatchObject({
      code: 'ERR_WEIR_CACHE_INVALID_VALUE',
    });
    expect(await item.delete(1)).toBe(true);
    gate.resolve();
    expect(await setting).toBe(false);
    expect(await item.peek(1)).toBeUndefined();
    await refused;
    expect(await kept).toBe(true);
    expect(await item.peek(2)).toBe('kept');
  },
);

describe.each(['in memory', 'with Redis'])('%s, a set whose schema takes its time', (where) => {
  async function start(negativeTtlMs = 60_000) {
    const gates: PromiseWithResolvers<void>[] = [];
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value: string | undefined) => {
          const gate = Promise.withResolvers<void>();
          gates.push(gate);
          await gate.promise;
          return { value };
        },
      },
    } as const;
    const options = { load: () => 'loaded', tags: (id: number) => [`item-${id}`], negativeTtlMs };
    const open = async () => {
      const cache = where === 'with Redis' ? await instance() : createCache({ name: 'memory' });
      caches.push(cache);
      return {
        cache,
        item: cache.define<number, string | undefined>('item', { key: String, ...options, schema }),
      };
    };
    const here = await open();
    const there = where === 'with Redis' ? await open() : here;
    return { here, there, gates };
  }
  type Started = Awaited<ReturnType<typeof start>>;
  /** Lets every schema through, those of reads included. */
  async function read({ gates, here, there }: Started, id: number): Promise<unknown[]> {
    const reads = [here, there].map(({ item }) => item.peek(id));
    const values = Promise.all(reads);
    let isDone = false;
    void values.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      for (const gate of gates) gate.resolve();
      await new Promise(setImmediate);
    }
    return await values;
  }

  test.each<[string, (started: Started) => Promise<boolean>]>([
    ['an invalidation of its tag', ({ here }) => here.cache.invalidateTags(['item-1'])],
    ['an invalidation of its tag by another process', ({ there }) => there.cache.invalidateTags(['item-1'])],
    ['a clear of its definition', ({ here }) => here.item.clear()],
    ['a clear of its definition by another process', ({ there }) => there.item.clear()],
    ['a clear of the cache', ({ here }) => here.cache.clear()],
    ['a clear of the cache by another process', ({ there }) => there.cache.clear()],
  ])('does not outlive %s that came after it', async (_name, change) => {
    const started = await start();
    // The second set knows the versions, the first has to ask for them.
    for (const value of ['first', 'second']) {
      const setting = started.here.item.set(1, value);
      expect(await change(started)).toBe(true);
      for (const gate of started.gates) gate.resolve();
      await setting;
      expect(await read(started, 1)).toEqual([undefined, undefined]);
    }
  });

  test('and that keeps nothing does not undo a later set', async () => {
    const started = await start(0);
    const [first, second] = [started.here.item.set(1, undefined), started.here.item.set(1, 'second')];
    started.gates[0]?.resolve();
    expect(await first).toBe(true);
    started.gates[1]?.resolve();
    expect(await second).toBe(true);
    expect(await read(started, 1)).toEqual(['second', 'second']);
  });
});

test('every call of close resolves when what was on its way has reached Redis and the cache is closed', async () => {
  const cache = await instance();
  const order: string[] = [];
  void cache.set('set', 'x'.repeat(100_000), { tags: ['new'] }).then(() => order.push('set'));
  await Promise.all(['first', 'second', 'third'].map((call) => cache.close().then(() => order.push(call))));
  await cache.close();
  expect(order).toEqual(['set', 'first', 'second', 'third']);
  expect(await client.exists('weir:shop@1:e:{~:set}')).toBe(1);
});

test('a frozen Redis is not sent ever more commands while it answers none', async () => {
  const redis = createFlakyRedis(client);
  const cache = await instance({ redis, l2: { deadlineMs: 5, breakerFailures: 1, breakerOpenMs: 1 } });
  redis.behave('frozen');
  const { commands } = redis;
  for (let id = 0; id < 200; id += 1) {
    await cache.getOrSet(`k${id}`, () => id);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  expect(redis.commands - commands).toBeLessThan(60);
});

test('instances whose clocks are an hour apart agree on what is fresh and what is invalid', async () => {
  const [a, b] = await Promise.all(
    [0, 3_600_000].map((startMs) => instance({ clock: createManualClock(startMs) })),
  );
  await a?.getOrSet('k', () => 1, { ttlMs: 600_000, tags: ['t'] });
  expect(await b?.get('k')).toBe(1);
  await b?.set('other', 2, { ttlMs: 600_000, tags: ['t'] });
  expect(await a?.get('other')).toBe(2);
  await a?.invalidateTags(['t']);
  for (const cache of [a, b]) {
    for (const key of ['k', 'other']) expect(await cache?.get(key)).toBeUndefined();
  }
});

test('a cache that nobody closed does not keep its process alive', async () => {
  const folder = mkdtempSync(join(import.meta.dirname, '../.process-'));
  const file = join(folder, 'main.ts');
  writeFileSync(
    file,
    `import { createCache } from '@weir/cache';
     import { Redis } from 'ioredis';
     const redis = new Redis(process.env.REDIS_URL as string);
     const cache = createCache({ name: 'alive', redis, defaults: { staleWhileRevalidateMs: 60_000 } });
     await cache.ready();
     await cache.getOrSet('k', () => 1);
     void cache.getOrSet('hung', () => new Promise(() => {}));
     await new Promise((resolve) => setTimeout(resolve, 20));
     redis.disconnect();
     console.log('done');`,
  );
  try {
    const env = { ...process.env, REDIS_URL: server.url };
    const stdout = await new Promise<string>((resolve, reject) => {
      execFile(
        process.execPath,
        ['--conditions=@weir/source', file],
        { env, timeout: 20_000 },
        (error, out) => (error === null ? resolve(out) : reject(error)),
      );
    });
    expect(stdout).toBe('done\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
