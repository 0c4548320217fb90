import { createRateLimiter } from '@weir/ratelimit';
import { MemoryStore as ExpressMemoryStore } from 'express-rate-limit';
import { RateLimiterMemory } from 'rate-limiter-flexible';

interface MemoryFigure {
  /** Heap and array buffers, after a collection, without the keys' own strings where the store does not keep them. */
  readonly bytesPerKey: number;
  /** The longest single insertion, which is what a request can wait for. */
  readonly longestInsertMs: number;
}

/** Inserts `count` new keys into each store in turn. Bytes need `--expose-gc`; without it they are NaN. */
export function measureMemory(count: number): Record<string, MemoryFigure> {
  const policies = [{ name: 'p', algorithm: 'gcra', limit: 100, windowMs: 3_600_000 }] as const;
  const memory = { maxKeys: count * 2, maxBytes: 2 ** 30 };
  const weir = createRateLimiter({ name: 'bytes', policies, memory });
  const map = new Map<string, number>();
  const express = new ExpressMemoryStore();
  express.init({ windowMs: 3_600_000 } as never);
  const flexible = new RateLimiterMemory({ points: 100, duration: 3600 });
  const stores: [string, (key: string) => unknown][] = [
    ['weir', (key) => weir.consume(key)],
    ['Map of numbers', (key) => map.set(key, performance.now())],
    ['express-rate-limit store', (key) => express.increment(key)],
    ['rate-limiter-flexible', (key) => flexible.consume(key).catch(() => {})],
  ];
  const figures = Object.fromEntries(stores.map(([name, insert]) => [name, fill(name, insert, count)]));
  express.shutdown();
  return figures;
}

function fill(name: string, insert: (key: string) => unknown, count: number): MemoryFigure {
  const before = held();
  let longestInsertMs = 0;
  for (let index = 0; index < count; index++) {
    const key = `${name}-${index}`;
    const started = performance.now();
    insert(key);
    longestInsertMs = Math.max(longestInsertMs, performance.now() - started);
  }
  return {
    bytesPerKey: Math.round((held() - before) / count),
    longestInsertMs: Math.round(longestInsertMs * 10) / 10,
  };
}

function held(): number {
  if (globalThis.gc === undefined) return Number.NaN;
  // Twice: what finalisers of the first let go is collected by the second.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
