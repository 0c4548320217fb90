/** Where time comes from. `now()` is in milliseconds, may be fractional, and never steps back. */
export interface Clock {
  now(): number;
}

/** How long an observation counts as recent: later, somebody may have set one of the clocks. */
const validMs = 10_000;
/** How fast two clocks may drift apart: 500 ppm, as fast as NTP slews a clock. */
const maxDrift = 0.0005;

/**
 * What the server's own clock shows, known from its replies: a reply's moment lies between the sending of its command and
 * its arrival, so every reply bounds the difference of the two clocks. The bounds of several replies are intersected; older
 * ones widen as the clocks may drift, so that one slow reply after a pause does not lose what earlier ones have shown. A
 * reply that contradicts the bounds replaces them: somebody has set a clock, or another server has taken over.
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
    const drift = Math.max(0, arrivedAt - this.#observedAt) * maxDrift;
    const earlierLow = this.#low - drift;
    const earlierHigh = this.#high + drift;
    // Before the first reply both are NaN, which no comparison fits.
    const isConsistent = low <= earlierHigh && high >= earlierLow;
    this.#low = isConsistent ? Math.max(low, earlierLow) : low;
    this.#high = isConsistent ? Math.min(high, earlierHigh) : high;
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
