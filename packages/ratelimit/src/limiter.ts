import { announce, deniedChannel } from './channels.ts';
import { Counters, type RateLimiterStats } from './counters.ts';
import { type Decision, type DecisionSource, decisionOf, unconditional } from './decision.ts';
import { RateLimitError, shown } from './errors.ts';
import { type RateLimiterOptions, type ResolvedOptions, resolveOptions } from './options.ts';
import type { Plan } from './plan.ts';
import { MemoryStore } from './stores/memory-store.ts';
import { RedisScripts } from './stores/redis-client.ts';
import { RedisStore } from './stores/redis-store.ts';

/** The longest key, in UTF-16 units. Longer ones are a caller's mistake or an attack: hash them first. */
export const MAX_KEY_LENGTH = 512;

/** What a denial by `onStoreError: 'closed'` names as the time to retry after. */
const CLOSED_RETRY_MS = 1000;

/** Options of {@link RateLimiter.consume}. */
export interface ConsumeOptions {
  /** Units to take: a positive whole number. Default 1. */
  readonly cost?: number;
}

/** A set of quotas, decided together for every key. */
export interface RateLimiter {
  readonly name: string;
  /** The policies as given, in order. */
  readonly policies: readonly { readonly name: string; readonly limit: number; readonly windowMs: number }[];
  /**
   * Takes `cost` units for `key` from every policy, or nothing at all. A denial is an answer; with Redis the answer
   * comes within `deadlineMs`, whatever Redis does.
   * @throws {RateLimitError} (rejects) `…_KEY`, `…_COST`, `…_COST_ABOVE_BURST`, `…_CLOSED`: no quota is touched.
   */
  consume(key: string, options?: ConsumeOptions): Promise<Decision>;
  /** A fresh snapshot of the counters. */
  stats(): RateLimiterStats;
  /** Refuses further decisions. The caller's Redis client stays open. */
  close(): Promise<void>;
}

/**
 * Creates a limiter: in memory, or on Redis where `redis` is given.
 * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS`, `ERR_WEIR_RATELIMIT_POLICY`.
 * @example
 * const limiter = createRateLimiter({
 *   name: 'search',
 *   policies: [{ name: 'per-client', algorithm: 'gcra', limit: 20, windowMs: 10_000 }],
 * });
 * const decision = await limiter.consume('client-1');
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  return new Limiter(resolveOptions(options));
}

class Limiter implements RateLimiter {
  readonly name: string;
  readonly policies: RateLimiter['policies'];
  readonly #plan: Plan;
  readonly #counters: Counters;
  /** The store without Redis; with it the one that decides on the local share, made at the first failure. */
  #memory: MemoryStore | undefined;
  readonly #redis: RedisStore | undefined;
  readonly #options: ResolvedOptions;
  readonly #forget: () => void;
  #closed = false;

  constructor(options: ResolvedOptions) {
    const { name, plan, redis, deadlineMs, clock } = options;
    this.name = name;
    this.#options = options;
    this.#plan = plan;
    this.policies = Object.freeze(
      plan.policies.map(({ name, limit, windowMs }) => Object.freeze({ name, limit, windowMs })),
    );
    this.#counters = new Counters(plan.policies.map((policy) => policy.name));
    if (redis === undefined) {
      this.#memory = new MemoryStore(options);
    } else {
      const onError = () => void this.#counters.redisErrors++;
      const scripts = new RedisScripts({ redis, limiter: name, deadlineMs, clock, onError });
      this.#redis = new RedisStore(scripts, `${options.keyPrefix}:${name}`);
    }
    this.#forget = announce(this);
  }

  consume(key: string, options?: ConsumeOptions): Promise<Decision> {
    const cost = options?.cost ?? 1;
    const problem = this.#problem(key, cost);
    if (problem !== undefined) return Promise.reject(problem);
    if (this.#redis === undefined)
      return Promise.resolve(this.#decideInMemory(this.#plan, key, cost, 'memory'));
    return this.#consumeOnRedis(this.#redis, key, cost);
  }

  stats(): RateLimiterStats {
    return this.#counters.snapshot(this.#memory?.size ?? 0);
  }

  close(): Promise<void> {
    if (!this.#closed) this.#forget();
    this.#closed = true;
    return Promise.resolve();
  }

  #problem(key: string, cost: number): RateLimitError | undefined {
    if (this.#closed)
      return new RateLimitError('ERR_WEIR_RATELIMIT_CLOSED', `Limiter "${this.name}" is closed.`);
    if (typeof key !== 'string' || key.length === 0 || key.length > MAX_KEY_LENGTH) {
      const got = typeof key === 'string' ? `${key.length} characters` : shown(key);
      return new RateLimitError(
        'ERR_WEIR_RATELIMIT_KEY',
        `Expected \`key\` to be a string of 1–${MAX_KEY_LENGTH} characters, got ${got}. Hash longer keys.`,
      );
    }
    if (!Number.isSafeInteger(cost) || cost < 1) {
      return new RateLimitError(
        'ERR_WEIR_RATELIMIT_COST',
        `Expected \`cost\` to be a positive whole number, got ${shown(cost)}.`,
      );
    }
    if (cost > this.#plan.capacity) {
      return new RateLimitError(
        'ERR_WEIR_RATELIMIT_COST_ABOVE_BURST',
        `\`cost\` ${cost} is above ${this.#plan.capacity}, the most that limiter "${this.name}" can grant at once. Raise \`burst\` (or \`limit\`), or split the work.`,
      );
    }
    return undefined;
  }

  #decideInMemory(plan: Plan, key: string, cost: number, source: DecisionSource): Decision {
    this.#memory ??= new MemoryStore({ ...this.#options, plan });
    const verdict = this.#memory.decide(plan, key, cost, 1);
    return this.#settled(decisionOf(plan, verdict, cost, 0, source), cost);
  }

  #consumeOnRedis(redis: RedisStore, key: string, cost: number): Promise<Decision> {
    return new Promise((resolve) => {
      redis.decide(this.#plan, key, cost, {
        resolve: (verdict, index) =>
          resolve(this.#settled(decisionOf(this.#plan, verdict, cost, index, 'redis'), cost)),
        reject: () => resolve(this.#withoutRedis(key, cost)),
      });
    });
  }

  #withoutRedis(key: string, cost: number): Decision {
    const { onStoreError, localPlan } = this.#options;
    if (localPlan !== undefined) {
      // A cost above the local share's capacity waits for all of it.
      return this.#decideInMemory(localPlan, key, Math.min(cost, localPlan.capacity), 'local');
    }
    if (onStoreError === 'open') return this.#settled(unconditional(true, 'open'), cost);
    return this.#settled(unconditional(false, 'closed', CLOSED_RETRY_MS), cost);
  }

  #settled(decision: Decision, cost: number): Decision {
    const { allowed, source, violated, retryAfterMs } = decision;
    this.#counters.count(allowed, source);
    for (let index = 0; index < violated.length; index++) this.#counters.violate(violated[index] as string);
    if (!allowed && deniedChannel.hasSubscribers) {
      deniedChannel.publish({ limiter: this.name, policies: violated, cost, retryAfterMs, source });
    }
    return decision;
  }
}
