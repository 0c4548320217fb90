import { createHash } from 'node:crypto';
import { redisChannel } from '../channels.ts';
import type { Clock } from '../clock.ts';
import { RateLimitError } from '../errors.ts';
import { Breaker } from './breaker.ts';
import { connectionOf, type RedisConnection, type RedisLike, type Ticket } from './redis-connection.ts';

/** A Lua script with its SHA-1. */
export interface Script {
  readonly operation: string;
  readonly source: string;
  readonly sha: string;
}

export function createScript(operation: string, source: string): Script {
  return { operation, source, sha: createHash('sha1').update(source).digest('hex') };
}

/**
 * Shares of the deadline after which a call is abandoned here, and after which it may no longer begin there. Timers fire
 * late rather than early, and whoever asked must still hear within the deadline; what was abandoned must not begin.
 */
const PATIENCE = 0.9;
const LAST_CALL = 0.84;

/** A call under way; it ends once. */
interface Call {
  readonly script: Script;
  readonly startedMs: number;
  readonly resolve: (reply: DataView) => void;
  readonly reject: (error: RateLimitError) => void;
  timer: NodeJS.Timeout | undefined;
  ended: boolean;
  /** Ends the wait for a client that connects. */
  release: (() => void) | undefined;
  ticket: Ticket | undefined;
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
 * when, by the server's own clock, it may act: a call that was abandoned here and arrives later (a stalled server) changes
 * nothing, nor does one that the client sends again because its connection was lost. After three failures in a row calls fail at once, and one in 250 ms tries.
 */
export class RedisScripts {
  readonly #options: RedisScriptsOptions;
  readonly #breaker: Breaker;
  readonly #connection: RedisConnection;
  /** Server µs minus local µs, at most the true difference: measured when a reply arrives. */
  #offsetUs = Number.NEGATIVE_INFINITY;

  constructor(options: RedisScriptsOptions) {
    this.#options = options;
    this.#breaker = new Breaker(options.clock);
    this.#connection = connectionOf(options.redis);
  }

  get isCluster(): boolean {
    return this.#options.redis.isCluster === true;
  }

  /**
   * The script's answer, little-endian doubles, `now` first. Rejects with `ERR_WEIR_RATELIMIT_STORE`, never later than
   * the deadline.
   */
  run(script: Script, keys: readonly string[], argv: readonly (string | number)[]): Promise<DataView> {
    const { clock, deadlineMs, redis } = this.#options;
    if (!this.#breaker.admits())
      return Promise.reject(failed('Redis failed repeatedly and is left alone for a moment.'));
    return new Promise((resolve, reject) => {
      const call: Call = {
        script,
        startedMs: clock.now(),
        resolve,
        reject,
        timer: undefined,
        ended: false,
        release: undefined,
        ticket: undefined,
      };
      call.timer = setTimeout(() => this.#expire(call), deadlineMs * PATIENCE);
      if (redis.status === 'ready' || redis.status === 'wait') this.#send(call, keys, argv);
      else if (redis.status === 'end') this.#fail(call, failed('The Redis client is closed.'));
      else call.release = this.#connection.whenReady(() => this.#send(call, keys, argv));
    });
  }

  #send(call: Call, keys: readonly string[], argv: readonly (string | number)[]): void {
    const { redis, deadlineMs } = this.#options;
    const { script, startedMs } = call;
    const lastUs = (startedMs + deadlineMs * LAST_CALL) * 1000;
    const notAfter = this.#offsetUs === Number.NEGATIVE_INFINITY ? 0 : Math.ceil(lastUs + this.#offsetUs);
    call.ticket = this.#connection.issue(notAfter);
    const args = [...keys, call.ticket.argument, ...argv];
    const receive = (reply: unknown): void => this.#receive(call, reply as Buffer);
    const fail = (error: unknown): void => this.#fail(call, error);
    redis.callBuffer('evalsha', script.sha, keys.length, ...args).then(receive, (error: unknown) => {
      if (call.ended || !(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) fail(error);
      else redis.callBuffer('eval', script.source, keys.length, ...args).then(receive, fail);
    });
  }

  #receive(call: Call, reply: Buffer): void {
    const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
    // The server read its clock before now: the difference found is at most the true one, by no more than the trip.
    // A quick trip is believed at once; slower ones only lead it slowly, which follows a server clock that was set back.
    const offset = view.getFloat64(0, true) - this.#options.clock.now() * 1000;
    this.#offsetUs = offset > this.#offsetUs ? offset : this.#offsetUs + (offset - this.#offsetUs) / 10;
    if (call.ended) return;
    if (view.byteLength === 8) {
      this.#fail(call, failed('Redis took the call up too late.'));
      return;
    }
    this.#breaker.succeed();
    this.#end(call, 'ok');
    call.resolve(view);
  }

  #expire(call: Call): void {
    const { deadlineMs } = this.#options;
    const message = `Redis did not answer within ${deadlineMs} ms. Raise \`deadlineMs\` if that is usual here.`;
    this.#fail(call, failed(message), 'timeout');
  }

  #fail(call: Call, error: unknown, outcome: 'error' | 'timeout' = 'error'): void {
    if (call.ended) return;
    this.#breaker.fail();
    this.#options.onError();
    this.#end(call, outcome);
    if (error instanceof RateLimitError) call.reject(error);
    else
      call.reject(failed(`Redis failed: ${error instanceof Error ? error.message : String(error)}`, error));
  }

  #end(call: Call, outcome: 'ok' | 'error' | 'timeout'): void {
    call.ended = true;
    clearTimeout(call.timer);
    call.release?.();
    if (call.ticket !== undefined) this.#connection.settle(call.ticket);
    if (redisChannel.hasSubscribers) {
      const { clock, limiter } = this.#options;
      const durationMs = clock.now() - call.startedMs;
      redisChannel.publish({ limiter, operation: call.script.operation, durationMs, outcome });
    }
  }
}

function failed(message: string, cause?: unknown): RateLimitError {
  return new RateLimitError('ERR_WEIR_RATELIMIT_STORE', message, cause === undefined ? undefined : { cause });
}
