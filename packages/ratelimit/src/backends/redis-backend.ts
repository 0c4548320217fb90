import type { Clock } from '../clock.ts';
import { type Decision, decisionOf, unconditional } from '../decision.ts';
import type { Plan } from '../plan.ts';
import type { RedisStore } from '../stores/redis-store.ts';
import type { Adjustment } from '../stores/store.ts';
import type { Backend } from './backend.ts';
import type { DenyCache } from './deny-cache.ts';
import { type LeaseOptions, type LeaseSource, Leases } from './leases.ts';
import { type MemoryBackend, peeked } from './memory-backend.ts';

/** What a denial by `onStoreError: 'closed'` names as the time to retry after. */
const CLOSED_RETRY_MS = 1000;

/** Options of {@link RedisBackend}. */
export interface RedisBackendOptions {
  readonly plan: Plan;
  readonly store: RedisStore;
  readonly clock: Clock;
  readonly denyCache: DenyCache | undefined;
  readonly lease: LeaseOptions | undefined;
  /** What decides while Redis fails: a verdict, or a backend with its plan. */
  readonly fallback: 'open' | 'closed' | { readonly plan: Plan; readonly backend: MemoryBackend };
}

/** Quotas on Redis: remembered denials first, then leases, then a trip; the fallback when that fails. */
export class RedisBackend implements Backend {
  readonly #options: RedisBackendOptions;
  readonly #store: RedisStore;
  readonly #leases: Leases | undefined;

  constructor(options: RedisBackendOptions) {
    this.#options = options;
    this.#store = options.store;
    const { plan, lease, clock } = options;
    if (lease !== undefined) {
      const source = {
        ask: (key: string, cost: number, count: number) => this.#ask(plan, key, cost, count),
        giveBack: (key: string, units: number) => this.#store.adjust(plan, key, { kind: 'credit', units }),
      };
      this.#leases = new Leases(plan, source, clock, lease);
    }
  }

  get keys(): number {
    const { fallback } = this.#options;
    return (this.#leases?.size ?? 0) + (typeof fallback === 'object' ? fallback.backend.keys : 0);
  }

  consume(plan: Plan, key: string, cost: number): Decision | Promise<Decision> {
    // Denials and leases are remembered for the limiter's own policies; a call with other limits goes to Redis.
    const usual = plan === this.#options.plan;
    const { denyCache, clock } = this.#options;
    const known = usual ? denyCache?.find(key, cost, clock.now()) : undefined;
    if (known !== undefined) return known;
    const leased = usual ? this.#leases?.consume(key, cost) : undefined;
    if (leased !== undefined && !(leased instanceof Promise)) return leased;
    return new Promise((resolve) => {
      const settle = (decision: Decision): void => {
        if (usual && !decision.allowed && decision.retryAfterMs > 0)
          denyCache?.remember(key, decision, clock.now());
        resolve(decision);
      };
      const fail = (): void => resolve(this.#withoutRedis(key, cost));
      if (leased !== undefined) leased.then(settle, fail);
      else {
        this.#store.decide(plan, key, cost, {
          count: 1,
          resolve: (verdict, index) => settle(decisionOf(plan, verdict, cost, index, 'redis')),
          reject: fail,
        });
      }
    });
  }

  async peek(plan: Plan, key: string, cost: number): Promise<Decision> {
    return peeked(plan, decisionOf(plan, await this.#store.look(plan, key, cost), cost, 0, 'redis'));
  }

  async adjust(plan: Plan, key: string, adjustment: Adjustment): Promise<void> {
    await this.#store.adjust(plan, key, adjustment);
    this.#options.denyCache?.forget(key);
    if (adjustment.kind === 'block' || adjustment.kind === 'reset') this.#leases?.forget(key);
  }

  async refund(plan: Plan, key: string, decision: Decision): Promise<void> {
    const { source, cost } = decision;
    const { fallback } = this.#options;
    if (source === 'open') return;
    if (source === 'local') {
      if (typeof fallback === 'object') await fallback.backend.refund(fallback.plan, key, decision);
      return;
    }
    if (source === 'lease' && this.#leases?.restore(key, cost) === true) return;
    await this.adjust(plan, key, { kind: 'credit', units: cost });
  }

  async close(): Promise<void> {
    await this.#leases?.close();
  }

  #ask(plan: Plan, key: string, cost: number, count: number): ReturnType<LeaseSource['ask']> {
    return new Promise((resolve, reject) => {
      this.#store.decide(plan, key, cost, {
        count,
        resolve: (verdict, index) => resolve({ verdict, index }),
        reject,
      });
    });
  }

  #withoutRedis(key: string, cost: number): Decision {
    const { fallback } = this.#options;
    if (fallback === 'open') return unconditional(true, 'open', cost);
    if (fallback === 'closed') return unconditional(false, 'closed', cost, CLOSED_RETRY_MS);
    // A cost above the share's capacity waits for all of it.
    return fallback.backend.consume(fallback.plan, key, Math.min(cost, fallback.plan.capacity));
  }
}
