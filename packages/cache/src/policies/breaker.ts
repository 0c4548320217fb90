/** When a breaker opens and for how long. */
export interface BreakerOptions {
  /** Consecutive failures that open it. */
  readonly failures: number;
  /** How long it stays open before one probe is let through, in milliseconds. */
  readonly openMs: number;
}

/**
 * A half-open circuit breaker. Closed: everything passes. `failures` failures in a row open it: nothing passes. After
 * `openMs` one probe passes (half-open); its success closes the breaker, its failure opens it for another `openMs`.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #now: () => number;
  #failures = 0;
  #openUntil = 0;
  #probing = false;

  constructor(options: BreakerOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
  }

  /** `true` while failures have it open, its half-open phase included. */
  get isOpen(): boolean {
    return this.#failures >= this.#options.failures;
  }

  /** Whether one operation may start now. A `true` must be followed by `succeed` or `fail`. */
  admit(): boolean {
    if (!this.isOpen) return true;
    if (this.#probing || this.#now() < this.#openUntil) return false;
    this.#probing = true;
    return true;
  }

  succeed(): void {
    this.#failures = 0;
    this.#probing = false;
  }

  fail(): void {
    this.#failures += 1;
    this.#probing = false;
    if (this.isOpen) this.#openUntil = this.#now() + this.#options.openMs;
  }
}
