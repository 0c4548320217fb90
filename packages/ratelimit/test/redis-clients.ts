import { GlideClient, GlideClusterClient } from '@valkey/valkey-glide';
import type { RedisCluster, RedisServer } from '@weir/test-kit';
import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5';
import { createClient, createCluster } from 'redis';
import type { RateLimiterOptions } from '../src/index.ts';

/** A client under test, which reconnects quickly. */
export interface TestClient {
  readonly redis: NonNullable<RateLimiterOptions['redis']>;
  close(): void;
}

/** How one library connects: to a server, and to a cluster. */
export interface ClientKind {
  readonly name: string;
  single(
    server: Pick<RedisServer, 'port'>,
    login?: { username: string; password: string },
  ): Promise<TestClient>;
  cluster(cluster: RedisCluster): Promise<TestClient>;
}

type IoredisOptions = { keyPrefix?: string; enableAutoPipelining?: boolean; stringNumbers?: boolean };

function ioredisKind(
  name: string,
  library: { Redis: typeof Redis | typeof Redis5; Cluster: typeof Cluster | typeof Cluster5 },
  options: IoredisOptions = {},
): ClientKind {
  const OwnRedis = library.Redis as typeof Redis;
  const OwnCluster = library.Cluster as typeof Cluster;
  return {
    name,
    single: async ({ port }, login) => {
      const redis = quiet(new OwnRedis(port, '127.0.0.1', { retryStrategy: () => 10, ...options, ...login }));
      return { redis, close: () => redis.disconnect() };
    },
    cluster: async ({ nodes }) => {
      const redis = quiet(new OwnCluster(nodes, { ...options, redisOptions: options }));
      return { redis, close: () => redis.disconnect() };
    },
  };
}

export const ioredis: ClientKind = ioredisKind('ioredis 6', { Redis, Cluster });

export const ioredis5: ClientKind = ioredisKind('ioredis 5', { Redis: Redis5, Cluster: Cluster5 });

/** The options of ioredis that change how it sends commands or reads replies. */
export const ioredisWithOptions: ClientKind = ioredisKind(
  'ioredis 6 with enableAutoPipelining, stringNumbers and keyPrefix',
  { Redis, Cluster },
  { enableAutoPipelining: true, stringNumbers: true, keyPrefix: 'prefix:' },
);

export const nodeRedis: ClientKind = {
  name: 'node-redis',
  single: async ({ port }, login) => {
    const socket = { host: '127.0.0.1', port, reconnectStrategy: () => 10 };
    const redis = quiet(createClient({ socket, ...login }));
    await redis.connect();
    return { redis, close: () => redis.destroy() };
  },
  cluster: async ({ nodes }) => {
    const redis = quiet(createCluster({ rootNodes: nodes.map((socket) => ({ socket })) }));
    await redis.connect();
    return { redis, close: () => redis.destroy() };
  },
};

export const glide: ClientKind = {
  name: 'Valkey GLIDE',
  single: async ({ port }, login) => {
    const addresses = [{ host: '127.0.0.1', port }];
    const redis = await GlideClient.createClient(
      login === undefined ? { addresses } : { addresses, credentials: login },
    );
    return { redis, close: () => redis.close() };
  },
  cluster: async ({ nodes }) => {
    const addresses = nodes.map(({ host, port }) => ({ host, port }));
    const redis = await GlideClusterClient.createClient({ addresses });
    return { redis, close: () => redis.close() };
  },
};

function quiet<Client extends { on(event: 'error', listener: () => void): unknown }>(client: Client): Client {
  client.on('error', () => {});
  return client;
}
