/** A Lua script with the digest that EVALSHA takes. */
export interface LuaScript {
  readonly name: string;
  readonly sha1: string;
  readonly source: string;
}

/** What a command may carry. */
export type RedisArgument = string | Buffer | number;

/**
 * What the cache asks of an injected client: an ioredis 5 or 6 `Redis` (single server or Sentinel) or `Cluster`. The
 * cache calls these members only; it adds no command, no listener and no option to it, and never closes it.
 */
export interface RedisClient {
  readonly status: string;
  readonly isCluster: boolean;
  readonly options: object;
  /** The connection of a single client: another one after each reconnect. */
  readonly stream?: unknown;
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>;
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

/** The database that a client is connected to; one that was changed by `select()` counts. */
export function databaseOf(client: RedisClient): number {
  const { condition, options } = client as RedisClient & { condition?: { select?: number } | null };
  return condition?.select ?? (options as { db?: number }).db ?? 0;
}

// Which scripts a client has sent in full. The first call carries the source, so that it is not refused and then late.
const sent = new WeakMap<RedisClient, Set<LuaScript>>();

/** One script call: EVALSHA, and EVAL the first time and when the server has forgotten the script (a restart, SCRIPT FLUSH). */
export async function evalScript(
  client: RedisClient,
  script: LuaScript,
  keys: readonly string[],
  args: readonly RedisArgument[],
): Promise<unknown> {
  const tail = [keys.length, ...keys, ...args];
  const known = sent.get(client) ?? new Set<LuaScript>();
  if (!known.has(script)) {
    sent.set(client, known.add(script));
    return await client.callBuffer('EVAL', [script.source, ...tail]);
  }
  try {
    return await client.callBuffer('EVALSHA', [script.sha1, ...tail]);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return await client.callBuffer('EVAL', [script.source, ...tail]);
  }
}
