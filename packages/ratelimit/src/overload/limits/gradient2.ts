import {
  boundsOf,
  type ConcurrencyLimit,
  type LatencyWindow,
  type LimitBounds,
  within,
} from './concurrency-limit.ts';
import { LatencyFloor } from './latency-floor.ts';

/** Options of {@link gradient2Limit}. */
export interface Gradient2Options extends LimitBounds {
  /** How much slower than usual is still fine, ≥ 1. Default 1.5. */
  readonly tolerance?: number;
}

/** Share of a new value in the long-term latency and in the limit. */
const LONG_TERM = 0.05;
const SMOOTHING = 0.2;
/** The long-term latency is at most this many times the floor. */
const MOST_ABOVE_FLOOR = 1.2;

/**
 * Gradient2 of Netflix' concurrency-limits. With the long-term latency Lₗ and a window's mean L
 *
 *     gradient = clamp(tolerance · Lₗ/L, ½, 1)
 *     limit ← 0.8·limit + 0.2·(limit·gradient + √limit)
 *
 * √limit is the queue it allows. The long-term latency follows slow changes of the service, but never exceeds 1.2
 * times the probed floor: without that bound lasting overload becomes "usual", and the limit drifts up.
 */
export function gradient2Limit(options: Gradient2Options = {}): ConcurrencyLimit {
  const { tolerance = 1.5 } = options;
  const bounds = boundsOf(options);
  const floor = new LatencyFloor();
  let estimate = bounds.initial;
  let longMs = 0;
  return {
    get limit() {
      return floor.limit(estimate, bounds.min);
    },
    update(window: LatencyWindow) {
      const { meanMs, inFlight, dropped } = window;
      const probed = floor.probing;
      floor.update(window, estimate);
      longMs = longMs === 0 ? meanMs : longMs + (meanMs - longMs) * LONG_TERM;
      longMs = Math.min(longMs, floor.ms * MOST_ABOVE_FLOOR);
      if (!dropped && (probed || floor.probing || inFlight * 2 < estimate)) return;
      const gradient = dropped ? 0.5 : Math.min(1, Math.max(0.5, (tolerance * longMs) / meanMs));
      const target = estimate * gradient + (dropped ? 0 : Math.sqrt(estimate));
      estimate = within(estimate + (target - estimate) * SMOOTHING, bounds);
    },
  };
}
