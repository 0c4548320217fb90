/** A Lua script with the digest that EVALSHA takes. */
export interface LuaScript {
  readonly name: string;
  readonly sha1: string;
  readonly source: string;
}

/**
 * What the cache asks of an injected client: an ioredis 5 or 6 `Redis` (single server or Sentinel) or `Cluster`. The
 * cache calls these members only; it adds no command, no listener and no option to it, and never closes it.
 */
export interface RedisClient {
  readonly status: string;
  readonly isCluster: boolean;
  readonly options: object;
  callBuffer(command: string, args: (string | Buffer | number)[]): Promise<unknown>;
  duplicate(...args: never[]): unknown;
}

/** The prefix that an ioredis client puts before every key, and that keys in messages from Redis therefore carry. */
export function keyPrefixOf(client: RedisClient): string {
  const { keyPrefix, redisOptions } = client.options as {
    keyPrefix?: string;
    redisOptions?: { keyPrefix?: string };
  };
  return keyPrefix ?? redisOptions?.keyPrefix ?? '';
}

/** One script call: EVALSHA, and EVAL only when the server does not know the script (a restart, SCRIPT FLUSH). */
export async function evalScript(
  client: RedisClient,
  script: LuaScript,
  keys: readonly string[],
  args: readonly (string | Buffer | number)[],
): Promise<unknown> {
  const tail = [keys.length, ...keys, ...args];
  try {
    return await client.callBuffer('EVALSHA', [script.sha1, ...tail]);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return await client.callBuffer('EVAL', [script.source, ...tail]);
  }
}
