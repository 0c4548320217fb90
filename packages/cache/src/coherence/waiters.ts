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
