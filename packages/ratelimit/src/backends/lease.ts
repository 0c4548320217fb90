import type { Clock } from '../clock.ts';
import type { Verdict } from '../decide.ts';
import type { Tail } from '../stores/redis-batch.ts';

/** How soon, in ms, a block by another process ends a lease: then one request must travel. */
const CHECK_MS = 500;

/** Options of {@link Lease}. */
export interface LeaseTerms {
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

  open(): number {
    if (this.asking) return -1;
    this.asking = true;
    // What is held has not run out: the trip only checks.
    this.#checking = this.left > 0;
    return this.#checking ? 0 : this.#size;
  }

  resolve(verdict: Verdict, index: number): void {
    const nowMs = this.#terms.clock.now();
    this.asking = false;
    this.#checkMs = nowMs + CHECK_MS;
    if (verdict.blockedUs > 0) this.drop();
    if (this.#checking) return;
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
    this.#checkMs = this.#terms.clock.now() + CHECK_MS;
  }
}
