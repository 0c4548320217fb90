/** Options of the queue before a concurrency limiter. */
export interface QueueOptions {
  /** The most that wait. @defaultValue 100 */
  readonly maxLength?: number;
  /** How long one may wait while the queue is a standing one, in ms. @defaultValue 20 */
  readonly targetMs?: number;
  /** How long one may wait otherwise, and how long the queue must not have been empty to be a standing one. @defaultValue 200 */
  readonly intervalMs?: number;
}

/** One that waits. */
export interface Waiting {
  readonly tier: number;
  readonly sinceMs: number;
  admit(): void;
  drop(): void;
}

/** Those of one tier, the oldest first. */
interface TierQueue {
  readonly waiting: Waiting[];
  /** When it was empty last. */
  emptyMs: number;
}

/**
 * Controlled delay with adaptive LIFO (Nichols and Jacobson 2012; Maurer, "Fail at Scale", 2015), a queue a tier.
 *
 * A short burst is served in order and may wait `intervalMs`. When a tier's queue has not been empty for that long, it
 * stands: waiting only makes everyone late, so the newest is served first and whoever waits longer than `targetMs` is
 * dropped. Tiers are served from the most important, which is also dropped last when the queue is full; the standing
 * queue of one makes no other impatient.
 */
export class CodelQueue {
  readonly #tiers: TierQueue[];
  readonly #maxLength: number;
  readonly #targetMs: number;
  readonly #intervalMs: number;
  #length = 0;

  constructor(tiers: number, { maxLength = 100, targetMs = 20, intervalMs = 200 }: QueueOptions) {
    this.#tiers = Array.from({ length: tiers }, () => ({ waiting: [], emptyMs: Number.NEGATIVE_INFINITY }));
    this.#maxLength = maxLength;
    this.#targetMs = targetMs;
    this.#intervalMs = intervalMs;
  }

  get length(): number {
    return this.#length;
  }

  /** When the first of those that wait will have waited too long, or undefined when none waits. */
  expiresMs(nowMs: number): number | undefined {
    let expires: number | undefined;
    for (const tier of this.#tiers) {
      const oldest = tier.waiting[0];
      if (oldest === undefined) continue;
      expires = Math.min(expires ?? Number.POSITIVE_INFINITY, oldest.sinceMs + this.#patienceMs(tier, nowMs));
    }
    return expires;
  }

  /** Queues one. False when the queue is full of requests of its own tier and more important ones. */
  push(waiting: Waiting, nowMs: number): boolean {
    const tier = this.#tiers[waiting.tier] as TierQueue;
    if (this.#length >= this.#maxLength && !this.#dropBelow(waiting.tier)) return false;
    if (tier.waiting.length === 0) tier.emptyMs = nowMs;
    tier.waiting.push(waiting);
    this.#length++;
    return true;
  }

  remove(waiting: Waiting): void {
    const { waiting: tier } = this.#tiers[waiting.tier] as TierQueue;
    const index = tier.indexOf(waiting);
    if (index < 0) return;
    tier.splice(index, 1);
    this.#length--;
  }

  /** Takes the next that may run among the tiers that `admits` lets through. Drops those that waited too long. */
  shift(nowMs: number, admits: (tier: number) => boolean): Waiting | undefined {
    this.expire(nowMs);
    for (const [index, tier] of this.#tiers.entries()) {
      if (tier.waiting.length === 0 || !admits(index)) continue;
      this.#length--;
      return this.#stands(tier, nowMs) ? tier.waiting.pop() : tier.waiting.shift();
    }
    return undefined;
  }

  /** Drops those that waited too long. */
  expire(nowMs: number): void {
    if (this.#length === 0) return;
    for (const tier of this.#tiers) {
      const patienceMs = this.#patienceMs(tier, nowMs);
      while (tier.waiting.length > 0 && nowMs - (tier.waiting[0] as Waiting).sinceMs >= patienceMs) {
        this.#length--;
        tier.waiting.shift()?.drop();
      }
    }
  }

  #stands(tier: TierQueue, nowMs: number): boolean {
    return nowMs - tier.emptyMs > this.#intervalMs;
  }

  #patienceMs(tier: TierQueue, nowMs: number): number {
    return this.#stands(tier, nowMs) ? this.#targetMs : this.#intervalMs;
  }

  #dropBelow(tier: number): boolean {
    for (let index = this.#tiers.length - 1; index > tier; index--) {
      const victim = this.#tiers[index]?.waiting.shift();
      if (victim === undefined) continue;
      this.#length--;
      victim.drop();
      return true;
    }
    return false;
  }
}
