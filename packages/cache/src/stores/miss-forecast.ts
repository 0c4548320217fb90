/** One miss weighs as much as so many hits: asking for a lease in vain is cheap beside one more round trip. */
const missWeight = 3;
const max = 12;

/**
 * Guesses, from the reads before, whether Redis has what the next one looks for. A hit costs least by a plain GET; a miss
 * costs a second round trip for its lease then, unless the lease is asked for at once. Wrong guesses cost time only.
 */
export class MissForecast {
  #weight = 0;

  get isMissLikely(): boolean {
    return this.#weight * 2 >= max;
  }

  note(isHit: boolean): void {
    this.#weight = isHit ? Math.max(0, this.#weight - 1) : Math.min(max, this.#weight + missWeight);
  }
}
