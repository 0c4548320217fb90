import { randomUUID } from 'node:crypto';
import { announce, Counters, deniedChannel, type RateLimiterStats } from './channels.ts';
import { maxWindowMs } from './clock.ts';
import { RateLimitError, shown } from './errors.ts';
import { type RateLimiterOptions, type ResolvedOptions, resolveOptions } from './options.ts';
import { type Decision, unconditional } from './policies/decision.ts';
import { costProblem, encodeKey, type LimitKey, unitsProblem } from './policies/limit-key.ts';
import { type LocalShare, OverridePlans, type Overrides } from './policies/overrides.ts';
import type { Plan } from './policies/plan.ts';
import { type Adjustment, type Backend, creditMemoryMs, type Settle } from './stores/backend.ts';
import { MemoryBackend } from './stores/memory-backend.ts';
import { DenyCache, RedisBackend } from './stores/redis-backend.ts';
import { RedisScripts } from './stores/redis-scripts.ts';
import { RedisStore } from './stores/redis-store.ts';

/** `retryAfterMs` of a denial by the deny list. */
const listedRetryMs = 60_000;

/** Options of {@link RateLimiter.consume}. */
export interface ConsumeOptions {
  /** Units to take: a positive whole number. @defaultValue 1 */
  readonly cost?: number;
  /** Other numbers for some policies in this decision, such as a paying customer's. */
  readonly limits?: Overrides;
}

/** A set of quotas, decided together for every key. */
export interface RateLimiter {
  readonly name: string;
  /** The policies as given, in order. */
  readonly policies: readonly {
    readonly name: string;
    readonly limit: number;
    readonly windowMs: number;
    readonly key?: string;
  }[];
  /**
   * Takes `cost` units for `key` from every policy, or nothing at all. A denial is an answer; with Redis the answer
   * comes within `deadlineMs`, whatever Redis does.
   * @throws {RateLimitError} (rejects) `…_KEY`, `…_COST`, `…_COST_ABOVE_BURST`, `…_CLOSED`: no quota is touched.
   */
  consume(key: LimitKey, options?: ConsumeOptions): Promise<Decision>;
  /** What `consume` would answer now. Takes and counts nothing. Rejects with `…_STORE` when Redis fails. */
  peek(key: LimitKey, options?: ConsumeOptions): Promise<Decision>;
  /**
   * Gives back what an allowed decision took, once: for requests that should not have counted. Resolves with false
   * when there was nothing to give back. Rejects with `…_STORE` when Redis fails; it may then be tried again for a
   * minute, and gives back once even if the first try had reached Redis. A shallow copy (`{ ...decision }`) counts as the
   * decision itself; a deep one (`structuredClone`, JSON) is refused with `…_DECISION`.
   */
  refund(key: LimitKey, decision: Decision): Promise<boolean>;
  /** Gives `units`, however many, to every policy of a key, never beyond its full quota. Rejects with `…_STORE` when Redis fails. */
  reward(key: LimitKey, units: number): Promise<void>;
  /** Takes `units`, however many, from every policy of a key, into debt of at most its full quota. Rejects with `…_STORE`. */
  penalize(key: LimitKey, units: number): Promise<void>;
  /** Denies a key for `durationMs` (up to five years), whatever its quota. Rejects with `…_STORE`. */
  block(key: LimitKey, durationMs: number): Promise<void>;
  unblock(key: LimitKey): Promise<void>;
  /** Forgets a key: full quota, not blocked. Rejects with `…_STORE`. */
  reset(key: LimitKey): Promise<void>;
  /** A fresh snapshot of the counters. */
  stats(): RateLimiterStats;
  /**
   * Refuses further decisions and gives leases back, also those that a trip under way brings. Every call returns the same
   * promise. The caller's Redis client stays open.
   */
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

/** The refund of one decision; closed while one is under way and once it succeeded. */
interface Refund {
  readonly id: string;
  /** Until when it may be tried, by the limiter's clock. */
  readonly untilMs: number;
  isOpen: boolean;
}

/** The refund of a decision that took nothing. */
const nothing: Refund = Object.freeze({ id: '', untilMs: 0, isOpen: false });

type DecisionLog = NonNullable<RateLimiterOptions['decisionLog']>;

class Limiter implements RateLimiter {
  readonly name: string;
  readonly policies: RateLimiter['policies'];
  readonly #options: ResolvedOptions;
  readonly #plan: Plan;
  readonly #overrides: OverridePlans;
  readonly #backend: Backend;
  readonly #counters: Counters;
  // By the `policies` of a decision, which it shares with its shallow copies and with nothing else.
  /** What each allowed decision took under other limits than usual. */
  readonly #taken = new WeakMap<Decision['policies'], Plan>();
  readonly #refunds = new WeakMap<Decision['policies'], Refund>();
  readonly #forget: () => void;
  readonly #shadow: boolean;
  readonly #listing: boolean;
  readonly #decisionLog: DecisionLog | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;
  #hasWarned = false;

