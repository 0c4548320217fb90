import { type Clock, monotonicClock } from '../clock.ts';
import { RateLimitError, shown } from '../errors.ts';
import { createRateLimiter, type RateLimiter } from '../limiter.ts';
import type { Policy } from '../policies/policy.ts';
import { AdaptiveThrottle } from './adaptive-throttle.ts';

/** Options of `createOutboundLimiter`. */
export interface OutboundLimiterOptions {
  readonly name: string;
  /** What the other side allows, per origin. Give a limiter on Redis as `limiter` to share it between processes. */
  readonly policies?: readonly Policy[];
  readonly limiter?: RateLimiter;
  /** The longest a request may wait for its turn, in ms. @defaultValue 30,000 */
  readonly maxWaitMs?: number;
  /** The most that wait for one origin. @defaultValue 1000 */
  readonly maxQueue?: number;
  /** Retries allowed as a share of requests. @defaultValue 0.1 */
  readonly retryRatio?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** Options of one turn. */
export interface TurnOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Spaces this process's requests to other services, and pauses for a service that asks for it. */
export interface OutboundLimiter {
  /**
   * Resolves when a request to `origin` may go.
   * @throws {RateLimitError} (rejects) `ERR_WEIR_RATELIMIT_OVERLOADED` when the queue is full, the wait would exceed
   * `maxWaitMs`, or the service has lately refused so much that this request is dropped here.
   */
  turn(origin: string, options?: TurnOptions): Promise<void>;
  /** Learns from an answer (status 0: none came): pauses the origin if it asks for that. Returns the pause in ms. */
  observe(origin: string, status: number, header: GetHeader): number;
  /** Takes one retry from the budget. False when it is spent: retries must not multiply an outage. */
  mayRetry(): boolean;
  /** Requests that wait now. */
  readonly waiting: number;
}

interface Origin {
  readonly throttle: AdaptiveThrottle;
  pausedUntilMs: number;
  /** The tail of those that wait, each for the one before. */
  tail: Promise<void>;
  waiting: number;
}

/** Origins kept; the least recently used is evicted first. */
const maxOrigins = 1000;
/** The longest that a timer takes; a longer one would fire at once. */
const maxTimerMs = 2 ** 31 - 1;
/** Retries that a quiet client may save up. */
const maxRetriesSaved = 10;

/** @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS`, `ERR_WEIR_RATELIMIT_POLICY`. */
export function createOutboundLimiter(options: OutboundLimiterOptions): OutboundLimiter {
  return new Outbound(options);
}

class Outbound implements OutboundLimiter {
  readonly #limiter: RateLimiter | undefined;
  readonly #maxWaitMs: number;
  readonly #maxQueue: number;
  readonly #retryRatio: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #origins = new Map<string, Origin>();
  #retries = maxRetriesSaved;

  constructor(options: OutboundLimiterOptions) {
    const { name, policies, limiter, maxWaitMs = 30_000, maxQueue = 1000, retryRatio = 0.1 } = options;
    const { clock = monotonicClock, random = Math.random } = options;
    for (const [option, value] of Object.entries({ maxWaitMs, maxQueue, retryRatio })) {
      if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) continue;
      throw new RateLimitError(
        'ERR_WEIR_RATELIMIT_OPTIONS',
        `Expected \`${option}\` to be 0 or more, got ${shown(value)}.`,
      );
    }
    this.#limiter =
      limiter ?? (policies === undefined ? undefined : createRateLimiter({ name, policies, clock, random }));
    this.#maxWaitMs = maxWaitMs;
    this.#maxQueue = maxQueue;
    this.#retryRatio = retryRatio;
    this.#clock = clock;
    this.#random = random;
  }

