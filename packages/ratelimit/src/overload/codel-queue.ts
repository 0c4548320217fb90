/** Options of the queue before a concurrency limiter. */
export interface QueueOptions {
  /** The most that wait. Default 100. */
  readonly maxLength?: number;
  /** How long one may wait while the queue is a standing one, in ms. Default 20. */
  readonly targetMs?: number;
  /** How long one may wait otherwise, and how long the queue must not have been empty to be a standing one. Default 200. */
  readonly intervalMs?: number;
}

/** One that waits. */
export interface Waiting {
  readonly tier: number;
  readonly sinceMs: number;
  admit(): void;
  drop(): void;
}

/**
 * Controlled delay with adaptive LIFO (Nichols and Jacobson 2012; Maurer, "Fail at Scale", 2015).
 *
 * A short burst is served in order and may wait `intervalMs`. When the queue has not been empty for that long, it
 * stands: waiting only makes everyone late, so the newest is served first and whoever waits longer than `targetMs` is
 * dropped. Tiers are served from the most important, which is also dropped last when the queue is full.
 */
export class CodelQueue {
  readonly #tiers: Waiting[][];
  readonly #maxLength: number;
  readonly #targetMs: number;
  readonly #intervalMs: number;
  #length = 0;
  #emptyMs = Number.NEGATIVE_INFINITY;

  constructor(tiers: number, { maxLength = 100, targetMs = 20, intervalMs = 200 }: QueueOptions) {
    this.#tiers = Array.from({ length: tiers }, () => []);
    this.#maxLength = maxLength;
    this.#targetMs = targetMs;
    this.#intervalMs = intervalMs;
  }

  get length(): number {
    return this.#length;
  }

  /** When the longest wait under the present rule ends, or undefined when none waits. */
  expiresMs(nowMs: number): number | undefined {
    let oldest: number | undefined;
    for (const tier of this.#tiers) {
      const first = tier[0]?.sinceMs;
      if (first !== undefined) oldest = Math.min(oldest ?? first, first);
    }
    return oldest === undefined ? undefined : oldest + this.#patienceMs(nowMs);
  }

  /** Queues one, or says false when the queue is full of its equals and betters. */
  push(waiting: Waiting, nowMs: number): boolean {
    if (this.#length === 0) this.#emptyMs = nowMs;
    if (this.#length >= this.#maxLength && !this.#dropBelow(waiting.tier)) return false;
    (this.#tiers[waiting.tier] as Waiting[]).push(waiting);
    this.#length++;
    return true;
  }

  remove(waiting: Waiting): void {
    const tier = this.#tiers[waiting.tier] as Waiting[];
    const index = tier.indexOf(waiting);
    if (index < 0) return;
    tier.splice(index, 1);
    this.#length--;
  }

  /** Takes the next that may run among the tiers that `admits` lets through. Drops those that waited too long. */
  shift(nowMs: number, admits: (tier: number) => boolean): Waiting | undefined {
    this.expire(nowMs);
    const standing = this.#standing(nowMs);
    for (const [index, tier] of this.#tiers.entries()) {
      if (tier.length === 0 || !admits(index)) continue;
      this.#length--;
      if (this.#length === 0) this.#emptyMs = nowMs;
      return standing ? tier.pop() : tier.shift();
    }
    return undefined;
  }

  /** Drops those that waited too long. */
  expire(nowMs: number): void {
    if (this.#length === 0) {
      this.#emptyMs = nowMs;
      return;
    }
    const patienceMs = this.#patienceMs(nowMs);
    for (const tier of this.#tiers) {
      while (tier.length > 0 && nowMs - (tier[0] as Waiting).sinceMs >= patienceMs) {
        this.#length--;
        tier.shift()?.drop();
      }
    }
  }

  #standing(nowMs: number): boolean {
    return nowMs - this.#emptyMs > this.#intervalMs;
  }

  #patienceMs(nowMs: number): number {
    return this.#standing(nowMs) ? this.#targetMs : this.#intervalMs;
  }

  #dropBelow(tier: number): boolean {
    for (let index = this.#tiers.length - 1; index > tier; index--) {
      const victim = (this.#tiers[index] as Waiting[]).shift();
      if (victim === undefined) continue;
      this.#length--;
      victim.drop();
      return true;
    }
    return false;
  }
}
