/** Where time comes from. `now()` is in milliseconds, may be fractional, and never steps back. */
export interface Clock {
  now(): number;
}

/** How long an observation bounds the difference of two clocks: they may drift apart, or one of them be set. */
const validMs = 10_000;

/**
 * What the server's own clock shows, known from its replies: a reply's moment lies between the sending of its command and
 * its arrival, so every reply bounds the difference of the two clocks, and the bounds of several are intersected. A reply
 * that contradicts the bounds replaces them: somebody has set a clock, or another server has taken over.
 */
export class ServerClock {
  /** The difference, server minus local, is at least this. */
  #low = Number.NaN;
  /** And at most this. */
  #high = Number.NaN;
  #observedAt = Number.NEGATIVE_INFINITY;

  /** Whether a reply of the last ten seconds tells the time. */
  isKnown(nowMs: number): boolean {
    return nowMs - this.#observedAt < validMs;
  }

  /** Learns from a reply. All in milliseconds, the last two on the local clock. */
  observe(serverMs: number, sentAt: number, arrivedAt: number): void {
    const low = serverMs - arrivedAt;
    const high = serverMs - sentAt;
    const isConsistent = this.isKnown(arrivedAt) && low <= this.#high && high >= this.#low;
    this.#low = isConsistent ? Math.max(low, this.#low) : low;
    this.#high = isConsistent ? Math.min(high, this.#high) : high;
    this.#observedAt = arrivedAt;
  }

  /** A moment of the server's clock on the local one: the earliest that it can be. NaN before the first reply. */
  toLocal(serverMs: number): number {
    return serverMs - this.#high;
  }

  /** A moment of the local clock on the server's: the earliest that it can be. NaN before the first reply. */
  toServer(localMs: number): number {
    return localMs + this.#low;
  }
}
