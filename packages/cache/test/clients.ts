import { GlideClient, Logger } from '@valkey/valkey-glide';
import { glide, type RedisClient } from '@weir/redis';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

// GLIDE logs the end of a client that was closed as an error.
Logger.setLoggerConfig('off');

/** A client of the caller's, of one library. */
export interface TestClient {
  readonly redis: RedisClient;
  close(): void;
}

/** One client library. */
export interface ClientKind {
  readonly library: string;
  /** Connects to a server on 127.0.0.1. */
  connect(server: { readonly port: number }): Promise<TestClient>;
}

export const ioredis: ClientKind = {
  library: 'ioredis',
  connect: async ({ port }) => {
    const redis = new Redis(port, '127.0.0.1', { retryStrategy: () => 20 });
    redis.on('error', () => {});
    return { redis, close: () => redis.disconnect() };
  },
};

export const nodeRedis: ClientKind = {
  library: 'node-redis',
  connect: async ({ port }) => {
    const redis = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: () => 20 } });
    redis.on('error', () => {});
    await redis.connect();
    return { redis, close: () => redis.destroy() };
  },
};

export const valkeyGlide: ClientKind = {
  library: 'Valkey GLIDE',
  connect: async ({ port }) => {
    const options = { addresses: [{ host: '127.0.0.1', port }] };
    const client = await GlideClient.createClient(options);
    const duplicate = (more: object) => GlideClient.createClient({ ...options, ...more });
    return { redis: glide(client, { duplicate }), close: () => client.close() };
  },
};
