import type { LatencyWindow } from './concurrency-limit.ts';

/** Windows between probes. With windows of 100 ms a probe comes every 20 s. */
const PROBE_EVERY = 200;
/** Windows of a latency beyond `SUSPECT` times the usual after which the floor is doubted, and the least between such probes. */
const SUSPECT_WINDOWS = 3;
const SUSPECT = 2.5;
const SUSPECT_EVERY = 10;
/** A doubt proven wrong is raised again at once when the latency is this many times what it was then. */
const WORSE = 1.5;
/** Requests and windows that measure once the queue has drained, and the most windows that draining may take: first without the
 * most important tier, then with it. */
const MEASURE_REQUESTS = 50;
const MEASURE_WINDOWS = 5;
const EXEMPT_WINDOWS = 4;
const DRAIN_WINDOWS = 12;
/** A probe leaves this share of the concurrency there was. */
const STEP_DOWN = 0.6;
/** A step meets a queue when it lowers latency by this much more than throughput: 0.6 without a queue, 1.67 in one. */
const QUEUED = 1.3;
/** A step that leaves less than this share of the throughput ended below the knee, whatever queue it began in. */
const KNEE = 0.9;
/** Share by which a faster window pulls the floor down, and by which two much faster ones in a row do. */
const PULL = 0.1;
const FAST_PULL = 0.5;
const MUCH_FASTER = 0.7;
/** Weight of a window in the short-term means of throughput and latency, and in the long-term latency. */
const SMOOTHING = 0.3;
const LONG_TERM = 0.05;
/** The long-term latency is believed up to this many floors: the least of noisy means lies that much too low. */
const MOST_ABOVE_FLOOR = 1.2;

/** Throughput per ms and mean latency: by Little's law their product ran at once. */
interface Flow {
  perMs: number;
  meanMs: number;
}

/**
 * The mean latency without queueing.
 *
 * Means are compared with means: the least single latency is far below the mean of any service whose times vary, and
 * a limit that compares the two starves it. And a floor that is merely the least seen lately drifts: under lasting
 * overload every sample holds queueing (Netflix' Vegas, issues 37 and 165). So a probe takes concurrency away, step by
 * step, until throughput falls with it rather than latency: then nothing waited, and the latency is the floor. One that
 * only looked at the latency could not tell a queue from a service that has become slower.
 *
 * Probes come every 200 windows, and early when the latency is far above the floor, which is either a queue or a floor
 * of the past. The most important tier is exempt, unless it alone keeps the queue from draining. While the limit refuses nobody there is no probe: the load itself then visits low concurrency.
 */
export class LatencyFloor {
  /** ms; 0 before the first window. */
  ms = 0;
  #longMs = 0;
  readonly #usual: Flow = { perMs: 0, meanMs: 0 };
  #windows = 0;
  #limited = 0;
  #suspect = 0;
  #suspectEvery = SUSPECT_EVERY;
  #queueMs = Number.POSITIVE_INFINITY;
  #faster = 0;
  #probe: Probe | undefined;

