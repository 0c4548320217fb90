import { type PostgresDatabase, startPostgres } from '@weir/test-kit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';
import { openDatabase } from '../src/database.ts';
import { type Shop, startShop } from '../src/shop.ts';

let database: PostgresDatabase;
let shop: Shop;

beforeAll(async () => {
  database = await startPostgres();
  shop = await startShop(readConfig({ PORT: '0', DATABASE_URL: database.url, LOG_LEVEL: 'silent' }));
});

afterAll(async () => {
  await shop?.close();
  await database?.stop();
});

const get = (path: string, headers: Record<string, string> = {}) => fetch(shop.url + path, { headers });

async function expectProblem(response: Response, status: number, detail: RegExp): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const problem = (await response.json()) as { status: number; title: string; detail: string };
  expect(problem.status).toBe(status);
  expect(problem.title).toBeTruthy();
  expect(problem.detail ?? '').toMatch(detail);
}

test('the shop sells at least 10,000 products and seeds the same ones every time', async () => {
  const list = (await (await get('/products')).json()) as { total: number };
  expect(list.total).toBeGreaterThanOrEqual(10_000);
  const again = await openDatabase({ databaseUrl: database.url, stateDirectory: '' });
  const { rows } = await again.pool.query(
    `select (select count(*)::int from products) as products, (select count(*)::int from order_lines) as lines,
       (select md5(string_agg(name || price_minor, '' order by id)) from products where id <= 500) as digest`,
  );
  await again.close();
  expect(rows).toEqual([{ products: 12_000, lines: 300_000, digest: 'c5ff62375cf516ece3277de344fd5394' }]);
});

test('a product page shows the product with its reviews and an integer price', async () => {
  const response = await get('/products/1');
  expect(response.status).toBe(200);
  const page = (await response.json()) as Record<string, unknown> & {
    reviews: unknown[];
    priceMinor: number;
  };
  expect(page).toMatchObject({
    id: 1,
    sku: 'W-000001',
    currency: 'EUR',
    rating: { count: expect.any(Number) },
  });
  expect(Number.isInteger(page.priceMinor)).toBe(true);
  expect(page.reviews).toHaveLength(5);
});

test('a page read after its stock was set shows the new stock, though it was cached', async () => {
  for (const stock of [17, 3]) {
    const put = await fetch(`${shop.url}/products/5/stock`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stock }),
    });
    expect(put.status).toBe(204);
    for (let read = 0; read < 2; read += 1) {
      expect(await (await get('/products/5')).json()).toMatchObject({ id: 5, stock });
    }
  }
});

test('a second read of a page is served from the cache', async () => {
  await get('/products/4711');
  const before = await sample('weir_cache_reads_total{cache="shop",result="l1_hit"}');
  await get('/products/4711');
  expect(await sample('weir_cache_reads_total{cache="shop",result="l1_hit"}')).toBe(before + 1);
});

test('lists page through a category and end with an empty page', async () => {
  const first = (await (await get('/products?category=lamps')).json()) as {
    pages: number;
    products: { category: string }[];
  };
  expect(first.products).toHaveLength(24);
  expect(new Set(first.products.map((product) => product.category))).toEqual(new Set(['lamps']));
  const past = (await (await get(`/products?category=lamps&page=${first.pages + 1}`)).json()) as {
    products: [];
  };
  expect(past.products).toEqual([]);
});

test('search finds by words and denies the client that asks too often, and only that one', async () => {
  const search = (client: string) => get('/search?q=oak+lamp', { 'x-forwarded-for': client });
  const found = (await (await search('198.51.100.1')).json()) as { products: { name: string }[] };
  expect(found.products[0]?.name).toMatch(/oak lamp/);
  const statuses = await Promise.all(
    Array.from({ length: 30 }, async () => (await search('198.51.100.2')).status),
  );
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(8);
  const denied = await search('198.51.100.2');
  expect(Number(denied.headers.get('retry-after'))).toBeGreaterThanOrEqual(0);
  await expectProblem(denied, 429, /./);
  expect((await search('198.51.100.3')).status).toBe(200);
});

test('the flaws say what is wrong with them, and the metrics see it', async () => {
  const orders = (await (await get('/flaws/n-plus-one')).json()) as {
    flaw: { repair: string };
    orders: { lines: [] }[];
  };
  expect(orders.flaw.repair).toMatch(/any\(\$1\)/);
  expect(orders.orders).toHaveLength(25);
  expect(orders.orders[0]?.lines).toHaveLength(3);
  const sold = (await (await get('/flaws/unindexed?category=rugs')).json()) as {
    flaw: { name: string };
    products: [];
  };
  expect(sold.flaw.name).toBe('Missing index');
  expect(sold.products).toHaveLength(12);
  expect(await (await get('/flaws/holding')).json()).toMatchObject({ flaw: { name: 'Connection held' } });
  expect(await (await get('/flaws/blocking')).json()).toMatchObject({ flaw: { name: 'Blocking work' } });
  const metrics = await (await get('/metrics')).text();
  expect(metrics).toMatch(/weir_db_n_plus_one_total\{[^}]*http_route="\/flaws\/n-plus-one"[^}]*\} [1-9]/);
});

test('metrics carry route templates, never paths', async () => {
  await get('/products/12');
  await get('/nowhere/at-all');
  const metrics = await (await get('/metrics')).text();
  expect(metrics).toContain('http_route="/products/:id"');
  expect(metrics).not.toContain('nowhere');
});

test.each([
  ['an unknown route', () => get('/nowhere'), 404, /No route GET \/nowhere/],
  ['an unknown product', () => get('/products/999999'), 404, /no product 999999/],
  ['an id that is no number', () => get('/products/x'), 400, /must be integer/],
  ['an id beyond 32 bits', () => get('/products/4294967296'), 400, /must be <=/],
  ['a search without words', () => get('/search'), 400, /required property 'q'/],
  ['a page of zero', () => get('/products?page=0'), 400, /must be >= 1/],
  ['a query parameter that nobody knows', () => get('/products?colour=red'), 400, /additional properties/],
  ['a body that is no JSON', () => putStock('{"stock":'), 400, /JSON/],
  ['a body with a wrong type', () => putStock('{"stock":"many"}'), 400, /must be integer/],
  ['a body of another type', () => putStock('stock=1', 'text/csv'), 415, /Unsupported Media Type/],
  [
    'a body beyond the limit',
    () => putStock(JSON.stringify({ stock: 'x'.repeat(70_000) })),
    413,
    /too large/,
  ],
  ['a malformed path', () => get('/products/%zz'), 400, /not a valid url/],
])('%s is answered with a problem', async (_, ask, status, detail) => {
  await expectProblem(await ask(), status, detail);
});

function putStock(body: string, type = 'application/json'): Promise<Response> {
  return fetch(`${shop.url}/products/1/stock`, { method: 'PUT', headers: { 'content-type': type }, body });
}

async function sample(series: string): Promise<number> {
  const line = (await (await get('/metrics')).text())
    .split('\n')
    .find((text) => text.startsWith(`${series} `));
  return Number(line?.split(' ').at(-1) ?? 0);
}
