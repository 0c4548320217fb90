import { publishRedis } from '../channels.ts';
import { CacheError } from '../errors.ts';
import type { Breaker } from '../policies/breaker.ts';
import type { Counters } from '../stats.ts';
import { Deadlines } from './deadlines.ts';
import type { RedisClient } from './redis-client.ts';

// A connection answers in order: behind so many commands that are late already, a further probe would only pile up.
const maxUnanswered = 16;
// A client may lose commands without telling, so that they are never answered: one more is tried after so many probes.
const probesPerStuckProbe = 10;
const minStuckProbeMs = 2_000;

/** Operations past their deadline whose command one connection has not answered yet. */
interface Unanswered {
  /** `undefined` for a client that does not show it. */
  readonly connection: unknown;
  count: number;
}

/** What every Redis operation of one cache passes through. */
export interface RedisGateOptions {
  readonly cache: string;
  readonly client: RedisClient;
  readonly deadlineMs: number;
  readonly breaker: Breaker;
  /** The breaker's, in milliseconds. */
  readonly openMs: number;
  readonly counters: Counters;
  readonly now: () => number;
}

/**
 * Bounds every Redis operation: it settles within `deadlineMs`, as soon as its connection is seen to be lost, and at once
 * while the breaker is open or the connection is down (so nothing queues up in the client). Its outcome is counted and
 * published. A command that outlives its deadline may still reach Redis; fences, not this gate, keep that harmless.
 */
export class RedisGate {
  readonly client: RedisClient;
  /** The name of the cache. */
  readonly cache: string;
  readonly #options: RedisGateOptions;
  readonly #deadlines: Deadlines;
  readonly #idle: (() => void)[] = [];
  #running = 0;
  #unanswered: Unanswered = { connection: undefined, count: 0 };
  #stuckUntil = 0;
  #wasReady = false;
  #hasFailed = false;
  /** Called after the first success that follows a failure. */
  onRecovered: () => void = () => {};

  constructor(options: RedisGateOptions) {
    this.client = options.client;
    this.cache = options.cache;
    this.#options = options;
    this.#deadlines = new Deadlines(Math.max(1, options.deadlineMs / 20), () => !this.#isConnected());
  }

  /** Whether an operation started now would be sent. Does not spend the half-open probe. */
  get isUsable(): boolean {
    return !this.#options.breaker.isOpen && this.#isConnected();
  }

  /** The moment of `performance.now` by which whatever starts now must have settled. */
  deadline(): number {
    return performance.now() + this.#options.deadlineMs;
  }

  /** Rejects with a `CacheError` (deadline, unavailable) or with the client's own error; never hangs. */
  run<T>(operation: string, send: () => Promise<T>, until: number = this.deadline()): Promise<T> {
    const { breaker, now } = this.#options;
    if (!this.#isConnected() || this.#isStuck() || !breaker.admit())
      return Promise.reject(this.#unavailable());
    const startedAt = now();
    const sentOn = this.#unanswered;
    this.#running += 1;
    const work = send();
    return this.within(until, operation, work, (outcome) => {
      if (outcome === 'timeout') this.#expect(work, sentOn);
      this.#settle(operation, startedAt, outcome);
    });
  }

  #expect(work: Promise<unknown>, unanswered: Unanswered): void {
    unanswered.count += 1;
    if (unanswered.count >= maxUnanswered) this.#stuckUntil = this.#options.now() + this.#stuckProbeMs;
    const forget = () => {
      unanswered.count -= 1;
    };
    work.then(forget, forget);
  }

  get #stuckProbeMs(): number {
    return Math.max(this.#options.openMs * probesPerStuckProbe, minStuckProbeMs);
  }

  #isStuck(): boolean {
    const { breaker, now } = this.#options;
    return breaker.isOpen && this.#unanswered.count >= maxUnanswered && now() < this.#stuckUntil;
  }

  /** The same promise, rejected at `until` or when the connection is lost. Tells `onSettled`; counts nothing itself. */
  within<T>(
    until: number,
    operation: string,
    work: Promise<T>,
    onSettled?: (outcome: 'ok' | 'error' | 'timeout') => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let isSettled = false;
      const settle = (outcome: 'ok' | 'error' | 'timeout') => {
        isSettled = true;
        onSettled?.(outcome);
      };
      const stop = this.#deadlines.start(until, () => {
        const isLate = this.#isConnected();
        settle(isLate ? 'timeout' : 'error');
        reject(isLate ? this.#late(operation) : new Error('The connection to Redis was lost.'));
      });
      work.then(
        (value) => {
          if (isSettled) return;
          stop();
          settle('ok');
          resolve(value);
        },
        (error: unknown) => {
          if (isSettled) return;
          stop();
          settle('error');
          reject(error);
        },
      );
    });
  }

  /** Counts a wait that was given up although its command, whose own deadline ends later, is answered after all. */
  noteLate(work: Promise<unknown>): void {
    const count = () => {
      this.#options.counters.redisErrors += 1;
    };
    // A command that fails is counted as itself.
    work.then(count, () => {});
  }

  /** Resolves when no operation is under way; at the latest when their deadlines have passed. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #settle(operation: string, startedAt: number, outcome: 'ok' | 'error' | 'timeout'): void {
    const { breaker, cache, counters, now } = this.#options;
    this.#running -= 1;
    if (outcome === 'ok') {
      const hasRecovered = this.#hasFailed;
      this.#hasFailed = false;
      breaker.succeed();
      if (hasRecovered) this.onRecovered();
    } else {
      this.#hasFailed = true;
      counters.redisErrors += 1;
      breaker.fail();
    }
    publishRedis(() => ({ cache, operation, durationMs: now() - startedAt, outcome }));
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  // Before its first connection a client may queue (a lazy one connects by its first command): otherwise every process
  // that starts would load everything once. A client that has lost its connection may not: its queue would grow.
  #isConnected(): boolean {
    const { status, stream } = this.client;
    // What was sent on another connection is answered by nobody.
    if (stream !== this.#unanswered.connection) this.#unanswered = { connection: stream, count: 0 };
    if (status === 'ready') {
      this.#wasReady = true;
      return true;
    }
    return !this.#wasReady && (status === 'wait' || status === 'connecting' || status === 'connect');
  }

  #late(operation: string): CacheError {
    return new CacheError(
      'ERR_WEIR_CACHE_REDIS_TIMEOUT',
      `Redis did not answer \`${operation}\` within ${this.#options.deadlineMs} ms. Raise \`l2.deadlineMs\` if that is its normal pace.`,
    );
  }

  #unavailable(): CacheError {
    const { breaker } = this.#options;
    return new CacheError(
      'ERR_WEIR_CACHE_REDIS_UNAVAILABLE',
      `Redis is not usable now (connection status \`${this.client.status}\`, breaker ${breaker.isOpen ? 'open' : 'closed'}). It is tried again by itself.`,
    );
  }
}
