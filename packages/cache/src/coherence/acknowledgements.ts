/** One change that waits until every instance has applied it. */
export interface PendingChange {
  readonly sequence: number;
  /** Resolves with whether `receivers` instances have acknowledged within the deadline. Call once. */
  confirmed(receivers: number): Promise<boolean>;
}

interface Waiting {
  readonly by: Set<string>;
  receivers: number;
  settle: ((all: boolean) => void) | undefined;
}

/**
 * Counts, for each change of this instance, which instances have applied it. Redis says how many subscribers it handed
 * the change to; each answers once, this one by its own echo.
 */
export class Acknowledgements {
  readonly #deadlineMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #sequence = 0;

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  /** Opened before the change is sent, because answers may arrive before Redis' own reply. */
  open(): PendingChange {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const sequence = this.#sequence;
    const waiting: Waiting = { by: new Set(), receivers: Number.POSITIVE_INFINITY, settle: undefined };
    this.#waiting.set(sequence, waiting);
    return {
      sequence,
      confirmed: (receivers) => this.#confirmed(sequence, waiting, receivers),
    };
  }

  /** For a change that was never sent. */
  cancel(change: PendingChange): void {
    this.#waiting.delete(change.sequence);
  }

  add(sequence: number, acknowledger: string): void {
    const waiting = this.#waiting.get(sequence);
    if (waiting === undefined) return;
    waiting.by.add(acknowledger);
    if (waiting.by.size >= waiting.receivers) waiting.settle?.(true);
  }

  async #confirmed(sequence: number, waiting: Waiting, receivers: number): Promise<boolean> {
    try {
      if (waiting.by.size >= receivers) return true;
      return await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => setImmediate(resolve, false), this.#deadlineMs);
        waiting.receivers = receivers;
        waiting.settle = (all) => {
          clearTimeout(timer);
          resolve(all);
        };
      });
    } finally {
      this.#waiting.delete(sequence);
    }
  }
}
