import {
  boundsOf,
  type ConcurrencyLimit,
  type LatencyWindow,
  type LimitBounds,
  within,
} from './concurrency-limit.ts';

/** Options of {@link aimdLimit}. */
export interface AimdOptions extends LimitBounds {
  /** A window whose mean exceeds it, while requests are refused or wait, counts as overload, in ms. @defaultValue 1000 */
  readonly latencyMs?: number;
  /** Factor of a decrease, 0.5–1. @defaultValue 0.9 */
  readonly backoff?: number;
}

/**
 * Additive increase, multiplicative decrease (Chiu and Jain 1989):
 *
 *     overload:  limit ← limit · backoff          else, if half of it was used:  limit ← limit + 1
 *
 * It needs to be told what latency is too much, and then never drifts. A service that becomes slower than that by
 * itself drives the limit to its least: give it several times the usual latency.
 */
export function aimdLimit(options: AimdOptions = {}): ConcurrencyLimit {
  const { latencyMs = 1000, backoff = 0.9 } = options;
  const bounds = boundsOf(options);
  let estimate = bounds.initial;
  return {
    get limit() {
      return Math.floor(estimate);
    },
    update({ meanMs, inFlight, limited, dropped }: LatencyWindow) {
      if (dropped || (meanMs > latencyMs && limited)) estimate = within(estimate * backoff, bounds);
      else if (inFlight * 2 >= estimate) estimate = within(estimate + 1, bounds);
    },
  };
}
