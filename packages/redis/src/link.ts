import { createHash } from 'node:crypto';
import type { RedisError } from './errors.ts';

/** What an argument may be. Numbers are written as text by the caller: node-redis refuses them. */
export type RedisArgument = string | Buffer;

/** What every client's reply becomes: bulk and simple strings as Buffers, maps as flat lists, sets as lists. */
export type RedisReply = null | number | Buffer | readonly RedisReply[];

/** A Lua script with the digest that EVALSHA takes. */
export interface LuaScript {
  readonly name: string;
  readonly source: string;
  readonly sha1: string;
}

/** Compiles a script's source into what {@link RedisLink.script} takes. */
export function createScript(name: string, source: string): LuaScript {
  return Object.freeze({ name, source, sha1: createHash('sha1').update(source).digest('hex') });
}

/**
 * What is known of the client's connection. `idle`: the first command connects it (ioredis with `lazyConnect`).
 * `connecting`: not ready yet, and nothing has failed. `lost`: the connection, or an attempt to make it, has failed, and the
 * client reconnects. `closed`: the caller closed the client, or has not connected it. `unknown`: the client does not tell (GLIDE).
 */
export type ConnectionState = 'idle' | 'connecting' | 'ready' | 'lost' | 'closed' | 'unknown';

/** What a subscription reports. */
export interface SubscriptionEvents {
  /**
   * Every node's connection is subscribed: all messages arrive from now on. `tracks`: changes of tracked keys arrive as
   * well. Called again whenever nodes join and after each loss.
   */
  onReady(tracks: boolean): void;
  /** Messages may be missed from now on, until `onReady`. */
  onLost(): void;
  onMessage(channel: string, message: Buffer): void;
  /** Full names of keys that changed or expired; `undefined`: a database of the server was flushed, not necessarily the client's. */
  onTracked(keys: readonly Buffer[] | undefined): void;
  /**
   * A node refuses the user `messages` (a subscription, which is tried again after one second, then ever less often) or
   * `tracking` (messages arrive all the same, and `onReady` reports `tracks: false`). Also called, once, for `messages` where
   * the client cannot open a connection for them.
   */
  onRefused?(what: 'messages' | 'tracking', error: RedisError): void;
}

/** What a subscription listens to. */
export interface SubscribeOptions {
  /** Full channel names: no client puts a key prefix before them. */
  readonly channels: readonly string[];
  /** Prefixes of full key names whose changes are reported (CLIENT TRACKING … BCAST). Empty: no tracking. */
  readonly trackedPrefixes: readonly string[];
  /** How often a silent connection is checked, in milliseconds; it counts as lost after as long without an answer. */
  readonly pingMs: number;
  readonly events: SubscriptionEvents;
}

/** Connections of our own to every node, which carry messages and invalidations. */
export interface Subscription {
  close(): void;
}

/**
 * One Redis client of the caller's, whichever library it comes from. The link never configures, decorates or closes it.
 * Every rejection is a `RedisError`; nothing here has a deadline of its own (see `RedisCalls`).
 */
