import { RedisError } from './errors.ts';
import type { LuaScript, RedisArgument, RedisReply } from './link.ts';

/** Sends one script command: EVAL with the source, or EVALSHA with the digest, then the keys and arguments. */
export type SendScript = (
  command: 'EVAL' | 'EVALSHA',
  body: string,
  keys: readonly string[],
  args: readonly RedisArgument[],
) => Promise<RedisReply>;

/**
 * Runs scripts over one client. The first call of a script carries its source, so that a fresh server does not refuse it;
 * later ones carry the digest. A server that has forgotten it (a restart, a failover, SCRIPT FLUSH) gets the source once more.
 */
export class ScriptRunner {
  readonly #send: SendScript;
  readonly #sent = new WeakSet<LuaScript>();

  constructor(send: SendScript) {
    this.#send = send;
  }

  async run(script: LuaScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply> {
    if (!this.#sent.has(script)) {
      const reply = await this.#send('EVAL', script.source, keys, args);
      this.#sent.add(script);
      return reply;
    }
    try {
      return await this.#send('EVALSHA', script.sha1, keys, args);
    } catch (error) {
      if (!(error instanceof RedisError) || error.code !== 'ERR_WEIR_REDIS_NOSCRIPT') throw error;
      return await this.#send('EVAL', script.source, keys, args);
    }
  }
}
