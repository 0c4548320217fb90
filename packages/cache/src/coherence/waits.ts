/**
 * What a process waits for: the acknowledgements of its changes by other instances, and the ends of leases that other processes hold.
 */

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
 * Counts the instances that have applied each change of this instance. Redis returns the number of subscribers that received the
 * change; each acknowledges once, this instance by its own echo.
 */
export class Acknowledgements {
  readonly #deadlineMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #sequence = 0;

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  /** Call before the change is sent, because acknowledgements may arrive before the reply of Redis. */
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

  /** Ends the wait for a change that was not sent. */
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

/** The wait of one read for the end of another process's lease on a key. */
export interface LeaseWait {
  /**
   * Resolves when the holder has ended its lease, or after `timeoutMs`, with whether its load has failed. Rejects when `signal`
   * aborts. An end between two calls is not lost.
   */
  wait(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  close(): void;
}

class Waiter implements LeaseWait {
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

/** The reads of this process that wait for leases, by key. */
export class LeaseWaits {
  readonly #waiting = new Map<string, Waiter>();

  /** A key has one flight in a process, hence at most one wait; a newer one replaces it. */
  open(subject: string): LeaseWait {
    const waiter = new Waiter(() => {
      if (this.#waiting.get(subject) === waiter) this.#waiting.delete(subject);
    });
    this.#waiting.set(subject, waiter);
    return waiter;
  }

  /** `hasFailed`: the load of the holder has failed. */
  wake(subject: string, hasFailed: boolean): void {
    this.#waiting.get(subject)?.wake(hasFailed);
  }
}
