import { publishRedis } from '../channels.ts';
import { CacheError } from '../errors.ts';
import type { Breaker } from '../policies/breaker.ts';
import type { Counters } from '../stats.ts';
import type { RedisClient } from './redis-client.ts';

/** What every Redis operation of one cache passes through. */
export interface RedisGateOptions {
  readonly cache: string;
  readonly client: RedisClient;
  readonly deadlineMs: number;
  readonly breaker: Breaker;
  readonly counters: Counters;
  readonly now: () => number;
}

/**
 * Bounds every Redis operation: it settles within `deadlineMs`, is refused at once while the breaker is open or the
 * connection is down (so nothing queues up in the client), and its outcome is counted and published. A command that
 * outlives its deadline may still reach Redis; fences, not this gate, keep that harmless.
 */
export class RedisGate {
  readonly client: RedisClient;
  readonly #options: RedisGateOptions;
  #wasReady = false;
  /** Called after an open breaker was closed by a success. */
  onRecovered: () => void = () => {};

  constructor(options: RedisGateOptions) {
    this.client = options.client;
    this.#options = options;
  }

  /** Whether an operation started now would be sent. Does not spend the half-open probe. */
  get isUsable(): boolean {
    return !this.#options.breaker.isOpen && this.#isConnected();
  }

  /** Rejects with a `CacheError` (deadline, unavailable) or with the client's own error; never hangs. */
  async run<T>(operation: string, command: () => Promise<T>): Promise<T> {
    const { breaker, cache, counters, now } = this.#options;
    if (!this.#isConnected() || !breaker.admit()) {
      throw new CacheError(
        'ERR_WEIR_CACHE_REDIS_UNAVAILABLE',
        `Redis is not usable now (connection status \`${this.client.status}\`, breaker ${breaker.isOpen ? 'open' : 'closed'}). It is tried again by itself.`,
      );
    }
    const start = now();
    let outcome: 'ok' | 'error' | 'timeout' = 'error';
    try {
      const result = await this.#withDeadline(operation, command());
      outcome = 'ok';
      const recovered = breaker.isOpen;
      breaker.succeed();
      if (recovered) this.onRecovered();
      return result;
    } catch (error) {
      if (error instanceof CacheError) outcome = 'timeout';
      counters.redisErrors += 1;
      breaker.fail();
      throw error;
    } finally {
      publishRedis(() => ({ cache, operation, durationMs: now() - start, outcome }));
    }
  }

  // Before its first connection a client may queue (a lazy one connects by its first command): otherwise every process
  // that starts would load everything once. A client that has lost its connection may not: its queue would grow.
  #isConnected(): boolean {
    const { status } = this.client;
    if (status === 'ready') {
      this.#wasReady = true;
      return true;
    }
    return !this.#wasReady && (status === 'wait' || status === 'connecting' || status === 'connect');
  }

  #withDeadline<T>(operation: string, command: Promise<T>): Promise<T> {
    const { deadlineMs } = this.#options;
    return new Promise<T>((resolve, reject) => {
      const expire = () => {
        const message = `Redis did not answer \`${operation}\` within ${deadlineMs} ms. Raise \`redisDeadlineMs\` if that is its normal pace.`;
        reject(new CacheError('ERR_WEIR_CACHE_REDIS_TIMEOUT', message));
      };
      // A blocked event loop lets timers fire before replies that have long arrived: read those first.
      const timer = setTimeout(() => setImmediate(expire), deadlineMs);
      command.then(
        (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
  }
}
