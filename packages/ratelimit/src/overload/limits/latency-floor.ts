import type { LatencyWindow } from './concurrency-limit.ts';

/** Windows between probes. With windows of 100 ms a probe comes every 10 s. */
const PROBE_EVERY = 100;
/** Windows that measure, once the queue has drained, and the most that draining may take. */
const PROBE_WINDOWS = 2;
const DRAIN_WINDOWS = 30;
/** Share by which a faster window pulls the floor down between probes. */
const PULL = 0.1;
/** A probe runs at this share of the concurrency that has no queue by Little's law. */
const PROBE_SHARE = 0.7;
/** A limit used less than this (tiers keep reserves) does not bind: lowering it would refuse requests for nothing. */
const BINDING = 0.6;

/**
 * The mean latency without queueing.
 *
 * Means are compared with means: the least single latency is far below the mean of any service whose times vary, and
 * a limit that compares the two starves it. And a floor that is merely the least seen lately drifts: under lasting
 * overload every sample holds queueing (the drift of Netflix' Vegas). A probe therefore first lowers the limit to
 * below throughput · floor, so that the queue drains and the floor is measured without it, as BBR probes its round
 * trip.
 */
export class LatencyFloor {
  /** ms; 0 before the first window. */
  ms = 0;
  #windows = 0;
  #probedMs = 0;
  #measured = 0;
  #probeLimit = Number.POSITIVE_INFINITY;

  get probing(): boolean {
    return this.#windows >= PROBE_EVERY;
  }

  /** The limit to enforce for an estimate: less while a probe runs. */
  limit(estimate: number, min: number): number {
    return Math.max(min, Math.floor(this.probing ? Math.min(estimate, this.#probeLimit) : estimate));
  }

  update({ meanMs, perMs, inFlight }: LatencyWindow, estimate: number): void {
    this.#windows++;
    if (this.#windows <= PROBE_EVERY) {
      if (this.ms === 0) this.ms = meanMs;
      else if (meanMs < this.ms) this.ms += (meanMs - this.ms) * PULL;
      const binds = inFlight >= estimate * BINDING;
      this.#probeLimit = binds ? perMs * this.ms * PROBE_SHARE : Number.POSITIVE_INFINITY;
      return;
    }
    // Requests that began before the probe still tell of the queue.
    const drained = this.#windows > PROBE_EVERY + 1 && inFlight <= this.#probeLimit + 1;
    if (drained || this.#windows > PROBE_EVERY + DRAIN_WINDOWS) {
      this.#probedMs += meanMs / PROBE_WINDOWS;
      this.#measured++;
    }
    if (this.#measured < PROBE_WINDOWS) return;
    this.ms = this.#probedMs;
    this.#probedMs = 0;
    this.#measured = 0;
    this.#windows = 0;
  }
}
