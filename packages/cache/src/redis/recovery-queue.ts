/** A change that Redis has not taken yet. */
interface OwedChange {
  /** Equal for changes of which the latest makes the earlier ones superfluous. */
  readonly id: string;
  /** Resolves with whether it was done. Must not reject. */
  redo(): Promise<boolean>;
}

/**
 * Deletes and invalidations that failed, redone when Redis answers again: bounded, the latest for each key wins. When
 * there is no room left, everything owed is replaced by one clearing of the whole cache.
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

  /** Whether what Redis has under `id` may be older than a change this process has made. */
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

  /** Redoes what is owed, oldest first, until something fails again. */
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
