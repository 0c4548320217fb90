import calculateSlot from 'cluster-key-slot';
import { closedError, lostError, type RedisError, replyError, timeoutError } from './errors.ts';
import {
  type ConnectionState,
  firstConnection,
  isPlainReply,
  type LuaScript,
  normalizeReply,
  type RedisArgument,
  type RedisLink,
  type RedisReply,
  type SubscribeOptions,
  type Subscription,
} from './link.ts';
import { ScriptRunner } from './script.ts';
import { type NodeEvents, type NodeSubscription, RetryTimer, subscribeToNodes } from './subscription.ts';

/** What this package needs of an ioredis 5 or 6 (or iovalkey) `Redis` or `Cluster`. */
export interface IoredisClient {
  readonly status: string;
  readonly isCluster?: boolean;
  readonly options: object;
  callBuffer(command: string, args: RedisArgument[]): Promise<unknown>;
  connect(): Promise<unknown>;
  duplicate(...args: never[]): unknown;
  on(event: string, listener: () => void): unknown;
}

interface IoredisOptions {
  readonly keyPrefix?: string | undefined;
  readonly redisOptions?: { readonly keyPrefix?: string | undefined } | undefined;
  readonly db?: number | undefined;
  readonly stringNumbers?: boolean | undefined;
  readonly enableOfflineQueue?: boolean | undefined;
}

interface IoredisCluster extends IoredisClient {
  readonly slots: (string[] | undefined)[];
  nodes(role: 'master'): IoredisClient[];
}

/**
 * ioredis runs `callBuffer` through automatic pipelining where the client has that switched on, and there it fails outside
 * of any promise (redis/ioredis#1923). This facade makes the same command object and hands it to the client directly.
 */
function withoutAutoPipelining(client: IoredisClient): Pick<IoredisClient, 'callBuffer'> {
  const real = client as IoredisClient & { sendCommand(command: unknown): unknown };
  return Object.create(client, {
    options: { value: Object.create(client.options, { enableAutoPipelining: { value: false } }) },
    sendCommand: { value: (command: unknown) => real.sendCommand(command) },
  }) as Pick<IoredisClient, 'callBuffer'>;
}

