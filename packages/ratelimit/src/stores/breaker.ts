import type { Clock } from '../clock.ts';

const FAILURES = 3;
const PAUSE_MS = 250;

/** Stops calls after repeated failures; then lets one through at a time, each 250 ms, until one succeeds. */
export class Breaker {
  readonly #clock: Clock;
  #failures = 0;
  #nextTryMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  admits(): boolean {
    if (this.#failures < FAILURES) return true;
    const now = this.#clock.now();
    if (now < this.#nextTryMs) return false;
    this.#nextTryMs = now + PAUSE_MS;
    return true;
  }

  succeed(): void {
    this.#failures = 0;
  }

  fail(): void {
    this.#failures++;
    this.#nextTryMs = this.#clock.now() + PAUSE_MS;
  }
}
