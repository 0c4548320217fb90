import { createCache, type Definition } from '@weir/cache';
import type { Redis } from 'ioredis';
import type { Pool } from 'pg';
import { loadProductList, loadProductPage, type ProductList, type ProductPage } from './products.ts';

export interface ShopCaches {
  readonly productPage: Definition<number, ProductPage | null>;
  readonly productList: Definition<ListKey, ProductList>;
  close(): Promise<void>;
}

/** `category` of `null` means all. */
export interface ListKey {
  readonly category: string | null;
  readonly page: number;
}

/** What the shop caches, and for how long it may be out of date when nobody deletes it. */
export function createShopCaches(
  pool: Pool,
  redis: Redis | undefined,
  { ttlMs = 30_000 }: { ttlMs?: number } = {},
): ShopCaches {
  const cache = createCache({
    name: 'shop',
    l1: { maxEntries: 5000 },
    defaults: { ttlMs },
    ...(redis === undefined ? {} : { redis }),
  });
  return {
    productPage: cache.define('product-page', {
      key: (id: number) => String(id),
      load: (id: number) => loadProductPage(pool, id),
    }),
    productList: cache.define('product-list', {
      key: (list: ListKey) => `${list.category ?? ''}:${list.page}`,
      load: (list: ListKey) => loadProductList(pool, list.category, list.page),
      ttlMs: 10_000,
    }),
    close: () => cache.close(),
  };
}
