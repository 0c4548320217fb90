import type { Clock } from '../clock.ts';
import { createVerdict, type Decision, decisionOf, type Verdict } from '../policies/decision.ts';
import type { Plan } from '../policies/plan.ts';
import type { Tail } from './redis-store.ts';

/** Leases kept; requests for further keys travel to Redis one by one until other leases end. */
const maxLeases = 100_000;

/** Options of leases. */
export interface LeaseOptions {
  /** The most units a process holds ahead for one key. */
  readonly units: number;
  /** How long a lease lasts, in ms; its unused units are then returned. @defaultValue 1000 */
  readonly ttlMs?: number;
}

/** Options of {@link Leases}. */
interface LeasesOptions {
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
  /** Credits under way. */
  readonly #credits = new Set<Promise<void>>();

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

  /** What a request to Redis takes along to lease units for later ones. */
  tail(key: string, cost: number): Tail | undefined {
    const {
      plan,
      lease: { units },
      clock,
    } = this.#options;
    let lease = this.#find(key, cost);
    if (lease !== undefined) {
      if (lease.left > 0 && clock.now() >= lease.expiresMs) this.#end(lease);
      return lease;
    }
    if (cost * 2 > units || this.size >= maxLeases) return undefined;
    const most = Math.floor(units / cost);
    lease = new Lease({ key, cost, most, ttlMs: this.#ttlMs, clock, verdict: createVerdict(plan) });
    if (cost === 1) this.#single.set(key, lease);
    else this.#dearer.set(`${cost}:${key}`, lease);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#ttlMs).unref();
    return lease;
  }

  /** Returns a request to the lease that served it. False when that lease has ended. */
  restore(key: string, cost: number): boolean {
    const lease = this.#find(key, cost);
    return lease !== undefined && this.#options.clock.now() < lease.expiresMs && lease.restore();
  }

  /** Drops what is held for a key, or for all, without giving it back: the record was reset or blocked. */
  forget(key: string | undefined): void {
    for (const lease of this.#all()) if (key === undefined || lease.key === key) lease.drop();
  }

  /** Gives everything back, also what the trips under way bring. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    const leases = this.#all();
    this.#single.clear();
    this.#dearer.clear();
    for (const lease of leases) this.#end(lease);
    await Promise.all(leases.map((lease) => lease.close()));
    for (const lease of leases) this.#end(lease);
    await Promise.all(this.#credits);
  }

  #find(key: string, cost: number): Lease | undefined {
    return cost === 1 ? this.#single.get(key) : this.#dearer.get(`${cost}:${key}`);
  }

  #all(): Lease[] {
    return [...this.#single.values(), ...this.#dearer.values()];
  }

  /** Credits what a lease has left. A credit that fails is lost: the quota comes back by time alone. */
  #end(lease: Lease): void {
    const { left, key, cost } = lease;
    if (left === 0) return;
    lease.expire();
    const credit = this.#options
      .giveBack(key, left * cost)
      .catch(() => {})
      .finally(() => this.#credits.delete(credit));
    this.#credits.add(credit);
  }

  #sweep(): void {
    const now = this.#options.clock.now();
    for (const leases of [this.#single, this.#dearer]) {
      for (const [id, lease] of leases) {
        if (lease.asking || now < lease.expiresMs) continue;
        this.#end(lease);
        // One more round without use before its size is forgotten.
        if (now >= lease.expiresMs + this.#ttlMs) leases.delete(id);
      }
    }
    if (this.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

/** How soon, in ms, a block by another process ends a lease: then one request must travel. */
const checkMs = 500;

/** Options of {@link Lease}. */
interface LeaseTerms {
  readonly key: string;
  readonly cost: number;
  /** The most requests it holds ahead. */
  readonly most: number;
  readonly ttlMs: number;
  readonly clock: Clock;
  /** An empty verdict, the lease's own. */
  readonly verdict: Verdict;
}

/** Requests of one key and cost that Redis has granted ahead of need. */
export class Lease implements Tail {
  readonly key: string;
  readonly cost: number;
  /** What Redis found when it granted the newest of them. */
  readonly verdict: Verdict;
  /** Requests held. */
  left = 0;
  expiresMs = 0;
  /** Until when requests are served without asking Redis whether the key was blocked meanwhile. */
  #checkMs = 0;
  /** A trip is under way. */
  asking = false;
  readonly #terms: LeaseTerms;
  /** Where those held end among the requests of the verdict. */
  #end = 0;
  #used = 0;
  #isClosed = false;
  /** Called when the trip under way has ended, where `close` waits for it. */
  #settled: (() => void) | undefined;
  /** The trip under way brings nothing. */
  #checking = false;
  /** How many to hold next time: doubles while they run out, halves when they go back. */
  #size = 0;

  constructor(terms: LeaseTerms) {
    this.#terms = terms;
    this.key = terms.key;
    this.cost = terms.cost;
    this.verdict = terms.verdict;
    // Not yet granted: kept from the sweep until a trip had the time to answer.
    this.expiresMs = terms.clock.now() + terms.ttlMs;
  }

  /** True when one can be used without a trip. */
  isReady(nowMs: number): boolean {
    return this.left > 0 && nowMs < this.#checkMs && nowMs < this.expiresMs;
  }

  /** Uses one. Returns its number among the requests of the verdict. */
  take(): number {
    this.#used++;
    return this.#end - this.left--;
  }

  restore(): boolean {
    if (this.#used === 0) return false;
    this.#used--;
    this.left++;
    return true;
  }

  drop(): void {
    this.left = 0;
    this.#used = 0;
  }

  /** Ends it because its time is up. */
  expire(): void {
    this.drop();
    this.#size = Math.floor(this.#size / 2);
  }

  /** Brings nothing any more. Resolves when no trip is under way. */
  close(): Promise<void> {
    this.#isClosed = true;
    if (!this.asking) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settled = resolve;
    });
  }

  open(): number {
    if (this.asking || this.#isClosed) return -1;
    this.asking = true;
    // What is held has not run out: the trip only checks.
    this.#checking = this.left > 0;
    return this.#checking ? 0 : this.#size;
  }

  resolve(verdict: Verdict, index: number): void {
    const nowMs = this.#terms.clock.now();
    this.asking = false;
    this.#checkMs = nowMs + checkMs;
    if (verdict.blockedUs > 0) this.drop();
    if (!this.#checking) this.#hold(verdict, index, nowMs);
    this.#settled?.();
  }

  #hold(verdict: Verdict, index: number, nowMs: number): void {
    this.expiresMs = nowMs + this.#terms.ttlMs;
    const brought = Math.min(this.#size, Math.max(0, verdict.granted - index));
    if (brought > 0) {
      this.verdict.granted = verdict.granted;
      this.verdict.fields.set(verdict.fields);
      this.left += brought;
      this.#end = index + brought;
      this.#used = 0;
    }
    this.#size = Math.min(this.#terms.most, Math.max(1, this.#size * 2));
  }

  reject(): void {
    this.asking = false;
    // What Redis granted stays good while Redis is away.
    this.#checkMs = this.#terms.clock.now() + checkMs;
    this.#settled?.();
  }
}
