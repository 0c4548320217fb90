import { CacheError } from '../errors.ts';
import { evalScript, type LuaScript, type RedisArgument } from './redis-client.ts';
import type { RedisGate } from './redis-gate.ts';

/**
 * How commands and scripts are sent: through the gate, several keys at a time only where one server has them all. What
 * Redis refuses to the user is told once.
 */
export class RedisCommands {
  readonly gate: RedisGate;
  readonly #start: string;
  readonly #refused = new Set<string>();
  #isSharded: boolean;

  /** `start`: of every key and channel. */
  constructor(gate: RedisGate, start: string) {
    this.gate = gate;
    this.#start = start;
    this.#isSharded = gate.client.isCluster;
  }

  /** Whether keys of different slots cannot share a command. */
  get isSharded(): boolean {
    return this.#isSharded;
  }

  /** Settles by `until`, a moment of `performance.now`; default: the gate's deadline. */
  call(operation: string, command: string, args: readonly RedisArgument[], until?: number): Promise<unknown> {
    const send = () => this.gate.client.callBuffer(command, args as RedisArgument[]);
    return this.gate.run(operation, send, until).catch((error: unknown) => this.#notice(error, command));
  }

  /** As `call`, for a script. */
  eval(
    operation: string,
    script: LuaScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
    until?: number,
  ): Promise<unknown> {
    const send = () => evalScript(this.gate.client, script, keys, args);
    return this.gate.run(operation, send, until).catch((error: unknown) => this.#notice(error, 'EVALSHA'));
  }

  /** How many subscribers a script has told, from its reply: negative when the user may not publish. */
  told(receivers: number): number {
    if (receivers < 0) this.warnRefused('PUBLISH', 'NOPERM');
    return Math.max(receivers, 0);
  }

  /** Warns once for each command that Redis refuses it. */
  warnRefused(command: string, reply: string): void {
    if (this.#refused.has(command)) return;
    this.#refused.add(command);
    const { code, message } = new CacheError(
      'ERR_WEIR_CACHE_REDIS_REFUSED',
      `Redis refuses \`${command}\` to cache '${this.gate.cache}': ${reply}. Permit it with \`ACL SETUSER\`; the cache's keys and channels are \`~${this.#start}* &${this.#start}* &__redis__:invalidate\`.`,
    );
    process.emitWarning(message, { code });
  }

  #notice(error: unknown, command: string): never {
    const reply = error instanceof Error ? error.message : '';
    // A proxy in front of a cluster looks like a single server, but for this.
    if (reply.startsWith('CROSSSLOT')) this.#isSharded = true;
    else if (reply.startsWith('NOPERM')) this.warnRefused(command, reply);
    throw error;
  }
}
