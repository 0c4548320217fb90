/** A change that Redis has not accepted yet. */
interface OwedChange {
  /** Equal for changes of which only the latest matters. */
  readonly id: string;
  /** Resolves with whether it was done. Must not reject. */
  redo(): Promise<boolean>;
}

/**
 * Deletes and invalidations that failed, repeated when Redis answers again; of each key only the latest. When the queue
 * overflows, one clearing of the whole cache replaces all of them.
 */
export class RecoveryQueue {
  readonly #owed = new Map<string, OwedChange>();
  readonly #max: number;
  readonly #retryMs: number;
  readonly #overflow: OwedChange;
  #timer: NodeJS.Timeout | undefined;
  #isDraining = false;
  #isClosed = false;

  constructor(options: { max: number; retryMs: number; overflow: OwedChange }) {
    this.#max = options.max;
    this.#retryMs = options.retryMs;
    this.#overflow = options.overflow;
  }

  get size(): number {
    return this.#owed.size;
  }

  /** Whether Redis may be missing a change of `id` by this process. */
  owes(id: string): boolean {
    return this.#owed.size > 0 && (this.#owed.has(id) || this.#owed.has(this.#overflow.id));
  }

  add(change: OwedChange): void {
    if (this.#isClosed) return;
    if (this.#owed.has(this.#overflow.id)) return;
    this.#owed.delete(change.id);
    this.#owed.set(change.id, change);
    if (this.#owed.size > this.#max) {
      this.#owed.clear();
      this.#owed.set(this.#overflow.id, this.#overflow);
    }
    this.#schedule();
  }

  /** Repeats the queued changes, oldest first, until one fails. */
  async drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (const change of [...this.#owed.values()]) {
        if (this.#isClosed || this.#owed.get(change.id) !== change) continue;
        if (!(await change.redo())) break;
        if (this.#owed.get(change.id) === change) this.#owed.delete(change.id);
      }
    } finally {
      this.#isDraining = false;
    }
    if (this.#owed.size > 0) this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#owed.clear();
  }

  #schedule(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.drain(), this.#retryMs);
    this.#timer.unref();
  }
}
