import type { Clock } from '../clock.ts';
import { aged, type Decision } from '../decision.ts';

/** Entries kept; the oldest goes first. Losing one costs a trip to Redis, nothing else. */
const MAX_ENTRIES = 10_000;

interface Denial {
  readonly decision: Decision;
  readonly atMs: number;
  readonly untilMs: number;
}

/**
 * Remembers denials by Redis for as long as they must hold, so that a client that keeps knocking costs no trips. A
 * denial of c units holds for every cost ≥ c until its retry time, since denials change nothing and only time or a
 * credit brings units back. Credits by other processes are noticed after at most `maxMs`.
 */
export class DenyCache {
  readonly #denials = new Map<string, Denial>();
  readonly #maxMs: number;
  readonly #clock: Clock;

  constructor(maxMs: number, clock: Clock) {
    this.#maxMs = maxMs;
    this.#clock = clock;
  }

  find(key: string, cost: number): Decision | undefined {
    const denial = this.#denials.get(key);
    if (denial === undefined) return undefined;
    const nowMs = this.#clock.now();
    if (nowMs >= denial.untilMs) {
      this.#denials.delete(key);
      return undefined;
    }
    // A dearer request may have to wait longer than this denial says, but not less.
    return cost < denial.decision.cost ? undefined : aged(denial.decision, nowMs - denial.atMs, cost);
  }

  remember(key: string, decision: Decision): void {
    if (decision.retryAfterMs <= 0) return;
    const nowMs = this.#clock.now();
    this.#denials.delete(key);
    const untilMs = nowMs + Math.min(decision.retryAfterMs, this.#maxMs);
    this.#denials.set(key, { decision, atMs: nowMs, untilMs });
    if (this.#denials.size > MAX_ENTRIES) this.#denials.delete(this.#denials.keys().next().value as string);
  }

  /** Forgets one key, or all. */
  forget(key: string | undefined): void {
    if (key === undefined) this.#denials.clear();
    else this.#denials.delete(key);
  }
}
