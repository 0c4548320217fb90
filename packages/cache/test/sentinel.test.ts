import { type RedisSentinel, startRedisSentinel } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cache, createCache } from '../src/index.ts';

let sentinel: RedisSentinel;
const clients: Redis[] = [];
const caches: Cache[] = [];

beforeAll(async () => {
  sentinel = await startRedisSentinel();
  for (let index = 0; index < 2; index += 1) {
    const client = new Redis({
      sentinels: sentinel.sentinels,
      name: sentinel.name,
      sentinelRetryStrategy: () => 50,
      retryStrategy: () => 50,
    });
    client.on('error', () => {});
    clients.push(client);
    const l2 = { deadlineMs: 200, breakerFailures: 3, breakerOpenMs: 100 };
    caches.push(createCache({ name: 'shop', redis: client, l2 }));
  }
  for (const cache of caches) expect(await cache.ready()).toBe(true);
});
afterAll(async () => {
  await Promise.all(caches.map((cache) => cache.close()));
  for (const client of clients) client.disconnect();
  await sentinel.stop();
});

test('a failover in the middle of traffic fails no read, and leaves the instances coherent on the new master', async () => {
  const [a, b] = caches as [Cache, Cache];
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  const versions = new Map<string, number>();
  const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
  const read = (cache: Cache, key: string) => cache.getOrSet(key, async () => versions.get(key) ?? 0);
  const update = (cache: Cache, key: string) => {
    versions.set(key, (versions.get(key) ?? 0) + 1);
    return cache.delete(key);
  };
  let isOver = false;
  let reads = 0;
  let failures = 0;
  const lane = async (cache: Cache, start: number) => {
    for (let index = start; !isOver; index += 1) {
      const key = keys[index % keys.length] as string;
      await (index % 10 === 0 ? update(cache, key) : read(cache, key)).catch(() => {
        failures += 1;
      });
      reads += 1;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const lanes = [lane(a, 0), lane(b, 5), lane(a, 10), lane(b, 15)];
  const before = await sentinel.master();
  await sentinel.failover();
  expect(await sentinel.master()).not.toEqual(before);
  await vi.waitFor(async () => expect(await a.delete('probe')).toBe(true), { timeout: 20_000 });
  isOver = true;
  await Promise.all(lanes);
  expect(reads).toBeGreaterThan(100);
  expect(failures).toBe(0);

  // The subscribers stand on the new master: a resolved delete is gone from the other's memory.
  for (const cache of caches) expect(await cache.ready(20_000)).toBe(true);
  for (const key of keys) {
    for (const cache of caches) await read(cache, key);
    await vi.waitFor(async () => expect(await update(a, key)).toBe(true), { timeout: 10_000 });
    for (const cache of caches) expect(await read(cache, key)).toBe(versions.get(key));
  }
  // And so are changes that come from elsewhere.
  const { host, port } = await sentinel.master();
  const operator = new Redis({ host, port });
  expect(await b.getOrSet('outside', () => 1)).toBe(1);
  await operator.del('weir:shop@1:e:{~:outside}');
  await vi.waitFor(async () => expect(await b.get('outside')).toBeUndefined());
  operator.disconnect();
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});
