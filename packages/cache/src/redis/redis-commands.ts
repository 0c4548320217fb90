import {
  type BreakerOptions,
  type Clock,
  type LuaScript,
  type RedisArgument,
  RedisCalls,
  type RedisError,
  type RedisLink,
  type RedisReply,
} from '@weir/redis';
import { CacheError } from '../errors.ts';
import { type Counters, publishRedis } from '../stats.ts';
import * as scripts from './lua.gen.ts';

/** What the Redis calls of one cache are made with. */
interface RedisCommandsOptions {
  /** The name of the cache. */
  readonly cache: string;
  readonly link: RedisLink;
  /** The first part of every key and channel, without the client's key prefix. */
  readonly prefix: string;
  readonly deadlineMs: number;
  readonly breaker: BreakerOptions;
  readonly counters: Counters;
  readonly clock: Clock;
  /** Called after the first success that follows a failure. */
  readonly onRecovered: () => void;
}

/**
 * How the cache calls Redis: within the deadline and through the breaker of `RedisCalls`, several keys in one command only
 * where one server has them all. Every outcome is counted and published. A command that Redis refuses to the user is warned of once.
 */
export class RedisCommands {
  readonly link: RedisLink;
  readonly calls: RedisCalls;
  readonly #options: RedisCommandsOptions;
  readonly #refused = new Set<string>();
  #isSharded: boolean;

  constructor(options: RedisCommandsOptions) {
    const { breaker, cache, clock, counters, deadlineMs, link, onRecovered } = options;
    this.link = link;
    this.#options = options;
    this.#isSharded = link.isCluster;
    this.calls = new RedisCalls({
      link,
      deadlineMs,
      breaker,
      clock,
      withoutConnection: 'reject',
      onRecovered,
      toError: cacheErrorOf,
      onOutcome: (operation, durationMs, outcome, error) => {
        if (error !== undefined) {
          counters.redisErrors += 1;
          this.#notice(operation, error);
        }
        publishRedis(() => ({ cache, operation, durationMs, outcome }));
      },
    });
  }

  /** Whether keys of different slots cannot share a command. */
  get isSharded(): boolean {
    return this.#isSharded;
  }

  /** Sends one command. Settles by `until`, a moment of `performance.now`; default: the deadline. */
  call(
    operation: string,
    command: string,
    keys: readonly string[],
    args?: readonly RedisArgument[],
    until?: number,
  ): Promise<RedisReply> {
    return this.calls.command(operation, command, keys, args, until);
  }

  /** As `call`, for a script. */
  eval(
    operation: string,
    script: LuaScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    until?: number,
  ): Promise<RedisReply> {
    return this.calls.script(operation, script, keys, args, until);
  }

  /**
   * The same promise, rejected at `until`. Counts the wait as failed although the command, whose own deadline ends later, may
   * still be answered.
   */
  within<T>(until: number, operation: string, work: Promise<T>): Promise<T> {
    return this.calls.within(until, operation, work, (outcome) => {
      if (outcome !== 'timeout') return;
      const count = () => {
        this.#options.counters.redisErrors += 1;
      };
      // A command that fails is counted as itself.
      work.then(count, () => {});
    });
  }

  /** The number of subscribers that received a script's message, from its reply: negative when the user may not publish. */
  receivers(reply: number): number {
    if (reply < 0) this.warnRefused('PUBLISH', 'NOPERM');
    return Math.max(reply, 0);
  }

  /** Warns once for each command that Redis refuses. */
  warnRefused(command: string, reply: string): void {
    if (this.#refused.has(command)) return;
    this.#refused.add(command);
    const start = `${this.link.keyPrefix}${this.#options.prefix}`;
    const { code, message } = new CacheError(
      'ERR_WEIR_CACHE_REDIS_REFUSED',
      `Redis refuses \`${command}\` to cache '${this.#options.cache}': ${reply.replace(/\.$/, '')}. Permit it with \`ACL SETUSER\`; the cache's keys and channels are \`~${start}* &${start}* &__redis__:invalidate\`.`,
    );
    process.emitWarning(message, { code });
  }

  #notice(operation: string, error: RedisError): void {
    // A proxy in front of a cluster looks like a single server, except for this reply.
    if (error.code === 'ERR_WEIR_REDIS_CROSSSLOT') this.#isSharded = true;
    else if (error.reply === 'NOPERM' || error.message.includes(refusedInScript)) {
      const command = /'(\w+)(?:\|\w+)?' command/.exec(error.message)?.[1] ?? commandAt(error.message);
      this.warnRefused((command ?? operation).toUpperCase(), error.message);
    }
  }
}

/** Redis answers so, without NOPERM, when it refuses a command (or a key of it) inside a script that the user may run. */
const refusedInScript = "The user executing the script can't";

/** The command at the place in a script that an error reply tells: `script: <digest>, on @user_script:<line>.` */
function commandAt(message: string): string | undefined {
  const digest = /\b[0-9a-f]{40}\b/.exec(message)?.[0];
  const line = Number(/@user_script: ?(\d+)/.exec(message)?.[1]);
  const source = Object.values(scripts).find(({ sha1 }) => sha1 === digest)?.source;
  return /redis\.p?call\('(\w+)'/.exec(source?.split('\n')[line - 1] ?? '')?.[1];
}

function cacheErrorOf(cause: RedisError): Error {
  if (cause.code === 'ERR_WEIR_REDIS_TIMEOUT') {
    const repair = 'Set `l2.deadlineMs`.';
    return new CacheError('ERR_WEIR_CACHE_REDIS_TIMEOUT', `${cause.message} ${repair}`, { cause });
  }
  if (cause.code === 'ERR_WEIR_REDIS_UNAVAILABLE') {
    return new CacheError('ERR_WEIR_CACHE_REDIS_UNAVAILABLE', cause.message, { cause });
  }
  return cause;
}
