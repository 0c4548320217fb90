import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { createRateLimiter } from '@weir/ratelimit';
import Bottleneck from 'bottleneck';
import { MemoryStore as ExpressMemoryStore } from 'express-rate-limit';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import {
  type Contender,
  type FastifyStore,
  fastifyContender,
  flexibleContender,
  windowMs,
} from './contender.ts';

/** Published as a file without types. */
export const FastifyLocalStore = createRequire(import.meta.url)(
  '@fastify/rate-limit/store/LocalStore.js',
) as new (
  continueExceeding: boolean,
  exponentialBackoff: boolean,
  cache: number,
) => FastifyStore;

/** Everyone holds one window of an hour per key. */
export function memoryContenders(limit: number, keyCount: number): Contender[] {
  const flexible = new RateLimiterMemory({ points: limit, duration: windowMs / 1000 });
  const express = new ExpressMemoryStore();
  express.init({ windowMs } as never);
  const weir = createRateLimiter({
    name: 'bench',
    policies: [{ name: 'p', algorithm: 'gcra', limit, windowMs }],
  });
  return [
    minimalGcra(limit),
    { name: 'weir', consume: async (key) => (await weir.consume(key)).allowed, close: () => weir.close() },
    flexibleContender('rate-limiter-flexible', flexible),
    {
      name: 'express-rate-limit store',
      consume: async (key) => (await express.increment(key)).totalHits <= limit,
      close: async () => express.shutdown(),
    },
    fastifyContender(new FastifyLocalStore(false, false, keyCount * 2), limit),
  ];
}

/** Bottleneck queues what is above the limit in place of denying it: it can be timed for what it allows alone. */
export function bottleneckContender(limit: number): Contender {
  const group = new Bottleneck.Group({
    reservoir: limit,
    reservoirRefreshInterval: windowMs,
    reservoirRefreshAmount: limit,
  });
  return {
    name: 'bottleneck',
    consume: async (key) => group.key(key).schedule(() => Promise.resolve(true)),
    close: async () => {
      await Promise.all(group.keys().map((key) => group.deleteKey(key)));
    },
  };
}

/** The least that GCRA takes: a Map of theoretical arrival times, and the same facts in the answer. */
export function minimalGcra(limit: number): Contender {
  const arrivals = new Map<string, number>();
  const interval = windowMs / limit;
  const decide = (key: string) => {
    const now = performance.now();
    const earliest = Math.max(arrivals.get(key) ?? 0, now);
    const allowed = earliest + interval - now <= windowMs;
    const next = allowed ? earliest + interval : earliest;
    if (allowed) arrivals.set(key, next);
    const policy = {
      remaining: Math.floor((windowMs - next + now) / interval),
      resetMs: Math.ceil(next - now),
    };
    return Promise.resolve({ allowed, policies: [policy] });
  };
  return { name: 'minimal GCRA on a Map', consume: async (key) => (await decide(key)).allowed };
}
