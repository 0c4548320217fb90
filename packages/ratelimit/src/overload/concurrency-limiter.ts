import { announceGuard } from '../channels.ts';
import { type Clock, monotonicClock } from '../clock.ts';
import { RateLimitError } from '../errors.ts';
import { CodelQueue, type QueueOptions, type Waiting } from './codel-queue.ts';
import { LatencySampler } from './latency-sampler.ts';
import { type ConcurrencyLimit, fixedLimit } from './limits/concurrency-limit.ts';
import { vegasLimit } from './limits/vegas.ts';
import { defaultTiers, guardName, type Tier, Tiers } from './tiers.ts';

/** Options of `createConcurrencyLimiter`. */
export interface ConcurrencyLimiterOptions {
  /** Tells it from others in metrics. @defaultValue `concurrency` */
  readonly name?: string;
  /** A number for a bulkhead, or what learns it: `vegasLimit()` (the default), `gradient2Limit()`, `aimdLimit()`. */
  readonly limit?: number | ConcurrencyLimit;
  /** Most important first. @defaultValue critical (a fifth reserved), normal, background */
  readonly tiers?: readonly Tier[];
  /** Where requests above the limit may wait; false to refuse them at once. */
  readonly queue?: QueueOptions | false;
  readonly clock?: Clock;
}

/** Options of one request. */
export interface AcquireOptions {
  /** @defaultValue the second tier */
  readonly tier?: string;
  /** Leaves the queue when aborted, and the request is refused. */
  readonly signal?: AbortSignal;
}

/** How a request ended: `ignored` teaches nothing about latency, `dropped` says that it failed for overload. */
export type Completion = 'ok' | 'ignored' | 'dropped';

/** Leave to run. */
export interface Permit {
  /** Call once when done; further calls do nothing. @defaultValue `ok` */
  release(completion?: Completion): void;
  /** Gives the place to others while the work waits for its client. Its latency then teaches nothing. */
  pause(): void;
  /** Takes the place again, even if that makes more than the limit. Does nothing unless paused. */
  resume(): void;
}

/** Counters and gauges of a concurrency limiter. */
export interface ConcurrencyStats {
  readonly limit: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly admitted: number;
  readonly refused: number;
}

/** Admits requests up to a limit on how many run at once. */
export interface ConcurrencyLimiter {
  /** A permit, or undefined when the request is refused: answer 503, or fail over. */
  acquire(options?: AcquireOptions): Promise<Permit | undefined>;
  /** A permit if one is free now, without waiting. */
  tryAcquire(options?: AcquireOptions): Permit | undefined;
  /**
   * Runs `work` under a permit. An error of `work` counts as `ignored`, unless it says that something downstream was
   * overloaded (a timeout).
   * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OVERLOADED` when refused.
   */
  run<Result>(work: () => Promise<Result>, options?: AcquireOptions): Promise<Result>;
  stats(): ConcurrencyStats;
}

/**
 * Creates an admission control by concurrency: what a service can do at once, it does; what is above waits briefly or
 * is refused at once, instead of making everything slow.
 */
export function createConcurrencyLimiter(options: ConcurrencyLimiterOptions = {}): ConcurrencyLimiter {
  const {
    name = 'concurrency',
    limit = vegasLimit(),
    tiers = defaultTiers,
    queue = {},
    clock = monotonicClock,
  } = options;
  if (typeof limit === 'number' && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw new RateLimitError(
      'ERR_WEIR_RATELIMIT_OPTIONS',
      `Expected \`limit\` to be a positive whole number or a limit algorithm, got \`${limit}\`.`,
    );
  }
  const learned = typeof limit === 'number' ? fixedLimit(limit) : limit;
  const limiter = new Limiter(guardName(name), learned, new Tiers(tiers), queue, clock);
  announceGuard(limiter);
  return limiter;
}

