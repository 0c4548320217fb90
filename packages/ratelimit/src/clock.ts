import { performance } from 'node:perf_hooks';
import type { Clock } from '@weir/redis';

export type { Clock };

/** The process's monotonic clock: wall-clock steps (NTP, a suspended laptop) do not touch it. */
export const monotonicClock: Clock = {
  // Bound to the import: the global's getter costs a fifth more, and hrtime() makes an array.
  now: () => performance.now(),
};

/**
 * Algorithm time is microseconds above this origin, so that a state of zeros means "never used" whatever the window:
 * every window is shorter than the origin. Sums of it and any window stay exact in 1/16 µs within 2⁵³ (see gcra.ts).
 */
export const timeOriginUs: number = 2 ** 48;

/** The longest window: five years. With {@link timeOriginUs} it keeps all sums of times exact. */
export const maxWindowMs: number = 5 * 365 * 86_400_000;
