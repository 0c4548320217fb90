/** Options of {@link startPacer}. */
export interface PacerOptions {
  /** When event `index` (0, 1, 2 …) is due on the clock of `now`; `Infinity` past the last. */
  readonly dueMs: (index: number) => number;
  /** Called for each event, in order, never before it is due. */
  readonly onDue: (index: number, dueMs: number) => void;
  readonly onEnd: () => void;
  readonly now: () => number;
}

// Timers are good to about a millisecond, and late rather than early.
const spinMs = 2;

/**
 * Calls back at times a fraction of a millisecond apart. Near a due time it polls the event loop without sleeping, which keeps
 * one core busy at more than about 500 events a second; further from it it sleeps on a timer.
 *
 * @returns stops it
 */
export function startPacer({ dueMs, onDue, onEnd, now }: PacerOptions): () => void {
  let index = 0;
  let nextMs = dueMs(0);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const tick = (): void => {
    if (stopped) return;
    // A bounded batch: after a stall, answers are read between the late sends.
    for (let batch = 0; batch < 64 && nextMs <= now(); batch += 1) {
      onDue(index, nextMs);
      if (stopped) return;
      index += 1;
      nextMs = dueMs(index);
    }
    if (nextMs === Number.POSITIVE_INFINITY) {
      onEnd();
      return;
    }
    const waitMs = nextMs - now();
    if (waitMs > spinMs) timer = setTimeout(tick, Math.min(waitMs - spinMs, 1_000));
    else setImmediate(tick);
  };
  tick();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
