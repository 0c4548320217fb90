import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import type { ShopConfig } from './config.ts';
import { openDatabase } from './database.ts';
import { ShopError } from './errors.ts';
import { createShopServer } from './server.ts';

export interface Shop {
  readonly url: string;
  readonly port: number;
  /** Stops listening, lets running requests end for at most `graceMs`, then closes what the shop opened. */
  close(graceMs?: number): Promise<void>;
}

/** Starts the whole shop. Throws a `ShopError`, with nothing left open, when it can't. */
export async function startShop(config: ShopConfig): Promise<Shop> {
  const database = await openDatabase(config);
  const redis = config.redisUrl === undefined ? undefined : openRedis(config.redisUrl);
  const limitsRedis = config.limitsRedisUrl === undefined ? redis : openRedis(config.limitsRedisUrl);
  const closeStores = async () => {
    redis?.disconnect();
    limitsRedis?.disconnect();
    await database.close();
  };
  try {
    const { logLevel, flaw } = config;
    const app = await createShopServer({ pool: database.pool, redis, limitsRedis, logLevel, flaw });
    for (const client of new Set([redis, limitsRedis])) {
      client?.on('error', (error: Error) => app.log.warn({ err: error }, 'redis'));
    }
    try {
      await app.listen({ host: config.host, port: config.port });
    } catch (error) {
      await app.close();
      throw error;
    }
    const { port } = app.server.address() as AddressInfo;
    return {
      url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
      port,
      async close(graceMs = 3000) {
        const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
        // A connection whose last answer began before the close would be kept alive.
        const sweep = setInterval(() => app.server.closeIdleConnections(), 20);
        await app.close();
        clearInterval(sweep);
        clearTimeout(cut);
        await closeStores();
      },
    };
  } catch (error) {
    await closeStores();
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new ShopError('ERR_WEIR_SHOP_PORT_IN_USE', String(config.port), '', { cause: error });
  }
}

/** Reconnects forever and fails commands fast meanwhile: the shop works without Redis, only less well. */
function openRedis(url: string): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: true,
    connectTimeout: 2000,
    retryStrategy: (attempt) => Math.min(attempt * 100, 2000),
  });
  redis.on('error', () => {});
  return redis;
}
