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

/** One read that may have to wait for another process's load of a key. */
export interface Ticket {
  /**
   * Resolves when the holder is done, or after `timeoutMs`, with whether its load has failed; rejects when `signal` aborts.
   * Notices are not lost between calls.
   */
  wait(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

class Waiter implements Ticket {
  readonly #release: () => void;
  #isWoken = false;
  #hasFailed = false;
  #resolve: (() => void) | undefined;

  constructor(release: () => void) {
    this.#release = release;
  }

  wake(hasFailed: boolean): void {
    this.#isWoken = true;
    this.#hasFailed = hasFailed;
    this.#resolve?.();
  }

  async wait(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#isWoken) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => settle(resolve), timeoutMs);
        const onAbort = () => settle(() => reject(signal.reason as Error));
        const settle = (action: () => void) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
          this.#resolve = undefined;
          action();
        };
        this.#resolve = () => settle(resolve);
        signal.addEventListener('abort', onAbort, { once: true });
        if (signal.aborted) onAbort();
      });
    }
    const hasFailed = this.#hasFailed;
    this.#isWoken = false;
    this.#hasFailed = false;
    return hasFailed;
  }

  close(): void {
    this.#release();
  }
}

/** Who in this process waits for which key's lease to end. */
export class Waiters {
  readonly #waiting = new Map<string, Waiter>();

  /** A key has one flight in a process, hence at most one ticket that counts; a newer one takes its place. */
  open(subject: string): Ticket {
    const waiter = new Waiter(() => {
      if (this.#waiting.get(subject) === waiter) this.#waiting.delete(subject);
    });
    this.#waiting.set(subject, waiter);
    return waiter;
  }

  /** `hasFailed`: the holder's load did. */
  wake(subject: string, hasFailed: boolean): void {
    this.#waiting.get(subject)?.wake(hasFailed);
  }
}
