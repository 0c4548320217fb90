import { type RedisCluster, startRedis, startRedisCluster } from '@weir/test-kit';
import { Cluster, Redis } from 'ioredis';
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

test.each([
  ['connected', {}, true],
  ['not connected yet', {}, false],
  ['with a key prefix', { keyPrefix: 'app:' }, true],
])('clients with automatic pipelining work as others: %s', async (_name, options, isConnected) => {
  const [node] = servers.nodes;
  const single = await startRedis();
  const clients = [
    new Redis(single.url, { enableAutoPipelining: true, ...options }),
    new Cluster([node as { host: string; port: number }], { enableAutoPipelining: true, ...options }),
  ];
  for (const redis of clients) {
    if (isConnected) await redis.ping();
    const [a, b] = [0, 1].map(() =>
      createCache({
        name: `auto${String(isConnected)}${Object.keys(options).length}`,
        redis,
        l2: { deadlineMs: 2_000 },
      }),
    );
    const keys = ['a', 'b', 'c'];
    const read = (cache: Cache | undefined, value: string) =>
      Promise.all(keys.map((key) => cache?.getOrSet(key, () => value, { tags: ['t'] })));
    expect(await read(a, 'first')).toEqual(Array(3).fill('first'));
    for (const cache of [a, b]) expect(await cache?.ready()).toBe(true);
    await vi.waitFor(async () =>
      expect(await Promise.all(keys.map((key) => b?.get(key)))).toEqual(Array(3).fill('first')),
    );
    expect(await a?.delete('a')).toBe(true);
    expect(await a?.set('b', 'set')).toBe(true);
    expect(await Promise.all(keys.map((key) => b?.get(key)))).toEqual([undefined, 'set', 'first']);
    expect(await a?.invalidateTags(['t'])).toBe(true);
    expect(await b?.get('c')).toBeUndefined();
    expect((a?.stats().redisErrors ?? 0) + (b?.stats().redisErrors ?? 0)).toBe(0);
    for (const cache of [a, b]) await cache?.close();
    redis.disconnect();
  }
  await single.stop();
});

test('a cluster client that connects by its first command is connected by `ready`', async () => {
  const redis = new Cluster(servers.nodes, { lazyConnect: true });
  const cache = createCache({ name: 'lazy', redis, l2: { deadlineMs: 2_000 } });
  expect(redis.status).toBe('wait');
  expect(await cache.ready(20_000)).toBe(true);
  await cache.close();
  redis.disconnect();
});

// The last test: the cluster is not whole after it.
test('one lost node costs the keys of that node alone, though it keeps the versions of all', async () => {
  const spread = (id: number) => `k${id}`;
  const nodes = servers.nodes.map(({ host, port }) => new Redis(port, host));
  for (const node of nodes) {
    node.on('error', () => {});
    await node.config('SET', 'cluster-require-full-coverage', 'no');
  }
  const clients: Cluster[] = [];
  const create = async (timeoutMs: number) => {
    const redis = new Cluster(servers.nodes);
    redis.on('error', () => {});
    clients.push(redis);
    const cache = createCache({ name: 'lost', redis, l1: { maxEntries: 1 }, l2: { deadlineMs: 200 } });
    caches.push(cache);
    await cache.ready(timeoutMs);
    return cache;
  };
  const [a, b] = [await create(20_000), await create(20_000)];
  await Promise.all(ids.map((id) => a.getOrSet(spread(id), () => id, { ttlMs: 3_600_000 })));
  const kept = () => Promise.all(nodes.map((node) => node.keys('weir:lost@1:*')));
  await vi.waitFor(async () =>
    expect((await kept()).flat().filter((name) => name.includes('@1:e:'))).toHaveLength(60),
  );
  const names = await kept();
  const dead = names.findIndex((some) => some.includes('weir:lost@1:t:{n~}'));
  const up = ids.filter((id) => !names[dead]?.includes(`weir:lost@1:e:{~:${spread(id)}}`));
  expect(up.length).toBeGreaterThan(0);
  process.kill(servers.nodes[dead]?.pid as number, 'SIGKILL');

  const read = (cache: Cache) =>
    Promise.all(up.map((id) => cache.getOrSet(spread(id), () => 'loaded', { ttlMs: 3_600_000 })));
  // As soon as the breaker of the lost node is open.
  for (const cache of [a, b])
    await vi.waitFor(async () => expect(await read(cache)).toEqual(up), { timeout: 20_000 });

  // What is loaded meanwhile is kept for all as well.
  const options = { ttlMs: 3_600_000 };
  const more = ids.map((id) => id + 100);
  await Promise.all(more.map((id) => a.getOrSet(spread(id), () => id, options)));
  const alive = nodes.filter((_, index) => index !== dead);
  const moreKept = await vi.waitFor(async () => {
    const keys = (await Promise.all(alive.map((node) => node.keys('weir:lost@1:e:*')))).flat();
    const found = more.filter((id) => keys.includes(`weir:lost@1:e:{~:${spread(id)}}`));
    expect(found.length).toBeGreaterThan(20);
    return found;
  });
  expect(await Promise.all(moreKept.map((id) => b.getOrSet(spread(id), () => 'loaded', options)))).toEqual(
    moreKept,
  );

  // A change that is owed to the lost node concerns its own key alone.
  const lost = ids.find((id) => !up.includes(id)) as number;
  expect(await b.delete(spread(lost))).toBe(false);
  expect(await Promise.all(up.map((id) => b.get(spread(id))))).toEqual(up);

  // What it cannot know it loads: a process that starts now, and one whose own clear is owed to the lost node.
  const late = await create(0);
  expect(await late.getOrSet(spread(up[0] as number), () => 'loaded')).toBe('loaded');
  expect(await b.clear()).toBe(false);
  expect(await read(b)).toEqual(up.map(() => 'loaded'));
  expect(await read(a)).toEqual(up);
  for (const client of [...clients, ...nodes]) client.disconnect();
}, 60_000);
