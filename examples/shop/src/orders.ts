import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';

export interface Order {
  readonly id: number;
  readonly status: string;
  readonly placedAt: string;
  readonly lines: readonly {
    readonly productId: number;
    readonly quantity: number;
    readonly unitPriceMinor: number;
  }[];
}

/** Wrong on purpose: one query for the orders and one more for every order's lines. */
export async function latestOrdersOneByOne(pool: Pool, count: number): Promise<Order[]> {
  const { rows } = await pool.query<{ id: number; status: string; placedAt: Date }>(
    'select id, status, placed_at as "placedAt" from orders order by placed_at desc limit $1',
    [count],
  );
  const orders: Order[] = [];
  for (const order of rows) {
    const lines = await pool.query<Order['lines'][number]>(
      `select product_id as "productId", quantity, unit_price_minor as "unitPriceMinor"
       from order_lines where order_id = $1 order by line`,
      [order.id],
    );
    orders.push({ ...order, placedAt: order.placedAt.toISOString(), lines: lines.rows });
  }
  return orders;
}

/** Wrong on purpose: `order_lines.product_id` has no index, so the whole table is read once for each of the products. */
export async function timesSold(
  pool: Pool,
  category: string,
): Promise<{ id: number; name: string; sold: number }[]> {
  const { rows } = await pool.query<{ id: number; name: string; sold: number }>(
    `select product.id, product.name,
       (select coalesce(sum(line.quantity), 0)::int from order_lines as line where line.product_id = product.id) as sold
     from products as product join categories as category on category.id = product.category_id
     where category.slug = $1
     order by product.id limit 12`,
    [category],
  );
  return rows;
}

/** Wrong on purpose: the transaction, and with it its connection, stays open for `heldMs` while nothing is asked of it. */
export async function stockOverOpenTransaction(pool: Pool, heldMs: number): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await delay(heldMs);
    const { rows } = await client.query<{ stock: number }>('select stock from products where id = 1');
    await client.query('commit');
    return rows[0]?.stock ?? 0;
  } finally {
    client.release();
  }
}
