import type { Clock } from '../clock.ts';
import { createVerdict } from '../decide.ts';
import { type Decision, decisionOf } from '../decision.ts';
import type { Plan } from '../plan.ts';
import type { Tail } from '../stores/redis-batch.ts';
import { Lease } from './lease.ts';

/** Leases kept; a further key goes to Redis request by request until others are given up. */
const MAX_LEASES = 100_000;

/** Options of leases. */
export interface LeaseOptions {
  /** The most units a process holds ahead for one key. */
  readonly units: number;
  /** How long, in ms; then what is left goes back. Default 1000. */
  readonly ttlMs?: number;
}

/** Options of {@link Leases}. */
export interface LeasesOptions {
  readonly plan: Plan;
  readonly clock: Clock;
  readonly lease: LeaseOptions;
  /** Credits units that were not used. */
  readonly giveBack: (key: string, units: number) => Promise<void>;
}

/**
 * Units taken from Redis ahead of need: a trip brings what waits and up to `units` more. Redis debits them when they
 * are leased, so processes together never use more than it granted; what a lease did not use is credited when it ends.
 * Use lags the debit by at most `ttlMs`: a window W can see what the algorithm bounds for W + ttlMs. Twice a second one
 * request of a key travels although units are held, which finds out whether another process blocked the key.
 */
export class Leases {
  readonly #options: LeasesOptions;
  /** Leases of cost 1 by key, and of other costs by cost and key. */
  readonly #single = new Map<string, Lease>();
  readonly #dearer = new Map<string, Lease>();
  readonly #ttlMs: number;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: LeasesOptions) {
    this.#options = options;
    this.#ttlMs = options.lease.ttlMs ?? 1000;
  }

  get size(): number {
    return this.#single.size + this.#dearer.size;
  }

  /** A decision from what is held, or undefined when nothing is. */
  take(key: string, cost: number): Decision | undefined {
    const lease = this.#find(key, cost);
    if (lease === undefined || !lease.isReady(this.#options.clock.now())) return undefined;
    return decisionOf(this.#options.plan, lease.verdict, cost, lease.take(), 'lease');
  }

  /** What goes along with a request to Redis to bring units for those after it. */
  tail(key: string, cost: number): Tail | undefined {
    const {
      plan,
      lease: { units },
      clock,
    } = this.#options;
    let lease = this.#find(key, cost);
    if (lease !== undefined) {
      if (lease.left > 0 && clock.now() >= lease.expiresMs) void this.#end(lease);
      return lease;
    }
    if (cost * 2 > units || this.size >= MAX_LEASES) return undefined;
    const most = Math.floor(units / cost);
    lease = new Lease({ key, cost, most, ttlMs: this.#ttlMs, clock, verdict: createVerdict(plan) });
    if (cost === 1) this.#single.set(key, lease);
    else this.#dearer.set(`${cost}:${key}`, lease);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#ttlMs).unref();
    return lease;
  }

  /** Takes a request back into the lease it came from, or says false when that has ended. */
  restore(key: string, cost: number): boolean {
    const lease = this.#find(key, cost);
    return lease !== undefined && this.#options.clock.now() < lease.expiresMs && lease.restore();
  }

  /** Drops what is held for a key, or for all, without giving it back: the record was reset or blocked. */
  forget(key: string | undefined): void {
    for (const lease of this.#all()) if (key === undefined || lease.key === key) lease.drop();
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    const ended = this.#all().map((lease) => this.#end(lease));
    this.#single.clear();
    this.#dearer.clear();
    await Promise.all(ended);
  }

  #find(key: string, cost: number): Lease | undefined {
    return cost === 1 ? this.#single.get(key) : this.#dearer.get(`${cost}:${key}`);
  }

  #all(): Lease[] {
    return [...this.#single.values(), ...this.#dearer.values()];
  }

  /** Credits what a lease has left. A credit that fails is lost: the quota comes back by time alone. */
  #end(lease: Lease): Promise<void> {
    const { left, key, cost } = lease;
    if (left === 0) return Promise.resolve();
    lease.expire();
    return this.#options.giveBack(key, left * cost).catch(() => {});
  }

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const leases of [this.#single, this.#dearer]) {
      for (const [id, lease] of leases) {
        if (lease.asking || now < lease.expiresMs) continue;
        void this.#end(lease);
        // One more round without use before its size is forgotten.
        if (now >= lease.expiresMs + this.#ttlMs) leases.delete(id);
      }
    }
    if (this.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
