/**
 * What a rate-limit algorithm is: functions of (state, now, units) without a clock, randomness or I/O.
 *
 * The state of one key under one policy is a run of float64 cells at `at`, all zero for a key never seen. Times are µs
 * above `timeOriginUs`. Each algorithm exists twice, here and in `algorithm.lua`, with the same operations in
 * the same order on the same IEEE doubles, so both decide alike to the last bit (a test holds them to it).
 */
export interface Algorithm {
  /** How many cells the state of one key takes. */
  cells(parameters: Parameters): number;
  /** Units that could be taken at `now`, whole, never negative. */
  available(parameters: Parameters, cells: Float64Array, at: number, now: number): number;
  /** Takes `units` whether available or not; debt is capped at one full quota beyond empty. */
  debit(parameters: Parameters, cells: Float64Array, at: number, now: number, units: number): void;
  /** Gives back `units`; never above a full quota. */
  credit(parameters: Parameters, cells: Float64Array, at: number, now: number, units: number): void;
  /** µs until `units` (at most the capacity) are available if nothing else is taken; 0 when they are now. */
  waitUs(parameters: Parameters, cells: Float64Array, at: number, now: number, units: number): number;
  /** µs until the full quota is available if nothing else is taken; 0 when it is now. */
  resetUs(parameters: Parameters, cells: Float64Array, at: number, now: number): number;
  /** The most units that any closed window of `windowMs` can see admitted, whatever the arrivals. */
  worstBurst(parameters: Parameters): number;
}

/** A policy's numbers, prepared once. What `intervalUs` and `refill` mean is the algorithm's own. */
export interface Parameters {
  /** N of "N per window". */
  readonly limit: number;
  readonly windowUs: number;
  /** The most units one instant can grant. */
  readonly capacity: number;
  /** GCRA: µs a unit; token bucket: µs between refills; else unused. */
  readonly intervalUs: number;
  /** Token bucket: units a refill; else unused. */
  readonly refill: number;
  /** GCRA whose interval is finer than its state: a debit rounds up, and may take more units than it should. */
  readonly rounds: boolean;
  /** GCRA: where the record holds the interval that its state was written under, relative to the state; else unused. */
  readonly intervalCell: -1 | 1;
}
