import { createCache } from '@weir/cache';

const cache = createCache({ name: 'shop', defaults: { ttlMs: 30_000 } });
const price = cache.define('price', {
  key: (id: number) => String(id),
  loadMany: async (ids) => {
    console.log('loading', ids.join(', '));
    return ids.map((id) => id * 100);
  },
  tags: (id) => ['prices', `supplier-${id % 2}`],
});

console.log(await price.getMany([1, 2, 3]));
console.log(await price.getMany([2, 3, 4]));

await cache.invalidateTags(['supplier-1']);
console.log(await price.getMany([1, 2, 3, 4]));
await cache.close();
