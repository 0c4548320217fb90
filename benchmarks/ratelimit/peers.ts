import { createHash } from 'node:crypto';
import { Ratelimit } from '@upstash/ratelimit';
import { createRateLimiter } from '@weir/ratelimit';
import Bottleneck from 'bottleneck';
import { MemoryStore as ExpressMemoryStore } from 'express-rate-limit';
import type { Redis } from 'ioredis';
import { RedisStore as ExpressRedisStore } from 'rate-limit-redis';
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible';

/** One limiter under measurement: resolves with whether the request is allowed. */
export interface Contender {
  readonly name: string;
  consume(key: string): Promise<boolean>;
  close?(): Promise<void>;
}

export const windowMs = 3_600_000;

/** Everyone holds one window of an hour per key, and answers with what is left and when it resets. */
export function memoryContenders(limit: number): Contender[] {
  const flexible = new RateLimiterMemory({ points: limit, duration: windowMs / 1000 });
  const express = new ExpressMemoryStore();
  express.init({ windowMs } as never);
  const bottlenecks = new Bottleneck.Group({
    reservoir: limit,
    reservoirRefreshInterval: windowMs,
    reservoirRefreshAmount: limit,
  });
  const weir = createRateLimiter({
    name: 'bench',
    policies: [{ name: 'p', algorithm: 'gcra', limit, windowMs }],
  });
  return [
    minimalGcra(limit),
    { name: 'weir', consume: async (key) => (await weir.consume(key)).allowed },
    { name: 'rate-limiter-flexible', consume: (key) => flexible.consume(key).then(yes, no) },
    {
      name: 'express-rate-limit store',
      consume: async (key) => (await express.increment(key)).totalHits <= limit,
      close: async () => express.shutdown(),
    },
    {
      name: 'bottleneck',
      consume: async (key) => bottlenecks.key(key).schedule(() => Promise.resolve(true)),
      close: () => bottlenecks.disconnect() as unknown as Promise<void>,
    },
  ];
}

export function redisContenders(redis: Redis, limit: number): Contender[] {
  const flexible = new RateLimiterRedis({
    storeClient: redis,
    points: limit,
    duration: windowMs / 1000,
    keyPrefix: 'rlf',
  });
  const express = new ExpressRedisStore({
    prefix: 'erl:',
    sendCommand: (command: string, ...args: string[]) => redis.call(command, ...args) as Promise<never>,
  });
  void express.init({ windowMs } as never);
  const upstash = new Ratelimit({
    redis: upstashClient(redis),
    limiter: Ratelimit.fixedWindow(limit, `${windowMs / 1000} s`),
    ephemeralCache: false,
    analytics: false,
    timeout: 0,
  } as never);
  const policies = [{ name: 'p', algorithm: 'gcra', limit, windowMs }] as const;
  const common = { redis, policies, deadlineMs: 30_000, denyCacheMs: 0 };
  const plain = createRateLimiter({ ...common, name: 'plain' });
  const leased = createRateLimiter({ ...common, name: 'leased', lease: { units: 10, ttlMs: 5000 } });
  return [
    { name: 'raw INCR', consume: async (key) => (await redis.incr(`incr:${key}`)) <= limit },
    { name: 'weir', consume: async (key) => (await plain.consume(key)).allowed },
    {
      name: 'weir, lease of 10',
      consume: async (key) => (await leased.consume(key)).allowed,
      close: () => leased.close(),
    },
    { name: 'rate-limiter-flexible', consume: (key) => flexible.consume(key).then(yes, no) },
    { name: 'rate-limit-redis', consume: async (key) => (await express.increment(key)).totalHits <= limit },
    { name: '@upstash/ratelimit', consume: async (key) => (await upstash.limit(key)).success },
  ];
}

/** The least that GCRA takes: a Map of theoretical arrival times, and the same facts in the answer. */
function minimalGcra(limit: number): Contender {
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

/**
 * @upstash/ratelimit speaks to Upstash over HTTP; this gives it the same commands over ioredis. Its scripts carry a
 * flag that only Upstash's server knows: it is left out, and the digest that it asks by is mapped to the one without.
 */
function upstashClient(redis: Redis): object {
  const digests = new Map<string, string>();
  let asked = '';
  return {
    evalsha: async (sha: string, keys: string[], args: unknown[]) => {
      asked = sha;
      const known = digests.get(sha);
      if (known === undefined) throw new Error('NOSCRIPT No matching script.');
      return redis.evalsha(known, keys.length, ...keys, ...args.map(String));
    },
    eval: async (script: string, keys: string[], args: unknown[]) => {
      const plain = script.replace(/^#!.*\n/, '');
      digests.set(asked, createHash('sha1').update(plain).digest('hex'));
      return redis.eval(plain, keys.length, ...keys, ...args.map(String));
    },
  };
}

const yes = (): boolean => true;
const no = (rejection: unknown): boolean => {
  if (rejection instanceof Error) throw rejection;
  return false;
};
