/** One cache under steady reads, writes, deletes and tag invalidations for the whole of an outage; reports its heap. */
import { createCache } from '@weir/cache';
import { Redis } from 'ioredis';

export interface OutageSample {
  readonly atMs: number;
  /** After a full collection. */
  readonly heapBytes: number;
  readonly operations: number;
  readonly unhandled: number;
  readonly errors: number;
}

const sampleMs = 5_000;
const keys = 2_000;

process.once('message', async (redisUrl: string) => {
  let operations = 0;
  let unhandled = 0;
  let errors = 0;
  process.on('unhandledRejection', () => {
    unhandled += 1;
  });
  const redis = new Redis(redisUrl, { retryStrategy: () => 50 });
  redis.on('error', () => {});
  const cache = createCache({ name: 'outage', redis, defaults: { ttlMs: 300 } });
  await cache.ready();
  const load = () => new Promise((resolve) => setTimeout(resolve, 2, { text: 'x'.repeat(200) }));
  const lane = async (offset: number) => {
    for (let index = offset; ; index += 1) {
      const key = `k${(index * 7919) % keys}`;
      try {
        if (index % 50 === 0) await cache.delete(key);
        else if (index % 77 === 0) await cache.set(key, { text: key });
        else if (index % 501 === 0) await cache.invalidateTags([`tag ${index % 10}`]);
        else await cache.getOrSet(key, load, { tags: [`tag ${index % 10}`] });
      } catch {
        errors += 1;
      }
      operations += 1;
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  };
  for (let index = 0; index < 10; index += 1) void lane(index * 101);
  process.send?.('running');
  const start = performance.now();
  setInterval(() => {
    globalThis.gc?.();
    const heapBytes = process.memoryUsage().heapUsed;
    const sample: OutageSample = {
      atMs: performance.now() - start,
      heapBytes,
      operations,
      unhandled,
      errors,
    };
    process.send?.(sample);
  }, sampleMs);
});
process.on('disconnect', () => process.exit());
