import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { Ratelimit } from '@upstash/ratelimit';
import { createRateLimiter } from '@weir/ratelimit';
import type { Redis } from 'ioredis';
import { RedisStore as ExpressRedisStore } from 'rate-limit-redis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import {
  type Contender,
  type FastifyStore,
  fastifyContender,
  flexibleContender,
  windowMs,
} from './contender.ts';

/** Published as a file without types. */
const FastifyRedisStore = createRequire(import.meta.url)('@fastify/rate-limit/store/RedisStore.js') as new (
  continueExceeding: boolean,
  exponentialBackoff: boolean,
  redis: Redis,
  prefix: string,
) => FastifyStore;

const FLEXIBLE = 'rate-limiter-flexible';

/** Everyone asks Redis for every request, Weir with leases apart. */
export function redisContenders(redis: Redis, limit: number): Contender[] {
  return [
    { name: 'raw INCR', consume: async (key) => (await redis.incr(`incr:${key}`)) <= limit },
    weirContender('weir', redis, limit, { denyCacheMs: 0 }),
    weirContender('weir, lease of 10', redis, limit, { denyCacheMs: 0, lease: { units: 10, ttlMs: 5000 } }),
    flexibleContender(FLEXIBLE, flexibleLimiter(redis, limit)),
    expressContender(redis, limit),
    fastifyContender(new FastifyRedisStore(false, false, redis, 'fastify:'), limit),
    upstashContender('@upstash/ratelimit', redis, limit, false),
  ];
}

/** For one hot key, where trips decide: also a larger lease, and the least that merging takes, which bounds all others. */
export function hotContenders(redis: Redis, limit: number): Contender[] {
  return [
    ...redisContenders(redis, limit),
    weirContender('weir, lease of 1000', redis, limit, {
      denyCacheMs: 0,
      lease: { units: 1000, ttlMs: 5000 },
    }),
    mergedContender(redis, limit),
  ];
}

/** Everyone with and without what it remembers of denials, as far as it can remember them. */
export function deniedContenders(redis: Redis, limit: number): Contender[] {
  const remembering = flexibleLimiter(redis, limit, { inMemoryBlockOnConsumed: limit });
  return [
    ...redisContenders(redis, limit).filter(({ name }) => !name.includes('lease')),
    weirContender('weir, deny cache', redis, limit, { denyCacheMs: 1000 }),
    flexibleContender(`${FLEXIBLE}, block in memory`, remembering),
    upstashContender('@upstash/ratelimit, cache', redis, limit, new Map()),
  ];
}

/**
 * Leases, the sizes they grew to and remembered denials end with a limiter: every round begins with a new one, and
 * what the last one held goes back before.
 */
function weirContender(
  name: string,
  redis: Redis,
  limit: number,
  options: { denyCacheMs: number; lease?: { units: number; ttlMs: number } },
): Contender {
  const policies = [{ name: 'p', algorithm: 'gcra', limit, windowMs }] as const;
  const create = () =>
    createRateLimiter({
      ...options,
      name: name.replaceAll(/\W+/g, '-'),
      redis,
      policies,
      deadlineMs: 30_000,
      onStoreError: 'closed',
    });
  let limiter = create();
  return {
    name,
    consume: async (key) => (await limiter.consume(key)).allowed,
    startAfresh: async () => {
      await limiter.close();
      limiter = create();
    },
    close: () => limiter.close(),
  };
}

/** One INCRBY a turn of the event loop for all that ask in it: no deadline, no policy, one key, numbers for answers. */
function mergedContender(redis: Redis, limit: number): Contender {
  let waiting: ((allowed: boolean) => void)[] = [];
  const flush = async (key: string): Promise<void> => {
    const batch = waiting;
    waiting = [];
    const total = await redis.incrby(`merged:${key}`, batch.length);
    for (const [index, resolve] of batch.entries()) resolve(total - batch.length + index < limit);
  };
  const consume = (key: string): Promise<boolean> =>
    new Promise((resolve) => {
      if (waiting.push(resolve) === 1) setImmediate(flush, key);
    });
  return { name: 'merged INCRBY, nothing else', consume };
}

function flexibleLimiter(redis: Redis, limit: number, options: object = {}): RateLimiterRedis {
  const keyPrefix = `rlf${Object.keys(options).length}`;
  return new RateLimiterRedis({
    storeClient: redis,
    points: limit,
    duration: windowMs / 1000,
    keyPrefix,
    ...options,
  });
}

function expressContender(redis: Redis, limit: number): Contender {
  const store = new ExpressRedisStore({
    prefix: 'erl:',
    sendCommand: (command: string, ...args: string[]) => redis.call(command, ...args) as Promise<never>,
  });
  void store.init({ windowMs } as never);
  return {
    name: 'rate-limit-redis',
    consume: async (key) => (await store.increment(key)).totalHits <= limit,
  };
}

function upstashContender(
  name: string,
  redis: Redis,
  limit: number,
  ephemeralCache: false | Map<string, number>,
): Contender {
  const upstash = new Ratelimit({
    redis: upstashClient(redis),
    prefix: name,
    limiter: Ratelimit.fixedWindow(limit, `${windowMs / 1000} s`),
    ephemeralCache,
    analytics: false,
    timeout: 0,
  } as never);
  return { name, consume: async (key) => (await upstash.limit(key)).success };
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