  /**
   * What the service takes without a queue to speak of: the long-term latency, at most 1.2 floors. Without that bound
   * lasting overload would become usual, and the limit drift up.
   */
  get usualMs(): number {
    return Math.min(this.#longMs, this.ms * MOST_ABOVE_FLOOR);
  }

  get probing(): boolean {
    return this.#probe !== undefined;
  }

  /** The limit to enforce for an estimate: less while a probe runs. */
  limit(estimate: number, min: number): number {
    return Math.max(min, Math.floor(Math.min(estimate, this.#probe?.cap ?? estimate)));
  }

  criticalLimit(estimate: number, min: number): number {
    return this.#probe?.exempts === false ? this.limit(estimate, min) : Math.floor(estimate);
  }

  update(window: LatencyWindow, min: number): void {
    this.#pull(window.meanMs);
    if (this.#probe === undefined) this.#watch(window, min);
    else if (!window.limited) this.#end(undefined);
    else {
      const found = this.#probe.observe(window, min);
      if (found !== 'wait') this.#end(found);
    }
  }

  #pull(meanMs: number): void {
    this.#longMs = this.ms === 0 ? meanMs : this.#longMs + (meanMs - this.#longMs) * LONG_TERM;
    this.#faster = meanMs < this.ms * MUCH_FASTER ? this.#faster + 1 : 0;
    if (this.ms === 0) this.ms = meanMs;
    else if (meanMs < this.ms) this.ms += (meanMs - this.ms) * (this.#faster >= 2 ? FAST_PULL : PULL);
  }

  #watch({ meanMs, perMs, limited }: LatencyWindow, min: number): void {
    const usual = this.#usual;
    const weight = usual.meanMs === 0 ? 1 : SMOOTHING;
    usual.meanMs += (meanMs - usual.meanMs) * weight;
    usual.perMs += (perMs - usual.perMs) * weight;
    this.#windows++;
    if (limited) this.#limited++;
    this.#suspect = limited && meanMs > this.usualMs * SUSPECT ? this.#suspect + 1 : 0;
    const since = usual.meanMs > this.#queueMs * WORSE ? SUSPECT_EVERY : this.#suspectEvery;
    const doubted = this.#suspect >= SUSPECT_WINDOWS && this.#windows >= since;
    // A limit that refuses now and then does not hide the floor for long.
    const due = this.#windows >= PROBE_EVERY && this.#limited * 2 > this.#windows;
    if (limited && (doubted || due)) this.#probe = new Probe(usual, min);
    else if (this.#windows >= PROBE_EVERY) this.#rest();
  }

  /** `foundMs` is undefined for a probe that could not tell. */
  #end(foundMs: number | undefined): void {
    if (foundMs !== undefined) {
      const moved = Math.abs(foundMs - this.ms) > this.ms * 0.3;
      // Doubts that prove wrong, because the latency is a queue, are raised less and less often.
      this.#suspectEvery = moved ? SUSPECT_EVERY : Math.min(this.#suspectEvery * 2, PROBE_EVERY);
      this.#queueMs = moved ? Number.POSITIVE_INFINITY : this.#usual.meanMs;
      this.ms = foundMs;
      this.#longMs = Math.max(this.#longMs, foundMs);
    }
    this.#probe = undefined;
    this.#rest();
  }

  #rest(): void {
    this.#windows = 0;
    this.#limited = 0;
    this.#suspect = 0;
  }
}

/** One descent to below the knee of throughput over concurrency. */
class Probe {
  cap: number;
  #before: Flow;
  #draining = 0;
  #settledMs = 0;
  #windows = 0;
  #requests = 0;
  #spanMs = 0;
  #sumMs = 0;

  constructor(usual: Flow, min: number) {
    this.#before = { ...usual };
    this.cap = Math.max(min, usual.perMs * usual.meanMs * STEP_DOWN);
  }

  get exempts(): boolean {
    return this.#draining <= EXEMPT_WINDOWS;
  }

  /** The floor in ms, undefined when it cannot be told, or `wait`. */
  observe({ meanMs, perMs, spanMs, inFlight }: LatencyWindow, min: number): number | undefined | 'wait' {
    // Requests that began before the step still tell of the queue.
    if (inFlight > this.cap + 1) return ++this.#draining > DRAIN_WINDOWS ? undefined : 'wait';
    // The first that end after it are the quick ones.
    if (this.#settledMs < this.#before.meanMs) {
      this.#settledMs += spanMs;
      return 'wait';
    }
    const requests = perMs * spanMs;
    this.#requests += requests;
    this.#spanMs += spanMs;
    this.#sumMs += requests * meanMs;
    if (++this.#windows < MEASURE_WINDOWS && this.#requests < MEASURE_REQUESTS) return 'wait';
    const now = { perMs: this.#requests / this.#spanMs, meanMs: this.#sumMs / this.#requests };
    const gain = (now.perMs / this.#before.perMs) * (this.#before.meanMs / now.meanMs);
    const starved = now.perMs < this.#before.perMs * KNEE;
    if (gain < QUEUED || starved || this.cap <= min) return now.meanMs;
    this.#before = now;
    this.cap = Math.max(min, now.perMs * now.meanMs * STEP_DOWN);
    if (this.exempts) this.#draining = 0;
    this.#settledMs = 0;
    this.#windows = 0;
    this.#requests = 0;
    this.#spanMs = 0;
    this.#sumMs = 0;
    return 'wait';
  }
}
