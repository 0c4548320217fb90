import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '@weir/test-kit';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { createRateLimiter } from '../src/index.ts';
import { limiterContract } from '../src/testing/index.ts';

let server: RedisServer;
let redis: Redis;
let cluster: RedisCluster;
let clustered: Cluster;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  cluster = await startRedisCluster(3);
  clustered = new Cluster(cluster.nodes);
});

afterAll(async () => {
  redis.disconnect();
  clustered.disconnect();
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
