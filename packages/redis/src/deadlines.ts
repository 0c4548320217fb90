/** One wait that must end by a moment of `performance.now`. */
interface Wait {
  readonly until: number;
  readonly fail: () => void;
}

/**
 * Many deadlines on one timer. It ticks while anything waits, and ends a wait at the last tick before its moment rather
 * than the first after it, for timers fire late. It can also end all waits at once, when what they wait for is lost.
 */
export class Deadlines {
  readonly #tickMs: number;
  readonly #isLost: () => boolean;
  readonly #waits = new Set<Wait>();
  #isTicking = false;

  /** `isLost` is asked at every tick: whether nothing that is waited for can come any more. */
  constructor(tickMs: number, isLost: () => boolean) {
    this.#tickMs = tickMs;
    this.#isLost = isLost;
  }

  /** Calls `fail` if the returned function was not called by then. */
  start(until: number, fail: () => void): () => void {
    const wait: Wait = { until, fail };
    this.#waits.add(wait);
    if (!this.#isTicking) this.#schedule();
    return () => {
      this.#waits.delete(wait);
    };
  }

  #schedule(): void {
    this.#isTicking = true;
    // A blocked event loop lets timers fire before replies that have long arrived: read those first.
    setTimeout(() => setImmediate(() => this.#tick()), this.#tickMs);
  }

  #tick(): void {
    this.#isTicking = false;
    const isLost = this.#isLost();
    const next = performance.now() + this.#tickMs * 1.5;
    for (const wait of this.#waits) {
      if (!isLost && wait.until > next) continue;
      this.#waits.delete(wait);
      wait.fail();
    }
    if (this.#waits.size > 0 && !this.#isTicking) this.#schedule();
  }
}
