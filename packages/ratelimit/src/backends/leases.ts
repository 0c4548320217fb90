import type { Clock } from '../clock.ts';
import type { Verdict } from '../decide.ts';
import { type Decision, decisionOf } from '../decision.ts';
import type { Plan } from '../plan.ts';

/** Leases kept; a further key goes to Redis request by request. */
const MAX_LEASES = 10_000;

/** Options of leases. */
export interface LeaseOptions {
  /** The most units a process holds ahead for one key. */
  readonly units: number;
  /** How long, in ms; then what is left goes back. Default 1000. */
  readonly ttlMs?: number;
}

interface Lease {
  readonly key: string;
  readonly cost: number;
  /** Requests `next` up to `end` of the verdict's count are this lease's to allow. */
  next: number;
  end: number;
  verdict: Verdict | undefined;
  expiresMs: number;
  /** Requests to ask for next time: doubles while leases run out, halves when they are given back. */
  size: number;
  /** Requests that wait for the trip under way. */
  waiting: Pending[] | undefined;
}

interface Pending {
  resolve(decision: Decision): void;
  reject(error: unknown): void;
}

/** How leases reach Redis. */
export interface LeaseSource {
  /** Asks for `count` requests at once. `index` is where they begin in the verdict's count. */
  ask(
    key: string,
    cost: number,
    count: number,
  ): Promise<{ readonly verdict: Verdict; readonly index: number }>;
  giveBack(key: string, units: number): Promise<void>;
}

/**
 * Units taken from Redis ahead of need. Redis debits them when they are leased, so processes together never use more
 * than it granted; what a lease did not use is credited when it ends. Use lags the debit by at most `ttlMs`: a window
 * W can see what the algorithm bounds for W + ttlMs.
 */
export class Leases {
  readonly #leases = new Map<string, Lease>();
  readonly #plan: Plan;
  readonly #source: LeaseSource;
  readonly #clock: Clock;
  readonly #units: number;
  readonly #ttlMs: number;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(plan: Plan, source: LeaseSource, clock: Clock, { units, ttlMs = 1000 }: LeaseOptions) {
    this.#plan = plan;
    this.#source = source;
    this.#clock = clock;
    this.#units = units;
    this.#ttlMs = ttlMs;
  }

  get size(): number {
    return this.#leases.size;
  }

  /** Undefined when this request should go to Redis by itself. Rejects when the trip for it failed. */
  consume(key: string, cost: number): Decision | Promise<Decision> | undefined {
    const id = `${cost}:${key}`;
    let lease = this.#leases.get(id);
    if (lease === undefined) {
      if (cost * 2 > this.#units || this.#leases.size >= MAX_LEASES) return undefined;
      lease = { key, cost, next: 0, end: 0, verdict: undefined, expiresMs: 0, size: 1, waiting: undefined };
      this.#leases.set(id, lease);
      this.#sweeper ??= setInterval(() => this.#sweep(), this.#ttlMs).unref();
    }
    if (lease.next < lease.end && this.#clock.now() < lease.expiresMs) {
      return decisionOf(this.#plan, lease.verdict as Verdict, cost, lease.next++, 'lease');
    }
    return this.#join(lease);
  }

  /** Takes a request back into the lease it came from, or says false when that has ended. */
  restore(key: string, cost: number): boolean {
    const lease = this.#leases.get(`${cost}:${key}`);
    if (lease === undefined || lease.next === 0 || this.#clock.now() >= lease.expiresMs) return false;
    lease.next--;
    return true;
  }

  /** Drops what is held for a key without giving it back: the record was reset or blocked. */
  forget(key: string): void {
    for (const lease of this.#leases.values()) if (lease.key === key) lease.next = lease.end;
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    const ended = [...this.#leases.values()].map((lease) => this.#end(lease));
    this.#leases.clear();
    await Promise.all(ended);
  }

  #join(lease: Lease): Promise<Decision> {
    return new Promise((resolve, reject) => {
      const pending = { resolve, reject };
      if (lease.waiting !== undefined) lease.waiting.push(pending);
      else {
        lease.waiting = [pending];
        // Requests of this turn of the event loop join before the trip begins.
        queueMicrotask(() => void this.#renew(lease));
      }
    });
  }

  async #renew(lease: Lease): Promise<void> {
    if (lease.next < lease.end) void this.#end(lease);
    else if (lease.verdict !== undefined) lease.size *= 2;
    lease.size = Math.min(lease.size, Math.floor(this.#units / lease.cost));
    while (lease.waiting !== undefined && lease.waiting.length > 0) {
      const count = Math.max(lease.size, lease.waiting.length);
      try {
        const { verdict, index } = await this.#source.ask(lease.key, lease.cost, count);
        this.#share(lease, verdict, index, count);
      } catch (error) {
        const waiting = lease.waiting;
        lease.waiting = undefined;
        for (const pending of waiting) pending.reject(error);
      }
    }
    lease.waiting = undefined;
  }

  /** Serves those who wait, in order; who is left over waits on only if Redis granted all that was asked. */
  #share(lease: Lease, verdict: Verdict, index: number, count: number): void {
    lease.verdict = verdict;
    lease.next = index;
    lease.end = Math.min(index + count, Math.max(index, verdict.granted));
    lease.expiresMs = this.#clock.now() + this.#ttlMs;
    const waiting = lease.waiting ?? [];
    const dry = lease.end < index + count;
    let served = 0;
    for (; served < waiting.length; served++) {
      let at = verdict.granted;
      if (lease.next < lease.end) at = lease.next++;
      else if (!dry) break;
      (waiting[served] as Pending).resolve(decisionOf(this.#plan, verdict, lease.cost, at, 'redis'));
    }
    lease.waiting = waiting.slice(served);
  }

  /** Credits what a lease has left. A credit that fails is lost: the quota comes back by time alone. */
  #end(lease: Lease): Promise<void> {
    const left = lease.end - lease.next;
    lease.next = lease.end;
    if (left <= 0) return Promise.resolve();
    lease.size = Math.max(1, Math.floor(lease.size / 2));
    return this.#source.giveBack(lease.key, left * lease.cost).catch(() => {});
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const [id, lease] of this.#leases) {
      if (lease.waiting !== undefined || now < lease.expiresMs) continue;
      void this.#end(lease);
      // One more round without use before its size is forgotten.
      if (now >= lease.expiresMs + this.#ttlMs) this.#leases.delete(id);
    }
    if (this.#leases.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
