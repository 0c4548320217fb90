import { createHash } from 'node:crypto';
import { redisChannel } from '../channels.ts';
import type { Clock } from '../clock.ts';
import { RateLimitError } from '../errors.ts';
import {
  callScript,
  connectionOf,
  type RedisConnection,
  type RedisLike,
  type Ticket,
} from './redis-connection.ts';
import { type RedisNode, RedisNodes } from './redis-nodes.ts';
import { CREDIT_MEMORY_MS } from './store.ts';

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

/** Errors of Redis that waiting does not end, unlike those of a server that loads, fails over or is out of memory. */
const REFUSALS = /^(ERR|NOPERM|NOAUTH|WRONGTYPE|CROSSSLOT)\b/;

/** A call under way; it ends once. */
interface Call {
  readonly script: Script;
  readonly node: RedisNode;
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
 * nothing, nor does one that the client sends again because its connection was lost. After three failures in a row of one
 * server, calls to it fail at once, and one in 250 ms tries.
 */
export class RedisScripts {
  readonly #options: RedisScriptsOptions;
  readonly #nodes: RedisNodes;
  readonly #connection: RedisConnection;
  #warned = false;

  constructor(options: RedisScriptsOptions) {
    this.#options = options;
    this.#nodes = new RedisNodes(options.redis, options.clock);
    this.#connection = connectionOf(options.redis);
  }

  get isCluster(): boolean {
    return this.#options.redis.isCluster === true;
  }

  /** How long, in ms, a mark must last, so that a try that begins within {@link CREDIT_MEMORY_MS} still finds it. */
  get memoryMs(): number {
    return CREDIT_MEMORY_MS + this.#options.deadlineMs;
  }

  /**
   * The script's answer, little-endian doubles, `now` first. Rejects with `ERR_WEIR_RATELIMIT_STORE`, never later than
   * the deadline. On a Cluster all keys are on the first one's slot.
   */
  run(script: Script, keys: readonly string[], argv: readonly (string | number)[]): Promise<DataView> {
    const { clock, deadlineMs, redis } = this.#options;
    const node = this.#nodes.of(keys[0] as string);
    if (!node.admits())
      return Promise.reject(failed('Redis failed repeatedly and is left alone for a moment.'));
    return new Promise((resolve, reject) => {
      const call: Call = {
        script,
        node,
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
    const { script, node, startedMs } = call;
    call.ticket = this.#connection.issue(node.serverUs(startedMs + deadlineMs * LAST_CALL));
    const args = [keys.length, ...keys, call.ticket.argument, ...argv];
    const receive = (reply: unknown): void => {
      if (Buffer.isBuffer(reply)) this.#receive(call, reply);
      else this.#fail(call, failed('The client gave a reply that is no Buffer. Use an ioredis client.'));
    };
    const fail = (error: unknown): void => this.#fail(call, error);
    callScript(redis, 'evalsha', script.sha, args).then(receive, (error: unknown) => {
      if (call.ended || !(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) fail(error);
      else callScript(redis, 'eval', script.source, args).then(receive, fail);
    });
  }

  #receive(call: Call, reply: Buffer): void {
    const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength);
    call.node.answered(view.getFloat64(0, true));
    if (call.ended) return;
    if (view.byteLength === 8) {
      this.#fail(call, failed('Redis took the call up too late.'));
      return;
    }
    call.node.succeed();
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
    call.node.fail();
    this.#options.onError();
    this.#end(call, outcome);
    if (error instanceof RateLimitError) call.reject(error);
    else {
      const message = error instanceof Error ? error.message : String(error);
      this.#warn(message);
      call.reject(failed(`Redis failed: ${message}`, error));
    }
  }

  /** Tells once of a refusal that does not pass by itself: until then `onStoreError` decides every request. */
  #warn(message: string): void {
    if (this.#warned || !REFUSALS.test(message)) return;
    this.#warned = true;
    const { limiter } = this.#options;
    process.emitWarning(`Redis refuses the scripts of rate limiter "${limiter}": ${message}`, {
      code: 'WEIR_RATELIMIT_REFUSED',
      detail: '`onStoreError` decides until the server or its access rules are changed.',
    });
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