  get waiting(): number {
    let waiting = 0;
    for (const origin of this.#origins.values()) waiting += origin.waiting;
    return waiting;
  }

  async turn(name: string, { signal }: TurnOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    const origin = this.#origin(name);
    const startedMs = this.#clock.now();
    if (origin.throttle.drops(startedMs, this.#random))
      throw refused(`${name} has lately refused most requests`);
    if (origin.waiting >= this.#maxQueue)
      throw refused(`${origin.waiting} requests wait for ${name} already`);
    this.#retries = Math.min(maxRetriesSaved, this.#retries + this.#retryRatio);
    origin.waiting++;
    const before = origin.tail;
    const mine = Promise.withResolvers<void>();
    origin.tail = mine.promise;
    let reached = false;
    try {
      // Whoever leaves the line early keeps its place for those behind: they still wait for those ahead.
      await this.#inLine(name, before, signal);
      reached = true;
      await this.#wait(name, origin, startedMs + this.#maxWaitMs, signal);
    } finally {
      origin.waiting--;
      if (reached) mine.resolve();
      else void before.then(mine.resolve);
    }
  }

  observe(name: string, status: number, header: GetHeader): number {
    const origin = this.#origin(name);
    const nowMs = this.#clock.now();
    origin.throttle.answered(nowMs, status !== 0 && status !== 429 && status !== 503);
    const asked = pauseMs(status, header, Date.now());
    // Spread upward, so that those who wait do not all return in one instant.
    if (asked > 0)
      origin.pausedUntilMs = Math.max(origin.pausedUntilMs, nowMs + asked * (1 + this.#random() / 10));
    return asked;
  }

  mayRetry(): boolean {
    if (this.#retries < 1) return false;
    this.#retries--;
    return true;
  }

  /** Resolves when those ahead have gone; rejects when the signal or `maxWaitMs` ends the wait before that. */
  #inLine(name: string, before: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        leave();
        reject(signal?.reason);
      };
      const late = (): void => {
        leave();
        reject(refused(`those ahead of it for ${name} took ${this.#maxWaitMs} ms`));
      };
      const timer = setTimeout(late, Math.min(this.#maxWaitMs, maxTimerMs));
      signal?.addEventListener('abort', abort, { once: true });
      void before.then(() => {
        leave();
        resolve();
      });
    });
  }

  async #wait(
    name: string,
    origin: Origin,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (;;) {
      signal?.throwIfAborted();
      const nowMs = this.#clock.now();
      let waitMs = origin.pausedUntilMs - nowMs;
      if (waitMs <= 0) {
        const decision = await this.#limiter?.consume(name);
        // Aborted while the limiter asked Redis: the turn is not used.
        if (decision?.allowed && signal?.aborted)
          await this.#limiter?.refund(name, decision).catch(() => false);
        signal?.throwIfAborted();
        if (decision === undefined || decision.allowed) return;
        waitMs = decision.retryAfterMs;
      }
      if (nowMs + waitMs > deadlineMs)
        throw refused(`the next turn for ${name} is ${Math.ceil(waitMs)} ms away`);
      await pause(Math.max(1, waitMs), signal);
    }
  }

  #origin(name: string): Origin {
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      const throttle = new AdaptiveThrottle(this.#clock.now());
      origin = { throttle, pausedUntilMs: 0, tail: Promise.resolve(), waiting: 0 };
    } else this.#origins.delete(name);
    this.#origins.set(name, origin);
    if (this.#origins.size > maxOrigins) this.#origins.delete(this.#origins.keys().next().value as string);
    return origin;
  }
}

/** Resolves after `ms`, or rejects with the signal's reason when that comes first. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      },
      Math.min(ms, maxTimerMs),
    );
    signal?.addEventListener('abort', abort, { once: true });
  });
}

function refused(reason: string): RateLimitError {
  return new RateLimitError('ERR_WEIR_RATELIMIT_OVERLOADED', `Not sent: ${reason}. Try later, or elsewhere.`);
}

/** The longest pause that a server may ask for, in ms; longer ones are cut to it. */
const maxPauseMs = 3_600_000;

/** The header fields that matter here; names as the server wrote them do not. */
export type GetHeader = (name: string) => string | null | undefined;

/**
 * How long, in ms, a server asks its client to stay away: `Retry-After` (seconds or a date, RFC 9110) of a 429 or 503,
 * and the `t` of every policy of `RateLimit` that has nothing remaining (draft-ietf-httpapi-ratelimit-headers-11).
 * Fields that cannot be parsed are ignored.
 */
export function pauseMs(status: number, header: GetHeader, wallClockMs: number): number {
  let pause = 0;
  const retryAfter = header('retry-after')?.trim();
  if ((status === 429 || status === 503) && retryAfter !== undefined && retryAfter !== '') {
    const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - wallClockMs;
    if (ms > 0) pause = ms;
  }
  for (const item of (header('ratelimit') ?? '').matchAll(/"[^"]*"((?:;[^,"]*)*)/g)) {
    const parameters = item[1] ?? '';
    const remaining = /;\s*r=(\d+)/.exec(parameters)?.[1];
    const seconds = /;\s*t=(\d+)/.exec(parameters)?.[1];
    if (remaining !== undefined && Number(remaining) === 0)
      pause = Math.max(pause, Number(seconds ?? 0) * 1000);
  }
  return Math.min(pause, maxPauseMs);
}
