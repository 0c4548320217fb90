import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCache } from '../src/index.ts';
import { createFlakyRedis, createManualClock, storeContract } from '../src/testing.ts';
import { ioredis, nodeRedis, type TestClient, valkeyGlide } from './clients.ts';

let server: RedisServer;
const clients: Redis[] = [];
const connect = async () => {
  const client = new Redis(server.url);
  clients.push(client);
  return client;
};

beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await server.stop();
});

describe.each([ioredis, nodeRedis, valkeyGlide])('the store contract holds through $library:', (kind) => {
  const opened: TestClient[] = [];
  const connectOne = async () => {
    const client = await kind.connect(server);
    opened.push(client);
    return client.redis;
  };
  afterAll(() => {
    for (const client of opened) client.close();
  });

  test.each(storeContract(connectOne).map((check) => [check.title, check.run] as const))(
    '%s',
    async (_title, run) => {
      await run();
    },
  );
});

describe('a flaky Redis', () => {
  test('that loses the reply of a commit leaves the caller with its value', async () => {
    const redis = createFlakyRedis(await connect());
    const cache = createCache({ name: 'flaky', redis });
    await cache.ready();
    const value = await cache.getOrSet('k', () => {
      redis.loseNextReply();
      return 'value';
    });
    expect(value).toBe('value');
    await cache.close();
    expect(cache.stats().redisErrors).toBe(1);
  });

  test('that fails or freezes costs no read more than the deadline', async () => {
    const redis = createFlakyRedis(await connect());
    const cache = createCache({ name: 'flaky', redis, l2: { deadlineMs: 20 } });
    for (const mode of ['failing', 'frozen', 'well'] as const) {
      redis.behave(mode);
      expect(await cache.getOrSet(mode, () => mode)).toBe(mode);
    }
    await cache.close();
  });
});

test('a manual clock moves forward only', () => {
  const clock = createManualClock(5);
  clock.advance(10);
  expect(clock.now()).toBe(15);
  expect(() => clock.advance(-1)).toThrow(RangeError);
});
