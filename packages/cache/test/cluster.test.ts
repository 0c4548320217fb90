import { type RedisCluster, startRedisCluster } from '@weir/test-kit';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cache, createCache } from '../src/index.ts';

let servers: RedisCluster;
let cluster: Cluster;
let caches: Cache[];

beforeAll(async () => {
  servers = await startRedisCluster(3);
  cluster = new Cluster(servers.nodes);
  caches = [
    createCache({ name: 'shop', redis: cluster, l2: { deadlineMs: 2_000 } }),
    createCache({ name: 'shop', redis: cluster, l2: { deadlineMs: 2_000 } }),
  ];
  await Promise.all(caches.map((cache) => cache.ready(20_000)));
});
afterAll(async () => {
  await Promise.all(caches.map((cache) => cache.close()));
  cluster.disconnect();
  await servers.stop();
});

const ids = Array.from({ length: 60 }, (_, id) => id);
const key = (id: number) => `a}b{${id}`;

test('every operation works on keys of every slot', async () => {
  const [a, b] = caches as [Cache, Cache];
  const one = a.define('item', {
    key,
    loadMany: (args: readonly number[]) => args.map((id) => `v${id}`),
    tags: ['all'],
  });
  const two = b.define('item', { key, load: (id: number) => `other ${id}`, tags: ['all'] });

  expect(await one.getMany(ids)).toEqual(ids.map((id) => `v${id}`));
  expect(await Promise.all(ids.map((id) => two.get(id)))).toEqual(ids.map((id) => `v${id}`));
  expect(b.stats()).toMatchObject({ l2Hits: 60, loads: 0 });
  expect(await Promise.all(ids.map((id) => two.get(id)))).toEqual(ids.map((id) => `v${id}`));
  expect(b.stats()).toMatchObject({ l1Hits: 60 });

  expect(await Promise.all(ids.slice(0, 20).map((id) => one.delete(id)))).toEqual(Array(20).fill(true));
  expect(await Promise.all(ids.slice(0, 20).map((id) => two.peek(id)))).toEqual(Array(20).fill(undefined));
  expect(await one.set(1, 'set')).toBe(true);
  expect(await two.get(1)).toBe('set');

  expect(await b.invalidateTags(['all'])).toBe(true);
  expect(await Promise.all(ids.map((id) => one.peek(id)))).toEqual(Array(60).fill(undefined));
  expect(await one.getMany(ids)).toHaveLength(60);
  expect(await two.clear()).toBe(true);
  expect(await Promise.all(ids.map((id) => one.peek(id)))).toEqual(Array(60).fill(undefined));
  await one.getMany(ids);
  expect(await a.clear()).toBe(true);
  expect(await Promise.all(ids.map((id) => two.peek(id)))).toEqual(Array(60).fill(undefined));
  expect(a.stats().redisErrors + b.stats().redisErrors).toBe(0);
});

test('hundreds of tags are invalidated in one call', async () => {
  const [a, b] = caches as [Cache, Cache];
  const tags = Array.from({ length: 300 }, (_, index) => `tag-${index}`);
  for (const cache of [a, b]) {
    for (const tag of ['tag-0', 'tag-299'])
      expect(await cache.getOrSet(tag, () => 1, { tags: [tag] })).toBe(1);
  }
  await a.getOrSet('all', () => 1, { tags });
  expect(await b.get('all')).toBe(1);
  expect(await a.invalidateTags(tags)).toBe(true);
  for (const cache of [a, b]) {
    for (const key of ['tag-0', 'tag-299', 'all']) expect(await cache.get(key)).toBeUndefined();
  }
});

test('a change by redis-cli on any node evicts L1', async () => {
  const [a] = caches as [Cache];
  for (const id of ids) await a.getOrSet(key(id), () => id);
  for (const id of ids) await cluster.del(`weir:shop@1:e:{~:${key(id)}}`);
  await vi.waitFor(async () =>
    expect(await Promise.all(ids.map((id) => a.get(key(id))))).toEqual(Array(60).fill(undefined)),
  );
});

test('concurrent misses of two instances load once', async () => {
  let loads = 0;
  const reads = caches.flatMap((cache) =>
    ids.map((id) =>
      cache.getOrSet(`once${id}`, async () => {
        loads += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
        return id;
      }),
    ),
  );
  await Promise.all(reads);
  expect(loads).toBe(60);
});
