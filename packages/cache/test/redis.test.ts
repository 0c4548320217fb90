import { decorateLink, linkOf } from '@weir/redis';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Cache, createCache, type RedisClient } from '../src/index.ts';
import { ioredis, nodeRedis, type TestClient } from './clients.ts';

let server: RedisServer;
let redis: Redis;
const open: Cache[] = [];

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
  await Promise.all(open.splice(0).map((cache) => cache.close()));
});

// A loaded machine may give Redis no turn for a while.
function create(client: RedisClient = redis): Cache {
  const cache = createCache({ name: 'shop', redis: client, l2: { deadlineMs: 2_000 } });
  open.push(cache);
  return cache;
}

describe.each([ioredis, nodeRedis])('two processes on one Redis, through $library,', (kind) => {
  let client: TestClient;
  beforeAll(async () => {
    client = await kind.connect(server);
  });
  afterAll(() => client.close());
  const caches = () => [create(client.redis), create(client.redis)] as const;

  test('share what one of them has loaded, and its expiry', async () => {
    const [a, b] = caches();
    expect(await a.getOrSet('k', () => ({ at: new Date(5) }), { ttlMs: 60_000 })).toEqual({
      at: new Date(5),
    });
    expect(await b.getOrSet('k', () => expect.unreachable(), { ttlMs: 60_000 })).toEqual({ at: new Date(5) });
    expect(b.stats()).toMatchObject({ l2Hits: 1, loads: 0 });
    expect(await redis.pttl('weir:shop@1:e:{~:k}')).toBeGreaterThan(50_000);
  });

  test('load once for all their concurrent callers', async () => {
    const [a, b] = caches();
    let loads = 0;
    const gate = Promise.withResolvers<number>();
    const load = () => {
      loads += 1;
      return gate.promise;
    };
    const reads = [a, b].flatMap((cache) => Array.from({ length: 100 }, () => cache.getOrSet('k', load)));
    setTimeout(() => gate.resolve(1), 50);
    expect(new Set(await Promise.all(reads))).toEqual(new Set([1]));
    expect(loads).toBe(1);
  });

  test('keep a load out of Redis when the other deletes the key meanwhile', async () => {
    const [a, b] = caches();
    const gate = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    const early = a.getOrSet('k', () => {
      started.resolve();
      return gate.promise;
    });
    await started.promise;
    expect(await b.delete('k')).toBe(true);
    gate.resolve('old');
    expect(await early).toBe('old');
    expect(await redis.exists('weir:shop@1:e:{~:k}')).toBe(0);
    expect(await a.getOrSet('k', () => 'new')).toBe('new');
    expect(await b.get('k')).toBe('new');
  });

  test('go on when Redis has forgotten the scripts', async () => {
    const [a, b] = caches();
    await a.getOrSet('k', () => 1);
    await redis.script('FLUSH');
    expect(await b.get('k')).toBe(1);
  });
});

describe('an expired value with grace, while another process loads', () => {
  const policy = { ttlMs: 1, graceMs: 600_000 };

  async function expired(client: RedisClient = redis) {
    const [a, b, c] = [create(), create(), create(client)] as const;
    for (const cache of [a, b, c]) {
      expect(await cache.ready()).toBe(true);
      await cache.getOrSet('warm', () => 1);
    }
    await a.set('k', 'old', policy);
    // One of the others has it in memory, expired.
    for (const cache of [a, b]) await vi.waitFor(async () => expect(await cache.get('k')).toBeUndefined());
    const gate = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    const load = () => {
      started.resolve();
      return gate.promise;
    };
    const first = a.getOrSet('k', load, policy);
    await started.promise;
    return { others: [b, c], gate, first };
  }
  const areWaiting = () => vi.waitFor(async () => expect(await redis.strlen('weir:shop@1:l:{~:k}')).toBe(17));

  test('is handed out by nobody: the others wait, and get the new one', async () => {
    const { first, gate, others } = await expired();
    const reads = others.map((cache) => cache.getOrSet('k', () => expect.unreachable(), policy));
    await areWaiting();
    gate.resolve('new');
    expect(await Promise.all([first, ...reads])).toEqual(['new', 'new', 'new']);
  });

  test('stands in everywhere when that load fails, and nobody tries again at once', async () => {
    const { first, gate, others } = await expired();
    const reads = () => others.map((cache) => cache.getOrSet('k', () => expect.unreachable(), policy));
    const waiting = reads();
    await areWaiting();
    gate.reject(new Error('down'));
    expect(await Promise.all([first, ...waiting])).toEqual(['old', 'old', 'old']);
    expect(await Promise.all(reads())).toEqual(['old', 'old']);
  });

  test('stands in after the soft timeout, even if Redis brings it later than that', async () => {
    const isOver = Promise.withResolvers<void>();
    let isHeld = false;
    const late = decorateLink(linkOf(redis), async (send) => {
      const reply = await send();
      if (isHeld) await isOver.promise;
      return reply;
    });
    const { first, gate, others } = await expired(late);
    isHeld = true;
    const read = others[1]?.getOrSet('k', () => expect.unreachable(), { ...policy, softTimeoutMs: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1));
    setTimeout(isOver.resolve, 1);
    expect(await read).toBe('old');
    gate.resolve('new');
    expect(await first).toBe('new');
  });

  test('stands in after the soft timeout', async () => {
    const { first, gate, others } = await expired();
    const reads = others.map((cache) =>
      cache.getOrSet('k', () => expect.unreachable(), { ...policy, softTimeoutMs: 200 }),
    );
    expect(await Promise.all(reads)).toEqual(['old', 'old']);
    gate.resolve('new');
    expect(await first).toBe('new');
  });

  test('does not stand in when it was deleted meanwhile', async () => {
    const { first, gate, others } = await expired();
    const reads = others.map((cache) => cache.getOrSet('k', () => 'own', policy));
    await areWaiting();
    expect(await others[0]?.delete('k')).toBe(true);
    gate.reject(new Error('down'));
    await expect(first).rejects.toThrow('down');
    expect(await Promise.all(reads)).toEqual(['own', 'own']);
  });
});

test('a value within stale-while-revalidate is served at once while another process loads', async () => {
  const [a, b] = [create(), create()];
  for (const cache of [a, b]) expect(await cache.ready()).toBe(true);
  const policy = { ttlMs: 1, staleWhileRevalidateMs: 600_000 };
  await a.set('k', 'old', policy);
  await vi.waitFor(async () => expect(await a.get('k')).toBeUndefined());
  const gate = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  const load = () => {
    started.resolve();
    return gate.promise;
  };
  expect(await a.getOrSet('k', load, policy)).toBe('old');
  await started.promise;
  expect(await b.getOrSet('k', () => expect.unreachable(), policy)).toBe('old');
  gate.resolve('new');
  await Promise.all([a, b].map((cache) => cache.close()));
});

test('leaves the injected client as it found it', async () => {
  const before = redis.listenerCount('error') + redis.listenerCount('ready');
  const cache = createCache({ name: 'shop', redis });
  await cache.getOrSet('k', () => 1);
  await cache.close();
  expect(redis.status).toBe('ready');
  expect(redis.listenerCount('error') + redis.listenerCount('ready')).toBe(before);
});
