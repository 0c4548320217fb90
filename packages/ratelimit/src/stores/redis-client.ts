import { createHash } from 'node:crypto';
import { redisChannel } from '../channels.ts';
import type { Clock } from '../clock.ts';
import { RateLimitError } from '../errors.ts';
import { Breaker } from './breaker.ts';

/** What this package needs of a client: an ioredis `Redis` or `Cluster` has it. It is never configured or closed here. */
export interface RedisLike {
  readonly status: string;
  readonly isCluster?: boolean;
  evalsha(sha: string, numkeys: number, ...args: (string | number)[]): Promise<unknown>;
  eval(script: string, numkeys: number, ...args: (string | number)[]): Promise<unknown>;
  once(event: 'ready', listener: () => void): unknown;
  removeListener(event: 'ready', listener: () => void): unknown;
}

/** A Lua script with its SHA-1. */
export interface Script {
  readonly operation: string;
  readonly source: string;
  readonly sha: string;
}

export function createScript(operation: string, source: string): Script {
  return { operation, source, sha: createHash('sha1').update(source).digest('hex') };
}

/** A call under way. An AbortController would cost more than the rest of the call. */
interface Call {
  abandoned: boolean;
  /** Ends what the call still waits for. */
  release: (() => void) | undefined;
}

/** Options of {@link RedisScripts}. */
export interface RedisScriptsOptions {
  readonly redis: RedisLike;
  readonly limiter: string;
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly onError: () => void;
}

/**
 * Runs scripts within a deadline of its own, whatever the client's retries and queues do.
 *
 * A call waits for a client that is still connecting but never enters its offline queue, and tells the script until
 * when, by the server's own clock, it may act: a call that was abandoned here and arrives later (a stalled server, a
 * client that re-sends) changes nothing. After three failures in a row calls fail at once, and one in 250 ms tries.
 */
export class RedisScripts {
  readonly #options: RedisScriptsOptions;
  readonly #breaker: Breaker;
  /** Server µs minus local µs, at most the true difference: measured when a reply arrives. */
  #offsetUs = Number.NEGATIVE_INFINITY;

  constructor(options: RedisScriptsOptions) {
    this.#options = options;
    this.#breaker = new Breaker(options.clock);
  }

  get isCluster(): boolean {
    return this.#options.redis.isCluster === true;
  }

  /** Replies of the script, `now` first. Rejects with `ERR_WEIR_RATELIMIT_STORE`, never later than the deadline. */
  async run(script: Script, keys: readonly string[], argv: readonly (string | number)[]): Promise<number[]> {
    const { clock, deadlineMs, limiter, onError } = this.#options;
    if (!this.#breaker.admits()) throw failed('Redis failed repeatedly and is left alone for a moment.');
    const started = clock.now();
    let outcome: 'ok' | 'error' | 'timeout' = 'error';
    let timer: NodeJS.Timeout | undefined;
    const call: Call = { abandoned: false, release: undefined };
    try {
      const deadline = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          outcome = 'timeout';
          call.abandoned = true;
          call.release?.();
          reject(
            failed(
              `Redis did not answer within ${deadlineMs} ms. Raise \`deadlineMs\` if that is usual here.`,
            ),
          );
        }, deadlineMs);
      });
      const reply = await Promise.race([this.#send(script, keys, argv, started, call), deadline]);
      outcome = 'ok';
      this.#breaker.succeed();
      return reply;
    } catch (error) {
      this.#breaker.fail();
      onError();
      if (error instanceof RateLimitError) throw error;
      throw failed(`Redis failed: ${error instanceof Error ? error.message : String(error)}`, error);
    } finally {
      clearTimeout(timer);
      if (redisChannel.hasSubscribers) {
        redisChannel.publish({
          limiter,
          operation: script.operation,
          durationMs: clock.now() - started,
          outcome,
        });
      }
    }
  }

  async #send(
    script: Script,
    keys: readonly string[],
    argv: readonly (string | number)[],
    startedMs: number,
    call: Call,
  ): Promise<number[]> {
    const { redis, clock, deadlineMs } = this.#options;
    if (redis.status !== 'ready' && redis.status !== 'wait') await ready(redis, call);
    // A tenth is left for timers that fire early, so that what was abandoned here can no longer begin there.
    const lastUs = (startedMs + deadlineMs * 0.9) * 1000;
    const notAfter = this.#offsetUs === Number.NEGATIVE_INFINITY ? 0 : Math.ceil(lastUs + this.#offsetUs);
    const args = [...keys, notAfter, ...argv];
    let reply: unknown;
    try {
      reply = await redis.evalsha(script.sha, keys.length, ...args);
    } catch (error) {
      if (call.abandoned || !(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      reply = await redis.eval(script.source, keys.length, ...args);
    }
    const numbers = reply as number[];
    // The server read its clock before now: the difference found is at most the true one, by no more than the trip.
    // A quick trip is believed at once; slower ones only lead it slowly, which follows a server clock that was set back.
    const offset = (numbers[0] as number) - clock.now() * 1000;
    this.#offsetUs = offset > this.#offsetUs ? offset : this.#offsetUs + (offset - this.#offsetUs) / 10;
    if (numbers.length === 1) throw failed('Redis took the call up too late.');
    return numbers;
  }
}

/** Resolves when the client can send. A client that was closed cannot become ready. */
function ready(redis: RedisLike, call: Call): Promise<void> {
  return new Promise((resolve, reject) => {
    if (redis.status === 'end') {
      reject(failed('The Redis client is closed.'));
      return;
    }
    redis.once('ready', resolve);
    call.release = () => void redis.removeListener('ready', resolve);
  });
}

function failed(message: string, cause?: unknown): RateLimitError {
  return new RateLimitError('ERR_WEIR_RATELIMIT_STORE', message, cause === undefined ? undefined : { cause });
}
