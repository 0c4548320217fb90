import { ipKey, type RateLimiter } from '@weir/ratelimit';
import type { FastifyInstance } from 'fastify';
import type { Pool } from 'pg';
import { searchProducts } from '../products.ts';
import { productSummarySchema } from './product-schemas.ts';

export interface SearchRoutesOptions {
  pool: Pool;
  limiter: RateLimiter;
}

/** `GET /search?q=`, limited for each client's address. */
export function searchRoutes(app: FastifyInstance, { pool, limiter }: SearchRoutesOptions): void {
  app.get<{ Querystring: { q: string } }>(
    '/search',
    {
      config: { rateLimit: { limiter, key: (request) => ipKey(request.ip), cost: 1 } },
      schema: {
        querystring: {
          type: 'object',
          required: ['q'],
          additionalProperties: false,
          properties: { q: { type: 'string', minLength: 1, maxLength: 100 } },
        },
        response: {
          200: {
            type: 'object',
            required: ['products'],
            properties: { products: { type: 'array', items: productSummarySchema } },
          },
        },
      },
    },
    async (request) => ({ products: await searchProducts(pool, request.query.q) }),
  );
}
