import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Cache, createCache, type RedisClient } from '../src/index.ts';
import { type ClientKind, ioredis, nodeRedis } from './clients.ts';

let server: RedisServer;
let clients: Redis[];
let closings: (() => void)[];
let caches: Cache[];
const unhandled = vi.fn();

beforeEach(async () => {
  server = await startRedis();
  clients = [];
  closings = [];
  caches = [];
  unhandled.mockClear();
  process.on('unhandledRejection', unhandled);
});
afterEach(async () => {
  await Promise.all(caches.map((cache) => cache.close()));
  for (const client of clients) client.disconnect();
  for (const close of closings) close();
  await server.stop();
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

async function connect(kind: ClientKind): Promise<RedisClient> {
  const { close, redis } = await kind.connect(server);
  closings.push(close);
  return redis;
}

async function instance(deadlineMs = 200, kind: ClientKind = ioredis): Promise<Cache> {
  const client = await connect(kind);
  if (kind === ioredis) clients.push(client as Redis);
  const l2 = { deadlineMs, breakerFailures: 3, breakerOpenMs: 50, leaseMs: 300 };
  const cache = createCache({ name: 'shop', redis: client, l2 });
  caches.push(cache);
  expect(await cache.ready()).toBe(true);
  return cache;
}

const faults = [
  { fault: 'frozen', breakIt: () => server.pause(), repair: () => server.resume() },
  {
    fault: 'killed',
    breakIt: () => server.kill(),
    repair: async () => {
      server = await startRedis({ port: server.port });
    },
  },
];

describe.each(
  [ioredis, nodeRedis].flatMap((kind) => faults.map((fault) => ({ kind, library: kind.library, ...fault }))),
)('a $fault Redis, through $library,', ({ breakIt, kind, repair }) => {
  let admin: Redis;
  beforeEach(async () => {
    admin = new Redis(server.url, { retryStrategy: () => 20 });
    admin.on('error', () => {});
    clients.push(admin);
  });

  test('stalls no read beyond the deadline, opens the breaker, and is used again by itself', async () => {
    const cache = await instance(200, kind);
    await cache.getOrSet('warm', () => 'warm');
    await breakIt();
    for (let id = 0; id < 10; id += 1) expect(await cache.getOrSet(`k${id}`, () => id)).toBe(id);
    const { redisErrors } = cache.stats();
    for (let id = 0; id < 100; id += 1) expect(await cache.getOrSet(`more${id}`, () => id)).toBe(id);
    expect(cache.stats().redisErrors - redisErrors).toBeLessThan(20);
    expect(await cache.getOrSet('warm', () => expect.unreachable())).toBe('warm');
    await repair();
    await vi.waitFor(
      async () => {
        await cache.getOrSet(`again${Math.random()}`, () => 1);
        expect(await admin.keys('*again*')).not.toEqual([]);
      },
      { timeout: 10_000, interval: 20 },
    );
  });

  test('is told of a delete as soon as it answers, and nobody sees the old value then', async () => {
    const [a, b] = [await instance(200, kind), await instance(200, kind)];
    await a.getOrSet('k', () => 'old');
    await b.getOrSet('k', () => expect.unreachable());
    await breakIt();
    expect(await a.delete('k')).toBe(false);
    expect(await a.getOrSet('k', () => 'new')).toBe('new');
    await repair();
    await vi.waitFor(async () => expect(await b.get('k')).not.toBe('old'), { timeout: 10_000, interval: 20 });
    await vi.waitFor(async () => expect(await a.delete('k')).toBe(true), { timeout: 10_000, interval: 20 });
    expect(await b.getOrSet('k', () => 'newer')).toBe('newer');
  });
});

describe.each([true, false])(
  'a client with autoResendUnfulfilledCommands %s',
  (autoResendUnfulfilledCommands) => {
    test('is used again after an outage, whatever was on its way when the connection broke', async () => {
      const client = new Redis(server.url, { autoResendUnfulfilledCommands, retryStrategy: () => 20 });
      client.on('error', () => {});
      clients.push(client);
      const cache = createCache({ name: 'shop', redis: client, l2: { deadlineMs: 20, breakerOpenMs: 5 } });
      caches.push(cache);
      await cache.getOrSet('warm', () => 1);
      server.pause();
      // As many as are sent to a Redis that answers none.
      await vi.waitFor(
        async () => {
          const { redisErrors } = cache.stats();
          await cache.getOrSet(`frozen${Math.random()}`, () => 1);
          await new Promise(setImmediate);
          expect(redisErrors).toBeGreaterThanOrEqual(16);
        },
        { timeout: 10_000, interval: 5 },
      );
      await server.kill();
      server = await startRedis({ port: server.port });
      await vi.waitFor(() => expect(client.status).toBe('ready'), { timeout: 10_000 });
      await vi.waitFor(
        async () => {
          await cache.getOrSet(`again${Math.random()}`, () => 1);
          expect(await client.keys('*again*')).not.toEqual([]);
        },
        { timeout: 10_000, interval: 20 },
      );
    });
  },
);

test('a Redis that never answered holds nobody up', async () => {
  await server.kill();
  const client = new Redis(server.url, { retryStrategy: () => 20 });
  client.on('error', () => {});
  clients.push(client);
  const cache = createCache({ name: 'shop', redis: client, l2: { deadlineMs: 30 } });
  caches.push(cache);
  expect(await cache.getOrSet('k', () => 1)).toBe(1);
  expect(await cache.getOrSet('k', () => 2)).toBe(1);
  expect(await cache.delete('k')).toBe(false);
  expect(await cache.getOrSet('k', () => 3)).toBe(3);
  expect(await cache.invalidateTags(['t'])).toBe(false);
});

test('the lease of a process that died is granted to the next within the lease time', async () => {
  const [a, b] = [await instance(5_000), await instance(5_000)];
  const started = Promise.withResolvers<void>();
  a.getOrSet('k', () => {
    started.resolve();
    return new Promise<string>(() => {});
  }).catch(() => {});
  await started.promise;
  clients[0]?.disconnect();
  expect(await b.getOrSet('k', () => 'second')).toBe('second');
});

test('a load that outlives its lease keeps it, so that nobody loads beside it', async () => {
  const [a, b] = [await instance(5_000), await instance(5_000)];
  const gate = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  const first = a.getOrSet('k', () => {
    started.resolve();
    return gate.promise;
  });
  await started.promise;
  setTimeout(() => gate.resolve('long'), 700);
  expect(await b.getOrSet('k', () => 'beside')).toBe('long');
  expect(await first).toBe('long');
});

test('bytes nobody can decode are a miss, and the next load replaces them', async () => {
  const cache = await instance(5_000);
  await clients[0]?.set('weir:shop@1:e:{~:k}', 'garbage');
  expect(await cache.getOrSet('k', () => 1)).toBe(1);
  expect((await clients[0]?.strlen('weir:shop@1:e:{~:k}')) ?? 0).toBeGreaterThan(50);
});

test('when more deletes fail than are remembered, the whole cache is cleared on recovery', async () => {
  const client = new Redis(server.url, { retryStrategy: () => 20 });
  client.on('error', () => {});
  clients.push(client);
  const l2 = { deadlineMs: 200, breakerFailures: 2, breakerOpenMs: 50, recoveryMax: 2 };
  const a = createCache({ name: 'shop', redis: client, l2 });
  caches.push(a);
  const b = await instance();
  await a.ready();
  for (const key of ['a', 'b', 'c', 'd']) await b.getOrSet(key, () => 'old');
  server.pause();
  for (const key of ['a', 'b', 'c']) expect(await a.delete(key)).toBe(false);
  server.resume();
  await vi.waitFor(async () => expect(await b.get('d')).toBeUndefined(), { timeout: 10_000, interval: 20 });
});
