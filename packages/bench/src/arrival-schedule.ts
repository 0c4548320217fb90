/**
 * When an open loop's requests are due. With N(t) = ∫ rate dt, arrival k is due where N(t) = k: evenly spaced at a constant
 * rate, and along a ramp from a to b in T: t = 2n / (a + √(a² + 2sn)), s = (b − a) / T, n = k − N(stage begin).
 */

/** A stretch of the load with a constant rate or a linear ramp. */
export interface RateStage {
  readonly durationMs: number;
  /** Requests per second; reached at the stage's end when it ramps. */
  readonly rate: number;
  /** Ramps from this rate. Without it the stage is constant. */
  readonly from?: number;
}

/** Arrival times in milliseconds since the load began, for indices that only grow. */
export interface ArrivalSchedule {
  readonly durationMs: number;
  /** `Infinity` past the last arrival. */
  dueMs(index: number): number;
}

/** Stages follow one another without a gap. */
export function createArrivalSchedule(stages: readonly RateStage[]): ArrivalSchedule {
  let beginMs = 0;
  let beginCount = 0;
  const parts = stages.map(({ durationMs, rate, from = rate }) => {
    const part = { beginMs, beginCount, from: from / 1_000, slope: (rate - from) / 1_000 / durationMs };
    beginMs += durationMs;
    beginCount += ((from + rate) / 2_000) * durationMs;
    return { ...part, endCount: beginCount };
  });
  const durationMs = beginMs;
  let current = 0;
  return {
    durationMs,
    dueMs(index) {
      // The tolerance keeps the sum of many stages' fractions from adding a last arrival at the very end.
      while (current < parts.length && index >= (parts[current]?.endCount ?? 0) - 1e-9) current += 1;
      const part = parts[current];
      if (part === undefined) return Number.POSITIVE_INFINITY;
      const count = index - part.beginCount;
      if (count <= 0) return part.beginMs;
      const root = Math.sqrt(Math.max(part.from * part.from + 2 * part.slope * count, 0));
      return part.beginMs + (2 * count) / (part.from + root);
    },
  };
}
