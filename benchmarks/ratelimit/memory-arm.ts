/** `memory-arm.ts <store> <count>`: inserts that many new keys into one store, and prints what they take as JSON. */
import { setTimeout as delay } from 'node:timers/promises';
import { createRateLimiter } from '@weir/ratelimit';
import { MemoryStore as ExpressMemoryStore } from 'express-rate-limit';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { windowMs } from './contender.ts';
import type { MeasuredStore, MemoryFigure } from './memory.ts';
import { FastifyLocalStore } from './memory-peers.ts';

const [store, size] = process.argv.slice(2);
const count = Number(size);
const stores: Record<MeasuredStore, () => (key: string) => unknown> = {
  weir: () => {
    const policies = [{ name: 'p', algorithm: 'gcra', limit: 100, windowMs }] as const;
    const limiter = createRateLimiter({
      name: 'bytes',
      policies,
      memory: { maxKeys: count * 2, maxBytes: 2 ** 30 },
    });
    return (key) => limiter.consume(key);
  },
  'Map of numbers': () => {
    const map = new Map<string, number>();
    return (key) => map.set(key, performance.now());
  },
  'express-rate-limit store': () => {
    const express = new ExpressMemoryStore();
    express.init({ windowMs } as never);
    return (key) => express.increment(key);
  },
  '@fastify/rate-limit store': () => {
    const local = new FastifyLocalStore(false, false, count);
    return (key) => local.incr(key, () => {}, windowMs, 100);
  },
  'rate-limiter-flexible': () => {
    const flexible = new RateLimiterMemory({ points: 100, duration: windowMs / 1000 });
    return (key) => flexible.consume(key);
  },
};

const insert = stores[store as MeasuredStore]();
const before = await held();
let longestInsertMs = 0;
for (let index = 0; index < count; index++) {
  const key = `client-${index}`;
  const started = performance.now();
  const answer = insert(key);
  longestInsertMs = Math.max(longestInsertMs, performance.now() - started);
  // Let go what the answers hold, as a server's turns do.
  if (index % 1000 === 0) await answer;
}
const figure: MemoryFigure = {
  bytesPerKey: Math.round(((await held()) - before) / count),
  longestInsertMs: Math.round(longestInsertMs * 10) / 10,
};
// The store must outlive the measurement.
insert('one more');
console.log(JSON.stringify(figure));
process.exit();

/** What is alive. The memory of dead array buffers is given back by another thread, some time after a collection. */
async function held(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5; attempt++) {
    globalThis.gc?.();
    await delay(50);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
}
