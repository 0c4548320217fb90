/** Counts lose half their weight in this time. */
const halfLifeMs = 30_000;
/** Refusals that cost nothing. */
const freeRefusals = 10;

/**
 * Client-side throttling (Google, "Site Reliability Engineering", ch. 21): a request is dropped here with probability
 *
 *     max(0, (requests − K·accepts − 10) / (requests + 1))        K = 2
 *
 * so that a server which refuses everything still gets about one request for every accept, and not the whole storm. The 10 keeps a few
 * refusals of a quiet client from dropping its next request.
 */
export class AdaptiveThrottle {
  #requests = 0;
  #accepts = 0;
  #atMs: number;
  readonly #factor: number;

  constructor(nowMs: number, factor = 2) {
    this.#atMs = nowMs;
    this.#factor = factor;
  }

  /** Whether to drop a request; it then counts as one. Those under way count when they are answered. */
  drops(nowMs: number, random: () => number): boolean {
    this.#decay(nowMs);
    const probability = (this.#requests - this.#factor * this.#accepts - freeRefusals) / (this.#requests + 1);
    if (random() >= probability) return false;
    this.#requests++;
    return true;
  }

  answered(nowMs: number, accepted: boolean): void {
    this.#decay(nowMs);
    this.#requests++;
    if (accepted) this.#accepts++;
  }

  #decay(nowMs: number): void {
    const factor = 0.5 ** (Math.max(0, nowMs - this.#atMs) / halfLifeMs);
    this.#requests *= factor;
    this.#accepts *= factor;
    this.#atMs = nowMs;
  }
}