  constructor(options: ResolvedOptions) {
    const { name, plan, policies, shadow } = options;
    this.name = name;
    this.#options = options;
    this.#plan = plan;
    this.#shadow = shadow;
    this.#listing = options.allow !== undefined || options.deny !== undefined;
    this.#decisionLog = options.decisionLog;
    this.#overrides = new OverridePlans(policies, plan, shadow, localOf(options));
    const described = plan.policies.map(({ name, limit, windowMs, key }) =>
      Object.freeze(key === undefined ? { name, limit, windowMs } : { name, limit, windowMs, key }),
    );
    this.policies = Object.freeze(described);
    this.#counters = new Counters(plan.policies.map((policy) => policy.name));
    const settle: Settle = (settledPlan, key, decision) => this.#settle(settledPlan, key, decision);
    this.#backend = createBackend(options, settle, this.#overrides, () => void this.#counters.redisErrors++);
    this.#forget = announce(this);
  }

  consume(key: LimitKey, options?: ConsumeOptions): Promise<Decision> {
    const cost = options?.cost === undefined ? 1 : options.cost;
    try {
      const plan = options?.limits === undefined ? this.#plan : this.#overrides.plan(options.limits);
      const id = this.#checked(key, cost, plan, true);
      const listed = this.#listing ? this.#listed(key, cost) : undefined;
      if (listed !== undefined) return Promise.resolve(this.#settle(plan, id, listed));
      return Promise.resolve(this.#backend.consume(plan, id, cost));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async peek(key: LimitKey, options?: ConsumeOptions): Promise<Decision> {
    const cost = options?.cost === undefined ? 1 : options.cost;
    const plan = options?.limits === undefined ? this.#plan : this.#overrides.plan(options.limits);
    const id = this.#checked(key, cost, plan, true);
    const decision = this.#enforced(this.#listed(key, cost) ?? (await this.#backend.peek(plan, id, cost)));
    this.#refunds.set(decision.policies, nothing);
    return decision;
  }

  async refund(key: LimitKey, decision: Decision): Promise<boolean> {
    const id = this.#checked(key, 1, this.#plan, true);
    if (!isDecision(decision))
      throw new RateLimitError(
        'ERR_WEIR_RATELIMIT_DECISION',
        'Expected `decision` to be what `consume` resolved with, got another value or a deep copy, of which nobody knows whether it was refunded. Keep the decision itself, or use `reward`.',
      );
    const { policies, allowed } = decision;
    if (!allowed || policies.length === 0) return false;
    const nowMs = this.#options.clock.now();
    let refund = this.#refunds.get(policies);
    if (refund === undefined) {
      refund = { id: randomUUID(), untilMs: nowMs + creditMemoryMs, isOpen: true };
      this.#refunds.set(policies, refund);
    }
    if (!refund.isOpen || nowMs >= refund.untilMs) return false;
    refund.isOpen = false;
    try {
      await this.#backend.refund(this.#taken.get(policies) ?? this.#plan, id, decision, refund.id);
    } catch (error) {
      refund.isOpen = true;
      throw error;
    }
    return true;
  }

  async reward(key: LimitKey, units: number): Promise<void> {
    await this.#adjust(key, { kind: 'credit', units });
  }

  async penalize(key: LimitKey, units: number): Promise<void> {
    await this.#adjust(key, { kind: 'debit', units });
  }

  async block(key: LimitKey, durationMs: number): Promise<void> {
    if (!(durationMs > 0 && durationMs <= maxWindowMs)) {
      throw new RateLimitError(
        'ERR_WEIR_RATELIMIT_OPTIONS',
        `Expected \`durationMs\` to be above 0 and at most five years, got ${shown(durationMs)}.`,
      );
    }
    await this.#adjust(key, { kind: 'block', durationMs: Math.ceil(durationMs) });
  }

  async unblock(key: LimitKey): Promise<void> {
    await this.#adjust(key, { kind: 'unblock' });
  }

  async reset(key: LimitKey): Promise<void> {
    await this.#adjust(key, { kind: 'reset' });
  }

  stats(): RateLimiterStats {
    return this.#counters.snapshot(this.#backend.keys);
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closed = true;
      this.#forget();
      this.#closing = this.#backend.close();
    }
    return this.#closing;
  }

  /** The key as the backends take it; throws for a wrong one, a wrong cost and a closed limiter. */
  #checked(key: LimitKey, cost: number, plan: Plan, every: boolean): string {
    if (this.#closed)
      throw new RateLimitError('ERR_WEIR_RATELIMIT_CLOSED', `Limiter "${this.name}" is closed.`);
    const id = encodeKey(plan, key, every);
    if (typeof id !== 'string') throw id;
    const problem = costProblem(cost, plan);
    if (problem !== undefined) throw problem;
    return id;
  }

  async #adjust(key: LimitKey, adjustment: Adjustment): Promise<void> {
    const id = this.#checked(key, 1, this.#plan, false);
    const problem = 'units' in adjustment ? unitsProblem('units', adjustment.units) : undefined;
    if (problem !== undefined) throw problem;
    await this.#backend.adjust(this.#plan, id, adjustment);
  }

  #listed(key: LimitKey, cost: number): Decision | undefined {
    const { allow, deny } = this.#options;
    const keys = typeof key === 'string' ? [key] : Object.values(key);
    if (keys.some((part) => allow?.has(part)))
      return { ...unconditional(true, 'memory', cost), listed: 'allow' };
    if (keys.some((part) => deny?.has(part)))
      return { ...unconditional(false, 'memory', cost, listedRetryMs), listed: 'deny' };
    return undefined;
  }

