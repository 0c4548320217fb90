import type { Clock } from '../clock.ts';
import type { Completion } from './concurrency-limiter.ts';
import type { ConcurrencyLimit } from './limits/concurrency-limit.ts';

const windowMs = 100;
const windowRequests = 10;
/** Fewer than this share without room are a ripple, not a limit that binds. */
const limitedShare = 0.1;

/** Gathers finished requests into windows, so that one slow request moves nothing. */
export class LatencySampler {
  readonly #limit: ConcurrencyLimit;
  readonly #clock: Clock;
  #startedMs: number;
  #count = 0;
  #sumMs = 0;
  #inFlight = 0;
  #dropped = false;
  #refused = 0;

  constructor(limit: ConcurrencyLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
    this.#startedMs = clock.now();
  }

  /** A request found no room. */
  refused(): void {
    this.#refused++;
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
    if (nowMs - this.#startedMs < windowMs || this.#count < windowRequests) return;
    const spanMs = nowMs - this.#startedMs;
    this.#limit.update({
      meanMs: this.#sumMs / this.#count,
      spanMs,
      perMs: this.#count / spanMs,
      inFlight: this.#inFlight,
      limited: this.#refused > this.#count * limitedShare,
      dropped: this.#dropped,
    });
    this.#startedMs = nowMs;
    this.#count = 0;
    this.#sumMs = 0;
    this.#inFlight = 0;
    this.#dropped = false;
    this.#refused = 0;
  }
}
