import type { Clock } from '../clock.ts';

/** A clock that stands until it is advanced. For limiters in memory: Redis keeps its own time. */
export interface ManualClock extends Clock {
  /** Moves time on by `ms` ≥ 0. */
  advance(ms: number): void;
}

export function createManualClock(startMs = 0): ManualClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance: (ms) => {
      if (!(ms >= 0))
        throw new RangeError(`Expected \`ms\` to be 0 or more, got \`${ms}\`. Time does not go back.`);
      nowMs += ms;
    },
  };
}
