/**
 * How many requests may run at once, learnt from how long they take. An algorithm only: admission is
 * `createConcurrencyLimiter`'s. One instance serves one limiter.
 */
export interface ConcurrencyLimit {
  /** Whole, at least 1. */
  readonly limit: number;
  /** What the most important tier may use: not lowered while the algorithm probes. @defaultValue `limit` */
  readonly criticalLimit?: number;
  /** Learns from one window of finished requests. */
  update(window: LatencyWindow): void;
}

/** What a limiter saw of finished requests in one window (at least 100 ms and 10 requests). */
export interface LatencyWindow {
  readonly meanMs: number;
  /** How long it lasted. */
  readonly spanMs: number;
  /** Requests that finished, per ms. */
  readonly perMs: number;
  /** The most requests that ran at once. */
  readonly inFlight: number;
  /** More than a few requests found no room: the limit, not the load, decided how many ran. */
  readonly limited: boolean;
  /** A request failed for overload: it timed out or was refused downstream. */
  readonly dropped: boolean;
}

/** Bounds that all algorithms share. */
export interface LimitBounds {
  /** @defaultValue 20 */
  readonly initial?: number;
  /** @defaultValue 4 */
  readonly min?: number;
  /** @defaultValue 1000 */
  readonly max?: number;
}

/** The same number always: a bulkhead. */
export function fixedLimit(limit: number): ConcurrencyLimit {
  return { limit, update: () => {} };
}

export function within(value: number, bounds: Required<LimitBounds>): number {
  return Math.min(Math.max(value, bounds.min), bounds.max);
}

export function boundsOf({ initial = 20, min = 4, max = 1000 }: LimitBounds): Required<LimitBounds> {
  return { initial: Math.min(Math.max(initial, min), max), min, max };
}
