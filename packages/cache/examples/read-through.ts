import { createCache } from '@weir/cache';

const database = {
  queries: 0,
  async product(id: number): Promise<{ id: number; name: string }> {
    this.queries += 1;
    return { id, name: `Product ${id}` };
  },
};

const cache = createCache({ name: 'shop', defaults: { ttlMs: 30_000 } });
const product = cache.define('product', {
  key: (id: number) => String(id),
  load: (id) => database.product(id),
});

const readers = Array.from({ length: 100 }, () => product.get(42));
console.log((await Promise.all(readers))[0], `queries: ${database.queries}`);

await product.delete(42);
console.log(await product.get(42), `queries: ${database.queries}`);

const { misses, coalesced, loads } = cache.stats();
console.log({ misses, coalesced, loads });
await cache.close();
