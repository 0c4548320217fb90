import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { announceGuard, type GuardStats } from '../channels.ts';
import { RateLimitError, shown } from '../errors.ts';
import { defaultTiers, guardName, type Tier, Tiers } from './tiers.ts';

/** How busy the event loop was in one sample. */
export interface LoopLoad {
  /** 90th percentile of how late timers fired, in ms. */
  readonly delayMs: number;
  /** Share of time that the loop was not idle, 0–1. */
  readonly utilization: number;
}

/** Options of `createLoadShedder`. */
export interface LoadShedderOptions {
  /** Tells it from others in metrics. @defaultValue `shedder` */
  readonly name?: string;
  /** Delay above which a sample counts as overload, in ms. @defaultValue 100 */
  readonly maxDelayMs?: number;
  /** Utilisation above which a sample counts as overload, if the delay is also above a quarter of its bound. @defaultValue 0.98 */
  readonly maxUtilization?: number;
  /** @defaultValue 100 */
  readonly sampleMs?: number;
  /** Most important first. @defaultValue critical, normal, background */
  readonly tiers?: readonly Tier[];
  /** @defaultValue this process's loop */
  readonly measure?: () => LoopLoad;
  /** [0, 1); default `Math.random`. */
  readonly random?: () => number;
}

/** Refuses a share of requests while the event loop is late, the least important first. */
export interface LoadShedder {
  /** True when this request should be refused. Costs a comparison while there is no overload. */
  sheds(tier?: string): boolean;
  /** 0 = nothing is shed, 1 = everything. */
  readonly level: number;
  readonly admitted: number;
  readonly shed: number;
  /** Takes one sample now; otherwise a timer does. */
  sample(): void;
  /** Stops the timer. */
  close(): void;
}

/** An overloaded sample raises the level by this much times the excess, a calm one lowers it by `levelDown`. */
const levelUp = 0.1;
const levelDown = 0.05;
/** Calm is below this share of the bounds: between calm and overload the level holds (hysteresis). */
const calmShare = 0.6;

/**
 * Creates a load shedder on event-loop delay and utilisation.
 *
 * The level moves by steps and holds between two bounds, so one long tick sheds a tenth at most, and the shedder does
 * not swing between nothing and everything. A sample in which no request came never raises it: a process that is late at
 * its start, or for work of its own, is not helped by refusing. With n tiers, tier i (0 = most important) is refused with
 * probability `clamp(level·n − (n − 1 − i), 0, 1)`: a tier is shed only once those below it are shed whole.
 */
export function createLoadShedder(options: LoadShedderOptions = {}): LoadShedder {
  return new Shedder(options);
}

class Shedder implements LoadShedder {
  readonly name: string;
  level = 0;
  admitted = 0;
  shed = 0;
  #askedBefore = 0;
  readonly #tiers: Tiers;
  readonly #maxDelayMs: number;
  readonly #maxUtilization: number;
  readonly #measure: () => LoopLoad;
  readonly #random: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #stop: () => void;
  readonly #forget: () => void;

  constructor(options: LoadShedderOptions) {
    const {
      name: ownName = 'shedder',
      maxDelayMs = 100,
      maxUtilization = 0.98,
      sampleMs = 100,
      tiers = defaultTiers,
      random = Math.random,
    } = options;
    for (const [name, value] of Object.entries({ maxDelayMs, maxUtilization, sampleMs })) {
      if (typeof value === 'number' && value > 0 && Number.isFinite(value)) continue;
      const message = `Expected \`${name}\` to be a positive number, got ${shown(value)}.`;
      throw new RateLimitError('ERR_WEIR_RATELIMIT_OPTIONS', message);
    }
    this.name = guardName(ownName);
    this.#tiers = new Tiers(tiers);
    this.#maxDelayMs = maxDelayMs;
    this.#maxUtilization = maxUtilization;
    this.#random = random;
    const own = options.measure === undefined ? loopMeter() : undefined;
    this.#measure = options.measure ?? (own as { measure: () => LoopLoad }).measure;
    this.#stop = own?.stop ?? (() => {});
    this.#timer = setInterval(() => this.sample(), sampleMs).unref();
    this.#forget = announceGuard(this);
  }

  sheds(tier?: string): boolean {
    if (this.level > 0) {
      const { count } = this.#tiers;
      const probability = this.level * count - (count - 1 - this.#tiers.indexOf(tier));
      if (probability > 0 && this.#random() < probability) {
        this.shed++;
        return true;
      }
    }
    this.admitted++;
    return false;
  }

  sample(): void {
    const { delayMs, utilization } = this.#measure();
    const busy = utilization >= this.#maxUtilization && delayMs > this.#maxDelayMs / 4;
    const excess = delayMs / this.#maxDelayMs;
    const asked = this.admitted + this.shed;
    const nobodyAsked = asked === this.#askedBefore;
    this.#askedBefore = asked;
    if (excess > 1 || busy) {
      if (!nobodyAsked) this.level = Math.min(1, this.level + levelUp * Math.min(Math.max(excess, 0.5), 2));
    } else if (excess < calmShare) this.level = Math.max(0, this.level - levelDown);
  }

  stats(): GuardStats {
    return { admitted: this.admitted, refused: this.shed, level: this.level };
  }

  close(): void {
    this.#forget();
    clearInterval(this.#timer);
    this.#stop();
  }
}

/** Resolution of the delay histogram: an idle loop reads as late by this much. */
const resolutionMs = 10;

/**
 * Measures from one call to the next. The histogram drops its first tick after each reset, so it is empty when the loop
 * turned only once in between: that turn then took all of the time.
 */
function loopMeter(): { measure: () => LoopLoad; stop: () => void } {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  let last: EventLoopUtilization = performance.eventLoopUtilization();
  let lastMs = performance.now();
  return {
    measure: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      const nowMs = performance.now();
      const turnMs = histogram.count === 0 ? nowMs - lastMs : histogram.percentile(90) / 1e6;
      lastMs = nowMs;
      histogram.reset();
      return { delayMs: Math.max(0, turnMs - resolutionMs), utilization };
    },
    stop: () => void histogram.disable(),
  };
}
