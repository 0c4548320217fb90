import type { RateLimiter } from '@weir/ratelimit';
import type { FastifyInstance } from 'fastify';
import type { Pool } from 'pg';
import type { ShopCaches } from '../caches.ts';
import { sendProblem } from '../problem.ts';
import { setStock } from '../products.ts';
import { productListSchema, productPageSchema, productParamsSchema } from './product-schemas.ts';

export interface ProductRoutesOptions {
  pool: Pool;
  caches: ShopCaches;
  stockLimiter: RateLimiter;
}

/** `GET /products/:id`, `GET /products` and `PUT /products/:id/stock`. */
export function productRoutes(
  app: FastifyInstance,
  { pool, caches, stockLimiter }: ProductRoutesOptions,
): void {
  app.get<{ Params: { id: number } }>(
    '/products/:id',
    { schema: { params: productParamsSchema, response: { 200: productPageSchema } } },
    async (request, reply) => {
      const { id } = request.params;
      return (await caches.productPage.get(id)) ?? sendProblem(reply, 404, `There is no product ${id}.`);
    },
  );

  const querystring = {
    type: 'object',
    additionalProperties: false,
    properties: {
      category: { type: 'string', pattern: '^[a-z]{1,40}$' },
      page: { type: 'integer', minimum: 1, maximum: 1000, default: 1 },
    },
  };
  app.get<{ Querystring: { category?: string; page: number } }>(
    '/products',
    { schema: { querystring, response: { 200: productListSchema } } },
    async (request) => {
      const { category, page } = request.query;
      return await caches.productList.get({ category: category ?? null, page });
    },
  );

  const body = {
    type: 'object',
    required: ['stock'],
    additionalProperties: false,
    properties: { stock: { type: 'integer', minimum: 0, maximum: 1_000_000 } },
  };
  app.put<{ Params: { id: number }; Body: { stock: number } }>(
    '/products/:id/stock',
    {
      config: { rateLimit: { limiter: stockLimiter, key: () => 'all', cost: 1 } },
      schema: { params: productParamsSchema, body },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!(await setStock(pool, id, request.body.stock)))
        return sendProblem(reply, 404, `There is no product ${id}.`);
      // After the write: a reader that comes later never sees the old stock.
      await caches.productPage.delete(id);
      return reply.code(204).send();
    },
  );
}
