import { createMetrics } from '@weir/metrics';
import { fastifyMetrics } from '@weir/metrics/fastify';
import { createRateLimiter } from '@weir/ratelimit';
import { fastifyRateLimit } from '@weir/ratelimit/fastify';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Redis } from 'ioredis';
import type { Pool } from 'pg';
import { createShopCaches } from './caches.ts';
import type { ShopConfig } from './config.ts';
import { guardOverload } from './overload.ts';
import { sendProblem, useProblems } from './problem.ts';
import { flawRoutes } from './routes/flaws.ts';
import { healthRoutes } from './routes/health.ts';
import { homeRoutes } from './routes/home.ts';
import { productRoutes } from './routes/products.ts';
import { searchRoutes } from './routes/search.ts';

export interface ShopServerOptions {
  pool: Pool;
  /** Second tier of the cache. */
  redis?: Redis | undefined;
  /** Where limits are counted. Default `redis`. */
  limitsRedis?: Redis | undefined;
  logLevel?: string;
  /** See `ShopConfig`. */
  flaw?: ShopConfig['flaw'];
}

/** Wires the shop; the caller listens, closes it, and only then closes the pool and Redis. */
export async function createShopServer({
  pool,
  redis,
  limitsRedis = redis,
  logLevel,
  flaw,
}: ShopServerOptions): Promise<FastifyInstance> {
  const metrics = createMetrics({ service: 'shop', db: { slowQueryMs: 50 } });
  metrics.instrument(pool, { name: 'shop' });
  metrics.slo({ name: 'pages', objective: 0.99, thresholdMs: 250, routes: ['/products*', '/search'] });
  const health = metrics.health({ checks: { database: () => pool.query('select 1') } });
  const caches = createShopCaches(pool, redis, { ttlMs: flaw === 'uncached' ? 1 : 30_000 });
  const searchLimiter = createRateLimiter({
    name: 'search',
    policies: [{ name: 'per-client', algorithm: 'gcra', limit: 20, windowMs: 10_000, burst: 10 }],
    // A shop that can't count searches still answers them.
    onStoreError: 'open',
    ...(limitsRedis === undefined ? {} : { redis: limitsRedis }),
  });
  // On trial: nobody is refused, and the metrics tell who would be.
  const stockLimiter = createRateLimiter({
    name: 'stock-changes',
    mode: 'shadow',
    policies: [{ name: 'all-clients', algorithm: 'fixed-window', limit: 5, windowMs: 10_000 }],
  });

  const app = Fastify({
    logger: { level: logLevel ?? 'info' },
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, _request, reply) => sendProblem(reply, error.statusCode ?? 500, error.message),
    // The client's address comes from the proxy in front, which runs on this machine.
    trustProxy: 'loopback',
    forceCloseConnections: 'idle',
    bodyLimit: 64 * 1024,
    ajv: { customOptions: { removeAdditional: false } },
  });
  useProblems(app);
  await app.register(fastifyMetrics, { metrics, path: '/metrics' });
  await guardOverload(app);
  await app.register(fastifyRateLimit);
  homeRoutes(app);
  healthRoutes(app, { health });
  productRoutes(app, { pool, caches, stockLimiter });
  searchRoutes(app, { pool, limiter: searchLimiter });
  flawRoutes(app, { pool });
  app.addHook('onClose', async () => {
    await Promise.all([caches.close(), searchLimiter.close(), stockLimiter.close(), metrics.close()]);
  });
  return app;
}
