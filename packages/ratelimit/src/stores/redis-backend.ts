import type { Clock } from '../clock.ts';
import { aged, type Decision, decisionOf, unconditional, type Verdict } from '../policies/decision.ts';
import type { Plan } from '../policies/plan.ts';
import type { Adjustment, Backend, Settle } from './backend.ts';
import { type LeaseOptions, Leases } from './leases.ts';
import { type MemoryBackend, peeked } from './memory-backend.ts';
import type { RedisStore, Waiter } from './redis-store.ts';

/** `retryAfterMs` of a denial by `onStoreError: 'closed'`. */
const closedRetryMs = 1000;

/** Options of {@link RedisBackend}. */
interface RedisBackendOptions {
  readonly plan: Plan;
  readonly store: RedisStore;
  readonly clock: Clock;
  readonly settle: Settle;
  readonly denyCache: DenyCache | undefined;
  readonly lease: LeaseOptions | undefined;
  /** What decides while Redis fails: a verdict, or an unsettled backend with its plan for each of the limiter's. */
  readonly fallback:
    | 'open'
    | 'closed'
    | { readonly planOf: (usual: Plan) => Plan; readonly backend: MemoryBackend };
}

/** Quotas on Redis: remembered denials first, then leases, then a trip; the fallback when that fails. */
export class RedisBackend implements Backend, RequestEnd {
  readonly #options: RedisBackendOptions;
  readonly #plan: Plan;
  readonly #store: RedisStore;
  readonly #settle: Settle;
  readonly #denyCache: DenyCache | undefined;
  readonly #leases: Leases | undefined;

  constructor(options: RedisBackendOptions) {
    const { plan, lease, clock, store } = options;
    this.#options = options;
    this.#plan = plan;
    this.#store = store;
    this.#settle = options.settle;
    this.#denyCache = options.denyCache;
    const giveBack = (key: string, units: number): Promise<void> =>
      store.adjust(plan, key, { kind: 'credit', units }, true);
    if (lease !== undefined) this.#leases = new Leases({ plan, clock, lease, giveBack });
  }

  get keys(): number {
    const { fallback } = this.#options;
    return (this.#leases?.size ?? 0) + (typeof fallback === 'object' ? fallback.backend.keys : 0);
  }

  consume(plan: Plan, key: string, cost: number): Decision | Promise<Decision> {
    // Denials and leases are remembered for the limiter's own policies; a call with other limits goes to Redis.
    const leases = plan === this.#plan ? this.#leases : undefined;
    const known =
      plan === this.#plan ? (this.#denyCache?.find(key, cost) ?? leases?.take(key, cost)) : undefined;
    if (known !== undefined) return this.#settle(plan, key, known);
    return new Promise((resolve, reject) => {
      const request = new RedisRequest(plan, key, cost, this, resolve, reject);
      this.#store.decide(plan, key, cost, request, leases?.tail(key, cost));
    });
  }

  /** @internal */
  decided(request: RedisRequest, decision: Decision): Decision {
    const { plan, key } = request;
    if (!decision.allowed && plan === this.#plan) this.#denyCache?.remember(key, decision);
    return this.#settle(plan, key, decision);
  }

  /** @internal */
  failed({ plan, key, cost }: RedisRequest): Decision {
    return this.#settle(plan, key, this.#withoutRedis(plan, key, cost));
  }

  peek(plan: Plan, key: string, cost: number): Promise<Decision> {
    return this.#store.look(plan, key, cost, (verdict) =>
      peeked(plan, decisionOf(plan, verdict, cost, 0, 'redis')),
    );
  }

  async adjust(plan: Plan, key: string, adjustment: Adjustment): Promise<void> {
    await this.#store.adjust(plan, key, adjustment, false);
    this.#denyCache?.forget(plan.keyed ? undefined : key);
    if (adjustment.kind === 'block' || adjustment.kind === 'reset') {
      this.#leases?.forget(plan.keyed ? undefined : key);
    }
  }

  async refund(plan: Plan, key: string, decision: Decision, id: string): Promise<void> {
    const { source, cost, violated } = decision;
    const { fallback } = this.#options;
    if (source === 'open') return;
    if (source === 'local') {
      if (typeof fallback === 'object') await fallback.backend.refund(fallback.planOf(plan), key, decision);
      return;
    }
    if (source === 'lease' && this.#leases?.restore(key, cost) === true) return;
    await this.#store.adjust(plan, key, { kind: 'credit', units: cost, except: violated, id }, true);
    this.#denyCache?.forget(plan.keyed ? undefined : key);
  }

  async close(): Promise<void> {
    await this.#leases?.close();
  }

  #withoutRedis(plan: Plan, key: string, cost: number): Decision {
    const { fallback } = this.#options;
    if (fallback === 'open') return unconditional(true, 'open', cost);
    if (fallback === 'closed') return unconditional(false, 'closed', cost, closedRetryMs);
    // A cost above the share's capacity waits for all of it.
    const localPlan = fallback.planOf(plan);
    return fallback.backend.consume(localPlan, key, Math.min(cost, localPlan.capacity));
  }
}

/** Ends a request once Redis has answered it, or has failed. */
interface RequestEnd {
  decided(request: RedisRequest, decision: Decision): Decision;
  failed(request: RedisRequest): Decision;
}

/** One decision on its way to Redis and back. A class, since closures for each would cost more than the rest. */
class RedisRequest implements Waiter {
  next: Waiter | undefined = undefined;
  readonly plan: Plan;
  readonly key: string;
  readonly cost: number;
  readonly #end: RequestEnd;
  readonly #fulfil: (decision: Decision) => void;
  readonly #fail: (error: unknown) => void;

