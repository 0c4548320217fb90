import type { Clock } from '../clock.ts';
import type { Completion } from './concurrency-limiter.ts';
import type { ConcurrencyLimit } from './limits/concurrency-limit.ts';

const WINDOW_MS = 100;
const WINDOW_REQUESTS = 10;

/** Gathers finished requests into windows, so that one slow request moves nothing. */
export class LatencySampler {
  readonly #limit: ConcurrencyLimit;
  readonly #clock: Clock;
  #startedMs: number;
  #count = 0;
  #sumMs = 0;
  #inFlight = 0;
  #dropped = false;

  constructor(limit: ConcurrencyLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
    this.#startedMs = clock.now();
  }

  /** `inFlight`: how many ran when this one began. */
  finished(startedMs: number, inFlight: number, completion: Completion): void {
    if (completion === 'ignored') return;
    const nowMs = this.#clock.now();
    const elapsedMs = Math.max(nowMs - startedMs, 1e-3);
    this.#count++;
    this.#sumMs += elapsedMs;
    this.#inFlight = Math.max(this.#inFlight, inFlight);
    this.#dropped ||= completion === 'dropped';
    if (nowMs - this.#startedMs < WINDOW_MS || this.#count < WINDOW_REQUESTS) return;
    this.#limit.update({
      meanMs: this.#sumMs / this.#count,
      perMs: this.#count / (nowMs - this.#startedMs),
      inFlight: this.#inFlight,
      dropped: this.#dropped,
    });
    this.#startedMs = nowMs;
    this.#count = 0;
    this.#sumMs = 0;
    this.#inFlight = 0;
    this.#dropped = false;
  }
}
