/** How long an observation counts: the two clocks may drift apart, or one of them be set. */
const validMs = 10_000;

/**
 * What Redis' own clock shows, known from its replies: a reply's moment lies between the sending of its command and its
 * arrival, so every reply bounds the difference of the two clocks, and the bounds of several are intersected. Replies
 * that contradict the bounds replace them: somebody has set a clock, or another server has taken over.
 */
export class ServerClock {
  #low = Number.NaN;
  #high = Number.NaN;
  #observedAt = Number.NEGATIVE_INFINITY;

  /** Whether a reply of the last seconds tells the time. */
  isKnown(now: number): boolean {
    return now - this.#observedAt < validMs;
  }

  /** All in milliseconds, the last two on the cache's clock. */
  observe(serverMs: number, sentAt: number, arrivedAt: number): void {
    const low = serverMs - arrivedAt;
    const high = serverMs - sentAt;
    const isConsistent = this.isKnown(arrivedAt) && low <= this.#high && high >= this.#low;
    this.#low = isConsistent ? Math.max(low, this.#low) : low;
    this.#high = isConsistent ? Math.min(high, this.#high) : high;
    this.#observedAt = arrivedAt;
  }

  /** A moment of Redis' clock on the cache's clock: the earliest it can be. */
  toLocal(serverMs: number): number {
    return serverMs - this.#high;
  }
}
