import type { Clock } from './clock.ts';

/** When a breaker opens and for how long. */
export interface BreakerOptions {
  /** Failures in a row that open it. */
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
  readonly #clock: Clock;
  #failures = 0;
  #openUntil = 0;
  #isProbing = false;

  constructor(options: BreakerOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** `true` while failures have it open, its half-open phase included. */
  get isOpen(): boolean {
    return this.#failures >= this.#options.failures;
  }

  /** Whether one call may start now. A `true` must be followed by `succeed` or `fail`. */
  admit(): boolean {
    if (!this.isOpen) return true;
    if (this.#isProbing || this.#clock.now() < this.#openUntil) return false;
    this.#isProbing = true;
    return true;
  }

  succeed(): void {
    this.#failures = 0;
    this.#isProbing = false;
  }

  fail(): void {
    this.#failures += 1;
    this.#isProbing = false;
    if (this.isOpen) this.#openUntil = this.#clock.now() + this.#options.openMs;
  }
}
