import type { FastifyInstance } from 'fastify';

const routes = [
  {
    route: 'GET /products/{id}',
    what: 'a product with its reviews; cached for 30 s, until its stock changes',
  },
  { route: 'PUT /products/{id}/stock', what: 'sets the stock, {"stock": 3}, and deletes the cached page' },
  { route: 'GET /products?category=&page=', what: 'a page of a category; cached for 10 s' },
  {
    route: 'GET /search?q=',
    what: 'full-text search; 20 requests in 10 s for each client, at most 10 at once',
  },
  { route: 'GET /flaws/n-plus-one', what: 'wrong on purpose: one query for each order' },
  {
    route: 'GET /flaws/unindexed?category=',
    what: 'wrong on purpose: reads a whole table a dozen times for want of an index',
  },
  {
    route: 'GET /flaws/holding',
    what: 'wrong on purpose: holds a connection while it waits for something else',
  },
  { route: 'GET /flaws/blocking', what: 'wrong on purpose: blocks the event loop with synchronous hashing' },
  { route: 'GET /healthz', what: 'whether the shop and its database answer' },
  { route: 'GET /metrics', what: 'Prometheus metrics' },
];

/** `GET /`: what there is to ask for. */
export function homeRoutes(app: FastifyInstance): void {
  const schema = {
    response: {
      200: {
        type: 'object',
        required: ['name', 'routes'],
        properties: {
          name: { type: 'string' },
          routes: {
            type: 'array',
            items: {
              type: 'object',
              required: ['route', 'what'],
              properties: { route: { type: 'string' }, what: { type: 'string' } },
            },
          },
        },
      },
    },
  };
  app.get('/', { schema }, async () => ({ name: 'Weir shop', routes }));
}
