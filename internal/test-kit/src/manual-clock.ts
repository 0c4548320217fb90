/** A clock that stands still until told to move; timers set on it fire in order of their due time as it passes them. */
export interface ManualClock {
  /** Milliseconds, as `Date.now` or `performance.now` would give. */
  now(): number;
  /** Moves forward by `ms` ≥ 0, firing every timer due on the way, each at its own due time. */
  advance(ms: number): void;
  /** Like `advance`, and after every timer lets pending promise reactions run, so that what they schedule fires too. */
  advanceAsync(ms: number): Promise<void>;
  /** Jumps to `ms` without firing a timer; backwards too, as a wall clock may. */
  set(ms: number): void;
  /** Calls back once `delayMs` have passed on this clock. Returns a function that cancels. */
  setTimeout(callback: () => void, delayMs: number): () => void;
  /** Resolves once `ms` have passed on this clock. */
  sleep(ms: number): Promise<void>;
  /** Timers still waiting. */
  readonly pending: number;
}

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Starts at `startMs`, by default 0. */
export function createManualClock(startMs = 0): ManualClock {
  let nowMs = startMs;
  const timers = new Set<Timer>();

  function fireNext(untilMs: number): boolean {
    let next: Timer | undefined;
    for (const timer of timers) {
      // Insertion order breaks ties, as it does for Node's own timers.
      if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    if (next === undefined) return false;
    timers.delete(next);
    nowMs = Math.max(nowMs, next.dueMs);
    next.callback();
    return true;
  }

  function target(ms: number): number {
    if (!(ms >= 0))
      throw new RangeError(`Expected \`ms\` to be at least 0, got \`${ms}\`. Use \`set\` to go back.`);
    return nowMs + ms;
  }

  const clock: ManualClock = {
    now: () => nowMs,
    advance(ms) {
      const untilMs = target(ms);
      while (fireNext(untilMs));
      nowMs = untilMs;
    },
    async advanceAsync(ms) {
      const untilMs = target(ms);
      await settle();
      while (fireNext(untilMs)) await settle();
      nowMs = untilMs;
    },
    set(ms) {
      nowMs = ms;
    },
    setTimeout(callback, delayMs) {
      const timer: Timer = { dueMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    sleep: (ms) => new Promise((resolve) => clock.setTimeout(resolve, ms)),
    get pending() {
      return timers.size;
    },
  };
  return clock;
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
