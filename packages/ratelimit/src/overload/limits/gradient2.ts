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
  /** How much slower than usual is still fine, ≥ 1. @defaultValue 1.5 */
  readonly tolerance?: number;
}

/** Share of a new value in the limit. */
const SMOOTHING = 0.2;

/**
 * Gradient2 of Netflix' concurrency-limits. With the long-term latency Lₗ and a window's mean L
 *
 *     gradient = clamp(tolerance · Lₗ/L, ½, 1)
 *     limit ← 0.8·limit + 0.2·(limit·gradient + √limit)
 *
 * √limit is the queue it allows. A limit that refuses nobody is not lowered: a noisy moment of a service with room to
 * spare would only turn into refusals. The long-term latency follows slow changes of the service, but never exceeds 1.2
 * times the probed floor: without that bound lasting overload becomes "usual", and the limit drifts up.
 */
export function gradient2Limit(options: Gradient2Options = {}): ConcurrencyLimit {
  const { tolerance = 1.5 } = options;
  const bounds = boundsOf(options);
  const floor = new LatencyFloor();
  let estimate = bounds.initial;
  return {
    get limit() {
      return floor.limit(estimate, bounds.min);
    },
    get criticalLimit() {
      return floor.criticalLimit(estimate, bounds.min);
    },
    update(window: LatencyWindow) {
      const { meanMs, inFlight, limited, dropped } = window;
      const probed = floor.probing;
      floor.update(window, bounds.min);
      if (!dropped && (probed || floor.probing || inFlight * 2 < estimate)) return;
      const gradient = dropped ? 0.5 : Math.min(1, Math.max(0.5, (tolerance * floor.usualMs) / meanMs));
      if (gradient < 1 && !limited && !dropped) return;
      const target = estimate * gradient + (dropped ? 0 : Math.sqrt(estimate));
      estimate = within(estimate + (target - estimate) * SMOOTHING, bounds);
    },
  };
}