  constructor(
    plan: Plan,
    key: string,
    cost: number,
    end: RequestEnd,
    fulfil: (decision: Decision) => void,
    fail: (error: unknown) => void,
  ) {
    this.plan = plan;
    this.key = key;
    this.cost = cost;
    this.#end = end;
    this.#fulfil = fulfil;
    this.#fail = fail;
  }

  resolve(verdict: Verdict, index: number): void {
    try {
      this.#fulfil(this.#end.decided(this, decisionOf(this.plan, verdict, this.cost, index, 'redis')));
    } catch (error) {
      // A decision log that throws fails its own request, not those that travelled along.
      this.#fail(error);
    }
  }

  reject(): void {
    try {
      this.#fulfil(this.#end.failed(this));
    } catch (error) {
      this.#fail(error);
    }
  }
}

/** Denials kept; the oldest is evicted first. Losing one costs a trip to Redis, nothing else. */
const maxEntries = 10_000;

interface Denial {
  readonly decision: Decision;
  readonly atMs: number;
  readonly untilMs: number;
}

/**
 * Remembers denials by Redis for as long as they must hold, so that a denied client that tries again costs no trips. A
 * denial of c units holds for every cost ≥ c until its retry time, since denials change nothing and only time or a
 * credit brings units back. Credits by other processes are noticed after at most `maxMs`.
 */
export class DenyCache {
  readonly #denials = new Map<string, Denial>();
  readonly #maxMs: number;
  readonly #clock: Clock;

  constructor(maxMs: number, clock: Clock) {
    this.#maxMs = maxMs;
    this.#clock = clock;
  }

  find(key: string, cost: number): Decision | undefined {
    const denial = this.#denials.get(key);
    if (denial === undefined) return undefined;
    const nowMs = this.#clock.now();
    if (nowMs >= denial.untilMs) {
      this.#denials.delete(key);
      return undefined;
    }
    // A higher cost may have to wait longer than this denial, but not less.
    return cost < denial.decision.cost ? undefined : aged(denial.decision, nowMs - denial.atMs, cost);
  }

  remember(key: string, decision: Decision): void {
    if (decision.retryAfterMs <= 0) return;
    const nowMs = this.#clock.now();
    this.#denials.delete(key);
    const untilMs = nowMs + Math.min(decision.retryAfterMs, this.#maxMs);
    this.#denials.set(key, { decision, atMs: nowMs, untilMs });
    if (this.#denials.size > maxEntries) this.#denials.delete(this.#denials.keys().next().value as string);
  }

  /** Forgets one key, or all. */
  forget(key: string | undefined): void {
    if (key === undefined) this.#denials.clear();
    else this.#denials.delete(key);
  }
}
