import { createMetrics } from '@weir/metrics';
import { fastifyMetrics } from '@weir/metrics/fastify';
import { createRateLimiter } from '@weir/ratelimit';
import { fastifyRateLimit } from '@weir/ratelimit/fastify';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Redis } from 'ioredis';
import type { Pool } from 'pg';
import { createShopCaches } from './caches.ts';
import { shedOverload } from './overload.ts';
import { sendProblem, useProblems } from './problem.ts';
import { flawRoutes } from './routes/flaws.ts';
import { healthRoutes } from './routes/health.ts';
import { homeRoutes } from './routes/home.ts';
import { productRoutes } from './routes/products.ts';
import { searchRoutes } from './routes/search.ts';

export interface ShopServerOptions {
  pool: Pool;
  redis?: Redis | undefined;
  logLevel?: string;
}

/** Wires the shop; the caller listens, closes it, and only then closes the pool and Redis. */
export async function createShopServer({
  pool,
  redis,
  logLevel,
}: ShopServerOptions): Promise<FastifyInstance> {
  const metrics = createMetrics({ service: 'shop', db: { slowQueryMs: 50 } });
  metrics.instrument(pool, { name: 'shop' });
  const caches = createShopCaches(pool, redis);
  const searchLimiter = createRateLimiter({
    name: 'search',
    policies: [{ name: 'per-client', algorithm: 'gcra', limit: 20, windowMs: 10_000, burst: 10 }],
    // A shop that can't count searches still answers them.
    onStoreError: 'open',
    ...(redis === undefined ? {} : { redis }),
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
  shedOverload(app);
  await app.register(fastifyRateLimit);
  homeRoutes(app);
  healthRoutes(app, { pool });
  productRoutes(app, { pool, caches });
  searchRoutes(app, { pool, limiter: searchLimiter });
  flawRoutes(app, { pool });
  app.addHook('onClose', async () => {
    await Promise.all([caches.close(), searchLimiter.close(), metrics.close()]);
  });
  return app;
}
