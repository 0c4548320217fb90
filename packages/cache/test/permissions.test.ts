/** Redis users with fewer rights, and databases that share a server. */
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Cache, createCache, type RedisOptions } from '../src/index.ts';
import { createFlakyRedis } from '../src/testing.ts';

let server: RedisServer;
let admin: Redis;
const clients: Redis[] = [];
const caches: Cache[] = [];
let warnings: string[] = [];
const onWarning = (warning: Error & { code?: string }) => {
  if (warning.code === 'ERR_WEIR_CACHE_REDIS_REFUSED') warnings.push(warning.message);
};

beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.url);
  process.on('warning', onWarning);
});
afterAll(async () => {
  process.off('warning', onWarning);
  admin.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await admin.flushall();
  warnings = [];
});
afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
  for (const client of clients.splice(0)) client.disconnect();
});

function connect(options: object): Redis {
  const client = new Redis(server.url, options);
  client.on('error', () => {});
  clients.push(client);
  return client;
}

function create(redis: Parameters<typeof createCache>[0]['redis'] & object, l2: RedisOptions = {}): Cache {
  const cache = createCache({ name: 'shop', redis, l2: { deadlineMs: 2_000, ...l2 } });
  caches.push(cache);
  return cache;
}

async function user(...rules: string[]): Promise<Redis> {
  await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>password', '~weir:*', '+@all', ...rules);
  return connect({ username: 'app', password: 'password' });
}

const connections = async () =>
  Number(/total_connections_received:(\d+)/.exec(await admin.info('stats'))?.[1]);

describe('a Redis user', () => {
  test.each([
    ['without channels', ['resetchannels'], {}, { isReady: false, told: [/SUBSCRIBE/, /PUBLISH/] }],
    [
      'without channels, on the bus alone',
      ['resetchannels'],
      { coherence: 'bus' },
      { isReady: false, told: [/SUBSCRIBE/, /PUBLISH/] },
    ],
    [
      'without channels, not coherent',
      ['resetchannels'],
      { coherence: 'none' },
      { isReady: true, told: [/PUBLISH/] },
    ],
    ['with the channels of others', ['&other:*'], {}, { isReady: false, told: [/SUBSCRIBE/, /PUBLISH/] }],
    ['with the channels of the bus alone', ['&weir:*'], {}, { isReady: true, told: [/CLIENT TRACKING/] }],
    ['without CLIENT', ['allchannels', '-client'], {}, { isReady: true, told: [/CLIENT TRACKING/] }],
    [
      'that may only read the channel of tracking',
      ['&weir:*', '&__redis__:invalidate'],
      {},
      { isReady: true, told: [] },
    ],
    ['with all channels', ['allchannels'], {}, { isReady: true, told: [] }],
  ] as const)('%s is served, and told what it lacks', async (_name, rules, l2, { isReady, told }) => {
    const redis = await user(...rules);
    const cache = create(redis, l2);
    expect(await cache.ready()).toBe(isReady);
    await redis.ping();
    const before = await connections();
    for (let round = 0; round < 6; round += 1) {
      expect(await cache.getOrSet('k', () => round, { tags: ['t'] })).toBe(round);
      expect(await cache.getOrSet('k', () => expect.unreachable())).toBe(round);
      expect(await cache.delete('k')).toBe(isReady);
      expect(await cache.getOrSet('k', () => `tagged ${round}`, { tags: ['t'] })).toBe(`tagged ${round}`);
      expect(await cache.invalidateTags(['t'])).toBe(isReady);
    }
    expect(await cache.set('k', 'set')).toBe(isReady);
    expect(await cache.getOrSet('k', () => expect.unreachable())).toBe('set');
    expect(cache.stats().redisErrors).toBe(0);
    expect(await connections()).toBe(before);
    await vi.waitFor(() => expect(warnings).toHaveLength(told.length));
    for (const pattern of told) expect(warnings).toContainEqual(expect.stringMatching(pattern));
  });

  test('is trusted as soon as it is given its channels', async () => {
    const cache = create(await user('resetchannels'));
    expect(await cache.ready()).toBe(false);
    await admin.call('ACL', 'SETUSER', 'app', 'allchannels');
    await vi.waitFor(async () => expect(await cache.ready()).toBe(true), { timeout: 10_000 });
    expect(await cache.delete('k')).toBe(true);
  });

  test.each(['TIME', 'GET', 'SET', 'DEL', 'PTTL', 'GETRANGE'])(
    'that lacks %s, which scripts need, is told so',
    async (command) => {
      const redis = await user('allchannels', `-${command.toLowerCase()}`);
      const [a, b] = [create(redis), create(redis)];
      for (const cache of [a, b]) {
        await cache.ready();
        expect(await cache.getOrSet('k', () => 1, { tags: ['t'] })).toBe(1);
        await cache.set('set', 1, { tags: ['t'] });
      }
      // A change by somebody else, whose stamp is compared.
      await admin.set('weir:shop@1:e:{~:k}', 'x');
      await b.delete('set');
      await vi.waitFor(() =>
        expect(warnings).toContainEqual(expect.stringContaining(`refuses \`${command}\``)),
      );
    },
  );

  test('that may not run scripts is told so', async () => {
    const cache = create(await user('allchannels', '-@scripting'));
    expect(await cache.getOrSet('k', () => 1)).toBe(1);
    await vi.waitFor(() => expect(warnings).toEqual([expect.stringMatching(/NOPERM.*eval/i)]));
  });
});

describe('databases of one server', () => {
  const inL1 = async (cache: Cache, key: string) => {
    const { l1Hits } = cache.stats();
    await cache.get(key);
    return cache.stats().l1Hits > l1Hits;
  };

  test('do not wait for each other', async () => {
    const other = createFlakyRedis(connect({ db: 1 }));
    expect(await create(other).ready()).toBe(true);
    const [a, b] = [create(connect({})), create(connect({ db: 0 }))];
    for (const cache of [a, b]) expect(await cache.ready()).toBe(true);
    other.behave('frozen');
    for (const cache of [a, b]) await cache.getOrSet('k', () => 1, { tags: ['t'] });
    expect(await a.delete('k')).toBe(true);
    expect(await b.get('k')).toBeUndefined();
    expect(await b.invalidateTags(['t'])).toBe(true);
    other.behave('well');
  });

  test('do not empty each other’s memory', async () => {
    const cache = create(connect({}));
    const other = create(connect({ db: 1 }));
    for (const each of [cache, other]) {
      expect(await each.ready()).toBe(true);
      await each.getOrSet('k', () => 1, { tags: ['t'] });
    }
    await other.delete('k');
    await other.invalidateTags(['t']);
    await connect({ db: 1 }).flushdb();
    await vi.waitFor(async () => expect(await inL1(other, 'k')).toBe(false));
    expect(await inL1(cache, 'k')).toBe(true);
    await admin.flushdb();
    await vi.waitFor(async () => expect(await inL1(cache, 'k')).toBe(false));
  });
});
