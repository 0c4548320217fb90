/** The caches under measurement behind one interface, each set up as its own documentation advises. */
import type { Cache as CachifiedCache } from '@epic-web/cachified';
import { createCache } from '@weir/cache';
import { Redis } from 'ioredis';

/** One cache. A subject keeps at least `size` entries for `ttlMs`. */
export interface Subject {
  readonly name: string;
  read(key: string, load: () => Promise<unknown>): Promise<unknown>;
  remove(key: string): Promise<unknown>;
  /** Resolves when Redis has taken what reads that have resolved still owe it; absent where they owe nothing. */
  drain?(): Promise<unknown>;
  close(): Promise<unknown>;
}

export interface SubjectOptions {
  readonly ttlMs: number;
  readonly size: number;
  /** Absent: memory only. */
  readonly redisUrl?: string;
  /** How long Weir may take for a Redis operation and for the answers of other instances. Default: its own. */
  readonly deadlineMs?: number;
}

type Make = (options: SubjectOptions) => Promise<Subject>;

function connect(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => 50 });
  redis.on('error', () => {});
  return redis;
}

const makers: Readonly<Record<string, Make>> = {
  weir: async ({ deadlineMs, redisUrl, size, ttlMs }) => {
    const redis = redisUrl === undefined ? undefined : connect(redisUrl);
    const l2 = deadlineMs === undefined ? {} : { deadlineMs };
    const cache = createCache({ name: 'peers', l1: { maxEntries: size }, l2, ...(redis && { redis }) });
    await cache.ready();
    const options = { ttlMs };
    return {
      name: 'weir',
      read: (key, load) => cache.getOrSet(key, load, options),
      remove: (key) => cache.delete(key),
      // Replies come in the order of commands.
      ...(redis && { drain: () => redis.ping() }),
      close: async () => {
        await cache.close();
        redis?.disconnect();
      },
    };
  },
  bentocache: async ({ redisUrl, size, ttlMs }) => {
    const { BentoCache, bentostore } = await import('bentocache');
    const { memoryDriver } = await import('bentocache/drivers/memory');
    const { redisBusDriver, redisDriver } = await import('bentocache/drivers/redis');
    let store = bentostore().useL1Layer(
      memoryDriver({ maxItems: size, ...(redisUrl === undefined && { serialize: false }) }),
    );
    if (redisUrl !== undefined) {
      const { hostname, port } = new URL(redisUrl);
      // Its bus does not understand ioredis 6 in RESP3.
      const connection = {
        host: hostname,
        port: Number(port),
        protocol: 2,
        retryStrategy: () => 50,
      } as never;
      store = store.useL2Layer(redisDriver({ connection })).useBus(redisBusDriver({ connection }));
    }
    const bento = new BentoCache({ default: 'main', stores: { main: store } });
    return {
      name: 'bentocache',
      read: (key, load) => bento.getOrSet({ key, factory: load, ttl: ttlMs }),
      remove: (key) => bento.delete({ key }),
      close: () => bento.disconnectAll(),
    };
  },
  cacheable: async ({ redisUrl, ttlMs }) => {
    const { Cacheable } = await import('cacheable');
    const { default: KeyvRedis } = await import('@keyv/redis');
    const cache = new Cacheable({
      ttl: ttlMs,
      ...(redisUrl !== undefined && { secondary: new KeyvRedis(redisUrl) as never }),
    });
    cache.on('error', () => {});
    return {
      name: 'cacheable',
      read: (key, load) => cache.getOrSet(key, load, { ttl: ttlMs }),
      remove: (key) => cache.delete(key),
      close: () => cache.disconnect(),
    };
  },
  'cache-manager': async ({ redisUrl, size, ttlMs }) => {
    const { createCache: createCacheManager } = await import('cache-manager');
    const { Keyv, KeyvCacheableMemory } = await import('cacheable');
    const { default: KeyvRedis } = await import('@keyv/redis');
    const stores = [new Keyv({ store: new KeyvCacheableMemory({ ttl: ttlMs, lruSize: size }) as never })];
    if (redisUrl !== undefined) stores.push(new Keyv({ store: new KeyvRedis(redisUrl) as never }));
    for (const store of stores) store.on('error', () => {});
    const cache = createCacheManager({ stores: stores as never });
    return {
      name: 'cache-manager',
      read: (key, load) => cache.wrap(key, load, ttlMs),
      remove: (key) => cache.del(key),
      close: () => cache.disconnect(),
    };
  },
  'async-cache-dedupe': async ({ redisUrl, size, ttlMs }) => {
    const { createCache: createDedupe } = await import('async-cache-dedupe');
    const client = redisUrl === undefined ? undefined : connect(redisUrl);
    const storage =
      client === undefined
        ? ({ type: 'memory', options: { size } } as const)
        : ({ type: 'redis', options: { client: client as never } } as const);
    const loads = new Map<string, () => Promise<unknown>>();
    const cache = createDedupe({ ttl: Math.ceil(ttlMs / 1000), storage }).define('read', {}, (key: string) =>
      (loads.get(key) as () => Promise<unknown>)(),
    );
    return {
      name: 'async-cache-dedupe',
      read: (key, load) => {
        loads.set(key, load);
        return cache.read(key);
      },
      remove: (key) => cache.clear('read', key),
      close: async () => client?.disconnect(),
    };
  },
  'lru-cache fetch': async ({ size, ttlMs }) => {
    const { LRUCache } = await import('lru-cache');
    const cache = new LRUCache<string, object, { load: () => Promise<unknown> }>({
      max: size,
      ttl: ttlMs,
      fetchMethod: async (_key, _stale, { context }) => (await context.load()) as object,
    });
    return {
      name: 'lru-cache fetch',
      read: (key, load) => cache.fetch(key, { context: { load } }),
      remove: async (key) => cache.delete(key),
      close: async () => cache.clear(),
    };
  },
  cachified: async ({ size, ttlMs }) => {
    const { cachified } = await import('@epic-web/cachified');
    const { LRUCache } = await import('lru-cache');
    const cache = new LRUCache<string, never>({ max: size }) as unknown as CachifiedCache;
    return {
      name: 'cachified',
      read: (key, load) => cachified({ key, cache, getFreshValue: load, ttl: ttlMs }),
      remove: async (key) => cache.delete(key),
      close: async () => {},
    };
  },
};

/** Subjects that have a memory tier and those that also have a shared one. */
export const memorySubjects: readonly string[] = Object.keys(makers);
export const redisSubjects: readonly string[] = [
  'weir',
  'bentocache',
  'cacheable',
  'cache-manager',
  'async-cache-dedupe',
];

export function createSubject(name: string, options: SubjectOptions): Promise<Subject> {
  return (makers[name] as Make)(options);
}
