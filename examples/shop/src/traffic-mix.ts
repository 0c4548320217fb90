import { categorySlugs, seedCounts } from './seed.ts';

/** One request of the demo traffic. */
export interface Arrival {
  readonly method?: 'GET' | 'PUT';
  readonly path: string;
  /** The address that the proxy in front would report, out of those reserved for documentation (RFC 5737). */
  readonly client: string;
  readonly body?: string;
}

type Random = () => number;

/** Searches more than the limit allows and finds the routes that no visitor should. */
const crawler = '203.0.113.7';
const words = [
  'oak',
  'steel lamp',
  'wool blanket',
  'sand',
  'copper kettle',
  'folding chair',
  'mirror',
  'felt',
  'round rug',
];

const popularCategories = categorySlugs.slice(0, 4);

/** Weights of the kinds, in thousandths. The flaws and the lost are rare, as in a healthy shop. */
const mix: readonly (readonly [weight: number, make: (random: Random) => Arrival])[] = [
  [520, (random) => ({ path: `/products/${popularProduct(random)}`, client: visitor(random) })],
  [
    160,
    (random) => ({
      path: `/products?category=${pick(random, popularCategories)}&page=${integer(random, 1, 2)}`,
      client: visitor(random),
    }),
  ],
  [
    110,
    (random) => ({ path: `/search?q=${encodeURIComponent(pick(random, words))}`, client: visitor(random) }),
  ],
  // With 20 requests a second these are 2.8, where the limit lets 2 through.
  [140, (random) => ({ path: `/search?q=${encodeURIComponent(pick(random, words))}`, client: crawler })],
  [30, changeStock],
  [
    20,
    (random) => ({
      path: `/products/${seedCounts.products + integer(random, 1, 500)}`,
      client: visitor(random),
    }),
  ],
  [10, (random) => ({ path: `/archive/${integer(random, 1, 1_000_000)}.html`, client: crawler })],
  [6, () => ({ path: '/flaws/n-plus-one', client: crawler })],
  [4, (random) => ({ path: `/flaws/unindexed?category=${pick(random, categorySlugs)}`, client: crawler })],
];
const totalWeight = mix.reduce((sum, [weight]) => sum + weight, 0);

/** Draws the next request of the demo traffic. */
export function nextArrival(random: Random): Arrival {
  let draw = random() * totalWeight;
  for (const [weight, make] of mix) {
    draw -= weight;
    if (draw < 0) return make(random);
  }
  throw new RangeError('Expected `random` to stay below 1.');
}

function changeStock(random: Random): Arrival {
  return {
    method: 'PUT',
    path: `/products/${popularProduct(random)}/stock`,
    client: visitor(random),
    body: JSON.stringify({ stock: integer(random, 0, 500) }),
  };
}

function visitor(random: Random): string {
  return `198.51.100.${integer(random, 1, 254)}`;
}

/** Nineteen visits of twenty go to the few products of the front page, so that the cache has something to hit and to miss. */
function popularProduct(random: Random): number {
  return integer(random, 1, random() < 0.95 ? 40 : seedCounts.products);
}

function integer(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined)
    throw new RangeError('Expected `random` to stay in [0, 1) and `values` not to be empty.');
  return value;
}