export interface RedisLink {
  /** Marks a link, also one made by another copy of this package. */
  readonly weirRedisLink: 1;
  readonly library: 'ioredis' | 'node-redis' | 'valkey-glide';
  readonly isCluster: boolean;
  /**
   * What the client puts before every key. `command` and `script` add it themselves; channel names, patterns and the
   * keys in messages carry it in full.
   */
  readonly keyPrefix: string;
  /** How the server tells of changed keys on this client; `none`: it cannot. */
  readonly tracking: 'redirect' | 'push' | 'none';
  /**
   * The client writes Buffer arguments when it sends them, and again when it sends them once more after a reconnect. A
   * caller can therefore void a command under way by overwriting its Buffer.
   */
  readonly writesLate: boolean;
  state(): ConnectionState;
  /**
   * How often the connection was lost so far (on a cluster, any node's). Commands sent before the last loss may never be
   * answered. Always 0 where the client does not tell (GLIDE).
   */
  readonly losses: number;
  /** The number of the database that the client uses. Channels are shared by all databases of a server. */
  database(): number;
  /** Calls back when the connection becomes ready or is lost (on a cluster, any node's). Returns how to stop. */
  watch(listener: (now: 'ready' | 'lost') => void): () => void;
  /** The node that serves a key, as `host:port`, where the client knows it; otherwise `''`. */
  nodeOf(key: string): string;
  /** Sends one command. `keys` come first on the wire and route it on a cluster; then `args`. */
  command(name: string, keys: readonly string[], args?: readonly RedisArgument[]): Promise<RedisReply>;
  /** Runs a script by its digest, and by its source where the server may not know it. */
  script(script: LuaScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply>;
  /** Opens connections of our own beside the client's. */
  subscribe(options: SubscribeOptions): Subscription;
}

/**
 * The same link with every command and script passed through `around`, which sends it when it calls `send`: to count calls, to
 * delay them, to inject faults. Subscriptions and the state are those of the link itself.
 */
export function decorateLink(
  link: RedisLink,
  around: (
    send: () => Promise<RedisReply>,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ) => Promise<RedisReply>,
): RedisLink {
  const { isCluster, keyPrefix, library, tracking, weirRedisLink, writesLate } = link;
  return {
    weirRedisLink,
    library,
    isCluster,
    keyPrefix,
    tracking,
    writesLate,
    get losses() {
      return link.losses;
    },
    state: () => link.state(),
    database: () => link.database(),
    watch: (listener) => link.watch(listener),
    nodeOf: (key) => link.nodeOf(key),
    subscribe: (options) => link.subscribe(options),
    command: (name, keys, args = []) => around(() => link.command(name, keys, args), keys, args),
    script: (script, keys, args) => around(() => link.script(script, keys, args), keys, args),
  };
}

/**
 * Resolves when a client's first connection is ready, or has failed: a client without an offline queue refuses commands
 * before it, where others keep them.
 */
export async function firstConnection(link: RedisLink): Promise<void> {
  while (link.state() === 'connecting') {
    await new Promise<void>((resolve) => {
      const stop = link.watch(() => {
        stop();
        resolve();
      });
    });
  }
}

/** Turns a client's reply into the one shape of all clients. */
export function normalizeReply(reply: unknown, numbersAsText: boolean): RedisReply {
  if (reply === null || reply === undefined) return null;
  if (typeof reply === 'number' || Buffer.isBuffer(reply)) return reply;
  // ioredis with `stringNumbers`: its parser hands out integers as text and bulk strings as Buffers.
  if (typeof reply === 'string') return numbersAsText ? Number(reply) : Buffer.from(reply);
  if (typeof reply === 'boolean') return reply ? 1 : 0;
  if (typeof reply === 'bigint') return Number(reply);
  if (reply instanceof Set) return [...reply].map((one) => normalizeReply(one, numbersAsText));
  if (reply instanceof Map) return [...reply].flat().map((one) => normalizeReply(one, numbersAsText));
  if (Array.isArray(reply)) {
    if (reply.length > 0 && isPair(reply[0]))
      return (reply as { key: unknown; value: unknown }[]).flatMap(({ key, value }) => [
        normalizeReply(key, numbersAsText),
        normalizeReply(value, numbersAsText),
      ]);
    return normalizeList(reply, numbersAsText);
  }
  if (reply instanceof Uint8Array) return Buffer.from(reply);
  return Object.entries(reply).flatMap(([key, value]) => [
    Buffer.from(key),
    normalizeReply(value, numbersAsText),
  ]);
}

// Nearly every list is in shape already: the hot path copies none.
function normalizeList(list: readonly unknown[], numbersAsText: boolean): RedisReply[] {
  let copy: RedisReply[] | undefined;
  for (let index = 0; index < list.length; index += 1) {
    const one = list[index];
    const normal = isPlainReply(one) ? one : normalizeReply(one, numbersAsText);
    if (copy === undefined && normal !== one) copy = list.slice(0, index) as RedisReply[];
    copy?.push(normal);
  }
  return copy ?? (list as RedisReply[]);
}

/** GLIDE's form of an entry of a map. */
function isPair(one: unknown): boolean {
  return (
    typeof one === 'object' &&
    one !== null &&
    !Array.isArray(one) &&
    !Buffer.isBuffer(one) &&
    'key' in one &&
    'value' in one
  );
}

/** Whether a reply needs no work: true for nearly all, which keeps the hot path free of copies. */
export function isPlainReply(reply: unknown): reply is RedisReply {
  return reply === null || typeof reply === 'number' || Buffer.isBuffer(reply);
}
