import {
  boundsOf,
  type ConcurrencyLimit,
  type LatencyWindow,
  type LimitBounds,
  within,
} from './concurrency-limit.ts';
import { LatencyFloor } from './latency-floor.ts';

/** Share of a new window in the latency that is compared. */
const SMOOTHING = 0.3;

/**
 * TCP Vegas (Brakmo and Peterson 1995) for requests, as Netflix' concurrency-limits takes it. With the latency without
 * queueing L₀ and the present mean L, the requests that wait somewhere downstream are
 *
 *     queue = limit · (1 − L₀/L)
 *
 * Below 3·log₁₀(limit) the limit grows, above 6·log₁₀(limit) it shrinks if it refused anyone, and between it stays. A
 * window that used less than half of the limit teaches nothing. L₀ is probed, so that it cannot drift: `LatencyFloor`.
 */
export function vegasLimit(options: LimitBounds = {}): ConcurrencyLimit {
  const bounds = boundsOf(options);
  const floor = new LatencyFloor();
  let estimate = bounds.initial;
  let latencyMs = 0;
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
      const step = Math.max(1, Math.log10(estimate));
      if (dropped) {
        estimate = within(estimate - Math.max(step, estimate * 0.1), bounds);
        return;
      }
      if (probed || floor.probing) return;
      latencyMs = latencyMs === 0 ? meanMs : latencyMs + (meanMs - latencyMs) * SMOOTHING;
      if (inFlight * 2 < estimate) return;
      const queue = estimate * (1 - Math.min(1, floor.usualMs / latencyMs));
      if (queue < 3 * step) estimate = within(estimate + step, bounds);
      else if (queue > 6 * step && limited)
        estimate = within(estimate - Math.max(step, estimate * 0.05), bounds);
    },
  };
}
