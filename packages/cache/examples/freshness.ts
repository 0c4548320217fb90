import { createCache } from '@weir/cache';
import { createManualClock } from '@weir/cache/testing';

const clock = createManualClock();
const cache = createCache({ name: 'shop', clock });
let isDown = false;
const rate = cache.define('rate', {
  key: (currency: string) => currency,
  load: async (currency) => {
    if (isDown) throw new Error('the source is down');
    return `${currency} at ${clock.now()} ms`;
  },
  ttlMs: 1_000,
  graceMs: 60_000,
});

console.log(await rate.get('EUR'));
isDown = true;
clock.advance(5_000);
console.log(await rate.get('EUR'), '(stale: the load failed)');
isDown = false;
clock.advance(1_000);
console.log(await rate.get('EUR'));
await cache.close();
