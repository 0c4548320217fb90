import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '@weir/test-kit';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRateLimiter, type Decision } from '../src/index.ts';
import { slotOf } from '../src/stores/redis-nodes.ts';
import { limiterContract } from '../src/testing/index.ts';

let server: RedisServer;
let redis: Redis;
let cluster: RedisCluster;
let clustered: Cluster;
let pipelining: Redis;
let pipeliningCluster: Cluster;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  cluster = await startRedisCluster(3);
  clustered = new Cluster(cluster.nodes);
  pipelining = new Redis(server.url, { enableAutoPipelining: true, keyPrefix: 'prefix:' });
  pipeliningCluster = new Cluster(cluster.nodes, { enableAutoPipelining: true });
});

afterAll(async () => {
  for (const client of [redis, clustered, pipelining, pipeliningCluster]) client.disconnect();
  await server.stop();
  await cluster.stop();
});

describe('in memory', () => {
  for (const { title, run } of limiterContract(createRateLimiter)) test(title, run);
});

describe('on Redis', () => {
  const cases = limiterContract((options) => createRateLimiter({ ...options, redis, deadlineMs: 10_000 }));
  for (const { title, run } of cases) test(title, run);
});

describe('on Redis with leases', () => {
  const lease = { units: 4 };
  const cases = limiterContract((options) =>
    createRateLimiter({ ...options, redis, deadlineMs: 10_000, keyPrefix: 'leased', lease }),
  );
  // Units that a process holds ahead are gone from Redis: peek sees less by design.
  for (const { title, run } of cases.filter((contractCase) =>
    /exactly its capacity|names itself/.test(contractCase.title),
  )) {
    test(title, run);
  }
});

describe('on Redis Cluster', () => {
  const cases = limiterContract((options) =>
    createRateLimiter({ ...options, redis: clustered, deadlineMs: 10_000 }),
  );
  for (const { title, run } of cases) test(title, run);
});

describe('through a client that pipelines by itself', () => {
  const stores = { Redis: () => pipelining, 'Redis Cluster': () => pipeliningCluster };
  for (const [name, client] of Object.entries(stores)) {
    const cases = limiterContract((options) =>
      createRateLimiter({ ...options, redis: client(), deadlineMs: 10_000, keyPrefix: 'pipelined' }),
    );
    // One algorithm stands for all: they differ in the script, not in how it is sent.
    for (const { title, run } of cases.filter((contractCase) => !/^(?!gcra:)\S+:/.test(contractCase.title)))
      test(`${name}: ${title}`, run);
  }
});

describe('a Cluster of which one node is frozen', () => {
  const nodeOf = (key: string): string | undefined => clustered.slots[slotOf(`{${key}}`)]?.[0];

  test('still decides the keys of the other nodes there, and leaves the frozen one alone', async () => {
    const frozen = cluster.nodes[1] as (typeof cluster.nodes)[number];
    const limiter = createRateLimiter({
      name: 'frozen-node',
      redis: clustered,
      deadlineMs: 500,
      policies: [{ name: 'p', algorithm: 'fixed-window', limit: 1000, windowMs: 3_600_000 }],
    });
    const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`);
    while (
      (await Promise.all(keys.map((key) => limiter.consume(key)))).some(({ source }) => source !== 'redis')
    );
    process.kill(frozen.pid, 'SIGSTOP');
    try {
      const ask = (isFrozen: boolean): Promise<Decision[]> =>
        Promise.all(
          keys
            .filter((key) => (nodeOf(key) === `${frozen.host}:${frozen.port}`) === isFrozen)
            .map((key) => limiter.consume(key)),
        );
      expect(new Set((await ask(true)).map(({ source }) => source))).toEqual(new Set(['open']));
      const errors = limiter.stats().redisErrors;
      // Its failures have opened its breaker: no further call waits for it, and those to the others go on.
      const [away, others] = await Promise.all([ask(true), ask(false)]);
      expect(limiter.stats().redisErrors).toBe(errors);
      expect(new Set(away.map(({ source }) => source))).toEqual(new Set(['open']));
      expect(new Set(others.map(({ source }) => source))).toEqual(new Set(['redis']));
    } finally {
      process.kill(frozen.pid, 'SIGCONT');
    }
  });

  test('slots are those that Redis computes', async () => {
    for (const key of ['a', '', '{user}:1', 'x{}y', 'x{{a}}', 'ключ{é}', '}{', `${'k'.repeat(300)}`])
      expect([key, slotOf(key)]).toEqual([key, await clustered.cluster('KEYSLOT', key)]);
  });
});