class Limiter implements ConcurrencyLimiter {
  readonly name: string;
  readonly #limit: ConcurrencyLimit;
  readonly #tiers: Tiers;
  readonly #queue: CodelQueue | undefined;
  readonly #clock: Clock;
  readonly #sampler: LatencySampler;
  #inFlight = 0;
  #admitted = 0;
  #refused = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    name: string,
    limit: ConcurrencyLimit,
    tiers: Tiers,
    queue: QueueOptions | false,
    clock: Clock,
  ) {
    this.name = name;
    this.#limit = limit;
    this.#tiers = tiers;
    this.#queue = queue === false ? undefined : new CodelQueue(tiers.count, queue);
    this.#clock = clock;
    this.#sampler = new LatencySampler(limit, clock);
  }

  tryAcquire({ tier, signal }: AcquireOptions = {}): Permit | undefined {
    const index = this.#tiers.indexOf(tier);
    if (signal?.aborted !== true && this.#takes(index)) return this.#permit();
    this.#refused++;
    return undefined;
  }

  acquire({ tier, signal }: AcquireOptions = {}): Promise<Permit | undefined> {
    const index = this.#tiers.indexOf(tier);
    const queue = this.#queue;
    if (signal?.aborted === true) return this.#refuse();
    // Those who wait go first, unless they may not run anyway.
    if (this.#takes(index) && (queue === undefined || queue.length === 0 || index === 0)) {
      return Promise.resolve(this.#permit());
    }
    if (queue === undefined) return this.#refuse();
    const nowMs = this.#clock.now();
    return new Promise((resolve) => {
      const leave = (permit?: Permit): void => {
        signal?.removeEventListener('abort', abort);
        if (permit === undefined) this.#refused++;
        resolve(permit);
      };
      const waiting: Waiting = {
        tier: index,
        sinceMs: nowMs,
        admit: () => leave(this.#permit()),
        drop: () => leave(),
      };
      const abort = (): void => {
        queue.remove(waiting);
        leave();
      };
      queue.expire(nowMs);
      if (!queue.push(waiting, nowMs)) {
        leave();
        return;
      }
      signal?.addEventListener('abort', abort, { once: true });
      this.#drain();
    });
  }

  async run<Result>(work: () => Promise<Result>, options?: AcquireOptions): Promise<Result> {
    const permit = await this.acquire(options);
    if (permit === undefined) {
      throw new RateLimitError(
        'ERR_WEIR_RATELIMIT_OVERLOADED',
        'Refused: the concurrency limit is reached. Answer 503, or try elsewhere.',
      );
    }
    let completion: Completion = 'ok';
    try {
      return await work();
    } catch (error) {
      completion = error instanceof Error && error.name === 'TimeoutError' ? 'dropped' : 'ignored';
      throw error;
    } finally {
      permit.release(completion);
    }
  }

  stats(): ConcurrencyStats {
    return {
      limit: this.#limit.limit,
      inFlight: this.#inFlight,
      queued: this.#queue?.length ?? 0,
      admitted: this.#admitted,
      refused: this.#refused,
    };
  }

  #hasRoom(tier: number): boolean {
    const { limit, criticalLimit = limit } = this.#limit;
    return this.#inFlight < this.#tiers.room(tier, tier === 0 ? criticalLimit : limit);
  }

  /** As {@link #hasRoom} for one that arrives: the limit learns whether it binds. */
  #takes(tier: number): boolean {
    const room = this.#hasRoom(tier);
    if (!room) this.#sampler.refused();
    return room;
  }

  #refuse(): Promise<undefined> {
    this.#refused++;
    return Promise.resolve(undefined);
  }

  #permit(): Permit {
    this.#inFlight++;
    this.#admitted++;
    const startedMs = this.#clock.now();
    const inFlight = this.#inFlight;
    let held = true;
    let paused = false;
    let waited = false;
    return {
      release: (completion = 'ok') => {
        if (!held) return;
        held = false;
        if (!paused) this.#inFlight--;
        this.#sampler.finished(startedMs, inFlight, waited && completion === 'ok' ? 'ignored' : completion);
        this.#drain();
      },
      pause: () => {
        if (!held || paused) return;
        paused = waited = true;
        this.#inFlight--;
        this.#drain();
      },
      resume: () => {
        if (!held || !paused) return;
        paused = false;
        this.#inFlight++;
      },
    };
  }

  #drain(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    const nowMs = this.#clock.now();
    for (;;) {
      const next = queue.shift(nowMs, (tier) => this.#hasRoom(tier));
      if (next === undefined) break;
      next.admit();
    }
    this.#schedule(nowMs);
  }

  /** One timer, for the one that will have waited too long first. */
  #schedule(nowMs: number): void {
    const expiresMs = this.#queue?.expiresMs(nowMs);
    if (expiresMs === undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#drain();
      },
      Math.max(1, Math.ceil(expiresMs - nowMs)),
    );
  }
}