  /** In shadow mode nothing is denied, not even a blocked or listed key. */
  #enforced(decision: Decision): Decision {
    return this.#shadow && !decision.allowed ? { ...decision, allowed: true, retryAfterMs: 0 } : decision;
  }

  #settle(plan: Plan, key: string, decided: Decision): Decision {
    const decision = this.#enforced(decided);
    const { allowed, source, violated } = decision;
    this.#counters.count(allowed, source, violated);
    if (!allowed) {
      if (deniedChannel.hasSubscribers) {
        const { cost, retryAfterMs } = decision;
        deniedChannel.publish({ limiter: this.name, policies: violated, cost, retryAfterMs, source });
      }
    } else {
      if (violated.length > 0 || !decided.allowed) this.#counters.shadowDenials++;
      if (plan !== this.#plan) this.#taken.set(decision.policies, plan);
      // Allowed by shadow mode alone: a blocked key, of which nothing was taken.
      if (!decided.allowed) this.#refunds.set(decision.policies, nothing);
    }
    if (this.#decisionLog !== undefined) this.#log(this.#decisionLog, key, decision);
    return decision;
  }

  #log({ sample, write }: DecisionLog, key: string, decision: Decision): void {
    if (this.#options.random() >= sample) return;
    try {
      const written = write({ limiter: this.name, key, decision }) as PromiseLike<unknown> | undefined;
      if (typeof written?.then === 'function') written.then(undefined, (error) => this.#logFailed(error));
    } catch (error) {
      this.#logFailed(error);
    }
  }

  /** A log that fails costs no request its answer: it is counted, and the first failure is a warning. */
  #logFailed(error: unknown): void {
    this.#counters.logErrors++;
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const reason = error instanceof Error ? error.message : String(error);
    process.emitWarning(`\`decisionLog.write\` of rate limiter "${this.name}" failed: ${reason}`, {
      code: 'WEIR_RATELIMIT_LOG',
      detail: 'Further failures are counted in `stats().logErrors` alone.',
    });
  }
}

/** Decisions carry a frozen `violated`, which deep copies do not. */
function isDecision(value: unknown): value is Decision {
  const { policies, violated } = (value ?? {}) as Partial<Decision>;
  return Array.isArray(policies) && Array.isArray(violated) && Object.isFrozen(violated);
}

/** The share that this process enforces alone while Redis fails, under `onStoreError: { mode: 'local' }`. */
function localOf({ onStoreError, localPlan }: ResolvedOptions): LocalShare | undefined {
  if (typeof onStoreError === 'string' || localPlan === undefined) return undefined;
  return { share: onStoreError.share, plan: localPlan };
}

/** Creates the backend for the options. `onError` is called for every failed call to Redis. */
function createBackend(
  options: ResolvedOptions,
  settle: Settle,
  overrides: OverridePlans,
  onError: () => void,
): Backend {
  const { name, plan, localPlan, link, onStoreError, deadlineMs, clock, keyPrefix, denyCacheMs } = options;
  if (link === undefined) return new MemoryBackend(options, settle);
  const scripts = new RedisScripts({ link, limiter: name, deadlineMs, clock, onError });
  return new RedisBackend({
    plan,
    store: new RedisStore(scripts, `${keyPrefix}:${name}`, deadlineMs),
    clock,
    settle,
    denyCache: denyCacheMs > 0 ? new DenyCache(denyCacheMs, clock) : undefined,
    lease: options.lease,
    fallback:
      typeof onStoreError === 'string' || localPlan === undefined
        ? (onStoreError as 'open' | 'closed')
        : {
            planOf: (usual) => overrides.localPlan(usual),
            backend: new MemoryBackend({ ...options, plan: localPlan }, unsettled, 'local'),
          },
  });
}

/** The backend that a fallback replaces settles the fallback's decisions. */
const unsettled: Settle = (_plan, _key, decision) => decision;
