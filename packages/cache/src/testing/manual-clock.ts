/** A clock for `createCache({ clock })` that moves only when told to. */
export interface ManualClock {
  now(): number;
  /** Moves forward by `ms`, at least 0. */
  advance(ms: number): void;
}

export function createManualClock(startMs: number = 0): ManualClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance(ms) {
      if (!(ms >= 0))
        throw new RangeError(
          `Expected \`ms\` to be at least 0, got \`${ms}\`. A monotonic clock never goes back.`,
        );
      nowMs += ms;
    },
  };
}
