import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '@weir/test-kit';
import calculateSlot from 'cluster-key-slot';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRateLimiter, type Decision } from '../src/index.ts';
import { limiterContract } from '../src/testing/index.ts';
import {
  type ClientKind,
  glide,
  ioredis,
  ioredis5,
  ioredisWithOptions,
  nodeRedis,
  type TestClient,
} from './redis-clients.ts';

let server: RedisServer;
let cluster: RedisCluster;

beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startRedisCluster(3)]);
});

afterAll(async () => {
  await Promise.all([server.stop(), cluster.stop()]);
});

describe('in memory', () => {
  for (const { title, run } of limiterContract(createRateLimiter)) test(title, run);
});

/** One algorithm stands for all: they differ in the script, not in how it is sent. */
const isOfGcra = (title: string): boolean => !/^(?!gcra:)\S+:/.test(title);
/** Units that a process holds ahead are gone from Redis: peek sees less by design. */
const holdsWithLeases = (title: string): boolean => /exactly its capacity|names itself/.test(title);

describe.each([
  { kind: ioredis, keeps: () => true },
  { kind: nodeRedis, keeps: () => true },
  { kind: ioredis5, keeps: isOfGcra },
  { kind: ioredisWithOptions, keeps: isOfGcra },
  { kind: glide, keeps: isOfGcra },
  { kind: ioredis, keeps: holdsWithLeases, lease: { units: 4 } },
] as { kind: ClientKind; keeps: (title: string) => boolean; lease?: { units: number } }[])(
  'through $kind.name, lease $lease.units',
  ({ kind, keeps, lease }) => {
    describe.each(['single', 'cluster'] as const)('%s', (topology) => {
      let client: TestClient;
      beforeAll(async () => {
        client = topology === 'single' ? await kind.single(server) : await kind.cluster(cluster);
      });
      afterAll(() => client.close());
      const keyPrefix = `${kind.name.replaceAll(' ', '-')}-${lease?.units}`;
      const more = lease === undefined ? {} : { lease };
      const cases = limiterContract((options) =>
        createRateLimiter({ ...options, ...more, redis: client.redis, deadlineMs: 10_000, keyPrefix }),
      );
      for (const { title, run } of cases.filter((contractCase) => keeps(contractCase.title)))
        test(title, run);
    });
  },
);

/** Valkey GLIDE does not tell which node serves a key: all of its nodes share one breaker. */
describe.each([ioredis, nodeRedis])('a Cluster of which one node is frozen, through $name', (kind) => {
  test('still decides the keys of the other nodes there, and leaves the frozen one alone', async () => {
    const { redis, close } = await kind.cluster(cluster);
    const frozen = cluster.nodes[1] as (typeof cluster.nodes)[number];
    const limiter = createRateLimiter({
      name: `frozen-node-${kind.name}`.replaceAll(' ', '-'),
      redis,
      deadlineMs: 500,
      policies: [{ name: 'p', algorithm: 'fixed-window', limit: 1000, windowMs: 3_600_000 }],
    });
    const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`);
    while (
      (await Promise.all(keys.map((key) => limiter.consume(key)))).some(({ source }) => source !== 'redis')
    );
    // The test kit gives every node an equal share of the slots, in order.
    const share = Math.ceil(16_384 / cluster.nodes.length);
    const isOnFrozen = (key: string): boolean => Math.floor(calculateSlot(`{${key}}`) / share) === 1;
    const ask = (isFrozen: boolean): Promise<Decision[]> =>
      Promise.all(keys.filter((key) => isOnFrozen(key) === isFrozen).map((key) => limiter.consume(key)));
    process.kill(frozen.pid, 'SIGSTOP');
    try {
      expect(new Set((await ask(true)).map(({ source }) => source))).toEqual(new Set(['open']));
      const errors = limiter.stats().redisErrors;
      // Its failures have opened its breaker: no further call waits for it, and those to the others go on.
      const [away, others] = await Promise.all([ask(true), ask(false)]);
      expect(limiter.stats().redisErrors).toBe(errors);
      expect(new Set(away.map(({ source }) => source))).toEqual(new Set(['open']));
      expect(new Set(others.map(({ source }) => source))).toEqual(new Set(['redis']));
    } finally {
      process.kill(frozen.pid, 'SIGCONT');
      close();
    }
  });
});
