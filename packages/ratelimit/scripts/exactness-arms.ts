/** What prove/exactness.ts attacks: every algorithm of ours on Redis, and the peers with the same N a window. */
import { createHash } from 'node:crypto';
import { createRateLimiter, type Policy } from '@weir/ratelimit';
import fastify from 'fastify';
import type { Redis } from 'ioredis';
import { peer } from './prove/report.ts';

/** One limiter under attack: whether the attacker's next request is let in. */
export type Arm = () => Promise<boolean>;

/** Options of the arms. `clock` is what this process believes of time. */
export interface ArmOptions {
  readonly redis: Redis;
  readonly policies: readonly Policy[];
  readonly clock: { now(): number };
  readonly limit: number;
  readonly windowMs: number;
}

/** Ours, by algorithm. */
export function ourArms({ redis, policies, clock }: ArmOptions): Record<string, Arm> {
  const common = { redis, deadlineMs: 5000, denyCacheMs: 0, clock };
  return Object.fromEntries(
    policies.map((policy) => {
      const limiter = createRateLimiter({ ...common, name: policy.name, policies: [policy] });
      return [policy.name, async () => (await limiter.consume('attacker')).allowed];
    }),
  );
}

/** The peers, by name. Peers that take time from this process take it from `Date`, which the caller has skewed. */
export async function peerArms({ redis, limit, windowMs }: ArmOptions): Promise<Record<string, Arm>> {
  const load = (name: string): Promise<never> => import(peer(name)) as Promise<never>;
  const { RateLimiterRedis } = (await load('rate-limiter-flexible')) as FlexibleModule;
  const flexible = new RateLimiterRedis({
    storeClient: redis,
    points: limit,
    duration: windowMs / 1000,
    keyPrefix: 'rlf',
  });
  const { RedisStore } = (await load('rate-limit-redis')) as ExpressModule;
  const express = new RedisStore({ prefix: 'erl:', sendCommand: (...command) => redis.call(...command) });
  await express.init({ windowMs });
  const { Ratelimit } = (await load('@upstash/ratelimit')) as UpstashModule;
  const upstash = (algorithm: 'fixedWindow' | 'slidingWindow'): Arm => {
    const limiter = new Ratelimit({
      redis: upstashClient(redis),
      prefix: algorithm,
      limiter: Ratelimit[algorithm](limit, `${windowMs} ms`),
      ephemeralCache: false,
      analytics: false,
      timeout: 0,
    });
    return async () => (await limiter.limit('attacker')).success;
  };
  const app = fastify();
  const { default: plugin } = (await load('@fastify/rate-limit')) as { default: never };
  await app.register(plugin, {
    max: limit,
    timeWindow: windowMs,
    redis,
    keyGenerator: () => 'attacker',
  } as never);
  app.get('/', () => 'ok');
  await app.ready();
  return {
    'rate-limiter-flexible': () =>
      flexible.consume('attacker').then(
        () => true,
        (rejection: unknown) => {
          if (rejection instanceof Error) throw rejection;
          return false;
        },
      ),
    'rate-limit-redis': async () => (await express.increment('attacker')).totalHits <= limit,
    '@upstash/ratelimit fixed window': upstash('fixedWindow'),
    '@upstash/ratelimit sliding window': upstash('slidingWindow'),
    '@fastify/rate-limit': async () => (await app.inject('/')).statusCode === 200,
  };
}

interface FlexibleModule {
  readonly RateLimiterRedis: new (options: object) => { consume(key: string): Promise<unknown> };
}
interface ExpressModule {
  readonly RedisStore: new (options: {
    prefix: string;
    sendCommand: (...command: [string, ...string[]]) => Promise<unknown>;
  }) => { init(options: object): unknown; increment(key: string): Promise<{ totalHits: number }> };
}
interface UpstashModule {
  readonly Ratelimit: {
    new (options: object): { limit(key: string): Promise<{ success: boolean }> };
    fixedWindow(limit: number, window: string): object;
    slidingWindow(limit: number, window: string): object;
  };
}

/**
 * @upstash/ratelimit speaks to Upstash over HTTP; this gives it the same commands over ioredis. Its scripts carry a
 * flag that only Upstash's server knows: it is left out, and the digest that it asks by is mapped to the one without.
 */
function upstashClient(redis: Redis): object {
  const digests = new Map<string, string>();
  const digestOf = (script: string): string => createHash('sha1').update(script).digest('hex');
  return {
    evalsha: (sha: string, keys: string[], args: unknown[]) => {
      const known = digests.get(sha);
      if (known === undefined) return Promise.reject(new Error('NOSCRIPT No matching script.'));
      return redis.evalsha(known, keys.length, ...keys, ...args.map(String));
    },
    eval: (script: string, keys: string[], args: unknown[]) => {
      const plain = script.replace(/^#!.*\n/, '');
      digests.set(digestOf(script), digestOf(plain));
      return redis.eval(plain, keys.length, ...keys, ...args.map(String));
    },
  };
}
