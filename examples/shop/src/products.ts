import type { Pool } from 'pg';

export interface ProductSummary {
  readonly id: number;
  readonly name: string;
  readonly category: string;
  /** In hundredths of the currency. */
  readonly priceMinor: number;
  readonly currency: string;
  readonly stock: number;
}

export interface ProductPage extends ProductSummary {
  readonly sku: string;
  readonly description: string;
  readonly rating: { readonly average: number | null; readonly count: number };
  readonly reviews: readonly { readonly rating: number; readonly body: string; readonly writtenAt: string }[];
}

export interface ProductList {
  readonly category: string | null;
  readonly page: number;
  readonly pages: number;
  readonly total: number;
  readonly products: readonly ProductSummary[];
}

export const pageSize = 24;

const summaryColumns = `product.id, product.name, category.slug as category, product.price_minor as "priceMinor",
  product.currency, product.stock`;

/** Everything a product's page shows, or `null` when there is no such product. */
export async function loadProductPage(pool: Pool, id: number): Promise<ProductPage | null> {
  const [product, rating, reviews] = await Promise.all([
    pool.query<ProductSummary & { sku: string; description: string }>(
      `select ${summaryColumns}, product.sku, product.description
       from products as product join categories as category on category.id = product.category_id
       where product.id = $1`,
      [id],
    ),
    pool.query<{ average: number | null; count: number }>(
      'select round(avg(rating), 2)::float as average, count(*)::int as count from reviews where product_id = $1',
      [id],
    ),
    pool.query<{ rating: number; body: string; writtenAt: Date }>(
      `select rating, body, written_at as "writtenAt" from reviews where product_id = $1 order by written_at desc limit 5`,
      [id],
    ),
  ]);
  const [found] = product.rows;
  if (found === undefined) return null;
  return {
    ...found,
    rating: rating.rows[0] ?? { average: null, count: 0 },
    reviews: reviews.rows.map((review) => ({ ...review, writtenAt: review.writtenAt.toISOString() })),
  };
}

/** One page of a category, or of everything when `category` is `null`; a page past the end is empty. */
export async function loadProductList(
  pool: Pool,
  category: string | null,
  page: number,
): Promise<ProductList> {
  const [counted, listed] = await Promise.all([
    pool.query<{ total: number }>(
      `select count(*)::int as total from products as product
       where $1::text is null or product.category_id = (select id from categories where slug = $1)`,
      [category],
    ),
    pool.query<ProductSummary>(
      `select ${summaryColumns}
       from products as product join categories as category on category.id = product.category_id
       where $1::text is null or category.slug = $1
       order by product.id limit $2 offset $3`,
      [category, pageSize, (page - 1) * pageSize],
    ),
  ]);
  const total = counted.rows[0]?.total ?? 0;
  return { category, page, pages: Math.ceil(total / pageSize), total, products: listed.rows };
}

/** The best matches for words as a person types them, at most a page of them. */
export async function searchProducts(pool: Pool, words: string): Promise<ProductSummary[]> {
  const { rows } = await pool.query<ProductSummary>(
    `select ${summaryColumns}
     from products as product join categories as category on category.id = product.category_id,
       websearch_to_tsquery('english', $1) as query
     where product.search @@ query
     order by ts_rank(product.search, query) desc, product.id limit $2`,
    [words, pageSize],
  );
  return rows;
}

/** Whether there is such a product. */
export async function setStock(pool: Pool, id: number, stock: number): Promise<boolean> {
  const { rowCount } = await pool.query('update products set stock = $2 where id = $1', [id, stock]);
  return rowCount === 1;
}