export class IoredisLink implements RedisLink {
  readonly weirRedisLink = 1;
  readonly library = 'ioredis';
  readonly isCluster: boolean;
  readonly keyPrefix: string;
  readonly tracking = 'redirect';
  readonly writesLate = true;
  readonly #client: IoredisClient;
  readonly #sender: Pick<IoredisClient, 'callBuffer'>;
  readonly #numbersAsText: boolean;
  readonly #scripts: ScriptRunner = new ScriptRunner((command, body, keys, args) =>
    this.#call(command, [body, String(keys.length), ...keys, ...args]),
  );
  readonly #listeners = new Set<(now: 'ready' | 'lost') => void>();
  /** Tells a lost connection from one that is made for the first time. */
  #wasReady = false;
  #losses = 0;
  readonly #hasQueue: boolean;
  #opening: Promise<void> | undefined;

  constructor(client: IoredisClient) {
    const { keyPrefix, redisOptions, stringNumbers, enableOfflineQueue } = client.options as IoredisOptions;
    this.#client = client;
    this.#sender = withoutAutoPipelining(client);
    this.isCluster = client.isCluster === true;
    this.keyPrefix = keyPrefix ?? redisOptions?.keyPrefix ?? '';
    this.#numbersAsText = stringNumbers === true;
    this.#hasQueue = enableOfflineQueue !== false;
    client.on('ready', () => this.#tell('ready'));
    client.on('close', () => this.#tell('lost'));
    // A cluster loses its nodes one by one.
    client.on('-node', () => this.#tell('lost'));
    this.state();
  }

  state(): ConnectionState {
    const { status } = this.#client;
    if (status === 'ready') {
      this.#wasReady = true;
      return 'ready';
    }
    if (status === 'end') return 'closed';
    if (status === 'wait') return 'idle';
    const hasFailed = this.#wasReady || status === 'reconnecting' || status === 'close';
    return hasFailed ? 'lost' : 'connecting';
  }

  get losses(): number {
    return this.#losses;
  }

  database(): number {
    // `condition` knows of a `select()`.
    const { condition, options } = this.#client as IoredisClient & { condition?: { select?: number } | null };
    return condition?.select ?? (options as IoredisOptions).db ?? 0;
  }

  watch(listener: (now: 'ready' | 'lost') => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  nodeOf(key: string): string {
    if (!this.isCluster) return '';
    const { slots } = this.#client as IoredisCluster;
    return slots[calculateSlot(this.keyPrefix + key)]?.[0] ?? '';
  }

  command(name: string, keys: readonly string[], args: readonly RedisArgument[] = []): Promise<RedisReply> {
    return this.#call(name, [...keys, ...args]);
  }

  script(script: LuaScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#scripts.run(script, keys, args);
  }

  subscribe(options: SubscribeOptions): Subscription {
    return subscribeToNodes(options, {
      isCluster: this.isCluster,
      nodes: () =>
        this.isCluster ? mastersOf(this.#client as IoredisCluster) : new Map([['', this.#client]]),
      connect: (node, events) => new IoredisSubscription(node, options, events),
    });
  }

  async #call(name: string, args: RedisArgument[]): Promise<RedisReply> {
    if (!this.#wasReady && !this.#hasQueue) await this.#open();
    let reply: unknown;
    try {
      reply = await this.#sender.callBuffer(name, args);
    } catch (error) {
      throw translate(error, this.#client.status);
    }
    return isPlainReply(reply) ? reply : normalizeReply(reply, this.#numbersAsText);
  }

  /** What the first command does where the client has an offline queue: it connects a lazy client, and waits for it. */
  #open(): Promise<void> {
    // A connection that fails is reported by `close`.
    if (this.#client.status === 'wait') this.#client.connect().catch(() => {});
    this.#opening ??= firstConnection(this).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  #tell(now: 'ready' | 'lost'): void {
    if (now === 'ready') this.#wasReady = true;
    else this.#losses += 1;
    for (const listener of [...this.#listeners]) listener(now);
  }
}

function translate(error: unknown, status: string): RedisError {
  if (!(error instanceof Error)) return lostError(error);
  if (isReply(error)) return replyError(error.message, error);
  if (error.message === 'Command timed out') return timeoutError(error);
  return status === 'end' ? closedError(error) : lostError(error);
}

function isReply(error: Error): boolean {
  return error.name === 'ReplyError';
}

function mastersOf(client: IoredisCluster): Map<string, IoredisClient> {
  return new Map(
    client.nodes('master').map((node) => {
      const { host, port } = node.options as { host?: string; port?: number };
      return [`${host}:${port}`, node];
    }),
  );
}

/** What this package needs of a connection of its own: an ioredis `Redis`. */
interface IoredisConnection {
  readonly stream?: { unref?(): void };
  on(event: string, listener: (...args: never[]) => void): unknown;
  connect(): Promise<unknown>;
  call(command: string, ...args: string[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
}

const invalidationChannel = '__redis__:invalidate';

/**
 * A connection to one node, in RESP2 (ioredis drops the invalidations of RESP3), that carries the messages and redirects
 * client tracking to itself, so that both die together and no half-broken state exists.
 */
class IoredisSubscription implements NodeSubscription {
  readonly #connection: IoredisConnection;
  readonly #options: SubscribeOptions;
  readonly #events: NodeEvents;
  readonly #retry: RetryTimer = new RetryTimer(() => void this.#set());
  /** Whether the present connection has asked for tracking: once subscribed it must not. */
  #isTracking = false;
  #isClosed = false;

  constructor(node: IoredisClient, options: SubscribeOptions, events: NodeEvents) {
    this.#options = options;
    this.#events = events;
    const duplicate = node.duplicate as unknown as (overrides: object) => IoredisConnection;
    this.#connection = duplicate.call(node, {
      protocol: 2,
      lazyConnect: true,
      autoResubscribe: false,
      enableAutoPipelining: false,
      enableOfflineQueue: false,
      commandTimeout: undefined,
      maxRetriesPerRequest: 0,
      retryStrategy: (times: number) => Math.min(times * 50, 2_000),
    });
    const connection = this.#connection;
    // Losses are reported by `close`; without a listener ioredis would print every failed attempt.
    connection.on('error', () => {});
    connection.on('connect', () => connection.stream?.unref?.());
    connection.on('ready', () => void this.#set());
    connection.on('close', () => {
      this.#retry.stop();
      this.#isTracking = false;
      events.onLost();
    });
    connection.on('messageBuffer', (channel: Buffer, message: Buffer | Buffer[] | null) => {
      const name = channel.toString();
      if (name === invalidationChannel)
        events.onTracked(message === null ? undefined : (message as Buffer[]));
      else events.onMessage(name, message as Buffer);
    });
    connection.connect().catch(() => {});
  }

  async ping(): Promise<void> {
    await this.#connection.call('PING');
  }

  reconnect(): void {
    if (!this.#isClosed) this.#connection.disconnect(true);
  }

  close(): void {
    this.#isClosed = true;
    this.#retry.stop();
    this.#connection.disconnect();
  }

  async #set(): Promise<void> {
    const { channels, trackedPrefixes } = this.#options;
    try {
      this.#isTracking ||=
        trackedPrefixes.length > 0 && (await this.#allows(() => this.#track(trackedPrefixes)));
      await this.#connection.subscribe(...channels);
      const tracks =
        this.#isTracking && (await this.#allows(() => this.#connection.subscribe(invalidationChannel)));
      if (this.#isClosed) return;
      this.#retry.succeed();
      this.#events.onReady(tracks);
    } catch (caught) {
      const error = caught as Error;
      if (this.#isClosed) return;
      if (!isReply(error)) {
        this.reconnect();
        return;
      }
      // A new connection would be refused as well: the same one asks again.
      this.#events.onRefused('messages', replyError(error.message, error));
      this.#retry.fail();
    }
  }

  async #track(prefixes: readonly string[]): Promise<void> {
    const id = String(await this.#connection.call('CLIENT', 'ID'));
    const each = prefixes.flatMap((prefix) => ['PREFIX', prefix]);
    await this.#connection.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', ...each);
  }

  // Servers before 6 and some proxies know no tracking, and an ACL may forbid it: the messages alone serve then.
  async #allows(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (caught) {
      const error = caught as Error;
      if (!isReply(error)) throw error;
      const refusal = replyError(error.message, error);
      if (refusal.reply === 'NOPERM') this.#events.onRefused('tracking', refusal);
      return false;
    }
  }
}
