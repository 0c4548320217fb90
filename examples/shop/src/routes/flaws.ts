import { scryptSync } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Pool } from 'pg';
import { latestOrdersOneByOne, stockOverOpenTransaction, timesSold } from '../orders.ts';

const ordersOnPage = 25;
const heldMs = 400;

const flawSchema = {
  type: 'object',
  required: ['name', 'what', 'repair'],
  properties: { name: { type: 'string' }, what: { type: 'string' }, repair: { type: 'string' } },
};

/** Routes that are slow on purpose, so that the metrics have something to show. Each answer says what is wrong with it. */
export function flawRoutes(app: FastifyInstance, { pool }: { pool: Pool }): void {
  const orders = { type: 'array', items: { type: 'object', additionalProperties: true } };
  app.get(
    '/flaws/n-plus-one',
    {
      schema: {
        response: {
          200: { type: 'object', required: ['flaw', 'orders'], properties: { flaw: flawSchema, orders } },
        },
      },
    },
    async () => ({
      flaw: {
        name: 'N+1 queries',
        what: `One query for ${ordersOnPage} orders, then one more for the lines of each: ${ordersOnPage + 1} in all.`,
        repair: 'Ask for the lines of all orders at once: where order_id = any($1).',
      },
      orders: await latestOrdersOneByOne(pool, ordersOnPage),
    }),
  );

  const querystring = {
    type: 'object',
    additionalProperties: false,
    properties: { category: { type: 'string', pattern: '^[a-z]{1,40}$', default: 'lamps' } },
  };
  app.get<{ Querystring: { category: string } }>(
    '/flaws/unindexed',
    {
      schema: {
        querystring,
        response: {
          200: {
            type: 'object',
            required: ['flaw', 'products'],
            properties: { flaw: flawSchema, products: orders },
          },
        },
      },
    },
    async (request) => ({
      flaw: {
        name: 'Missing index',
        what: 'order_lines.product_id has no index: every order line is read once for each of a dozen products.',
        repair: 'create index on order_lines (product_id);',
      },
      products: await timesSold(pool, request.query.category),
    }),
  );

  app.get(
    '/flaws/holding',
    {
      schema: {
        response: {
          200: {
            type: 'object',
            required: ['flaw', 'stock'],
            properties: { flaw: flawSchema, stock: { type: 'integer' } },
          },
        },
      },
    },
    async () => ({
      flaw: {
        name: 'Connection held',
        what: `A transaction stays open for ${heldMs} ms while the shop asks another service: nobody else has its connection.`,
        repair: 'Ask first, then begin the transaction.',
      },
      stock: await stockOverOpenTransaction(pool, heldMs),
    }),
  );

  app.get(
    '/flaws/blocking',
    {
      schema: {
        response: {
          200: {
            type: 'object',
            required: ['flaw', 'voucher'],
            properties: { flaw: flawSchema, voucher: { type: 'string' } },
          },
        },
      },
    },
    async () => ({
      flaw: {
        name: 'Blocking work',
        what: 'A voucher is hashed by scryptSync: for tens of milliseconds no other request is served.',
        repair: 'Use scrypt with a callback, which works on a thread of the pool.',
      },
      voucher: scryptSync('spring', 'weir-shop', 16).toString('hex'),
    }),
  );
}
