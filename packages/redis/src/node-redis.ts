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

/** What this package needs of a node-redis 5 or later client. */
export interface NodeRedisClient {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  readonly options?: object | undefined;
  sendCommand(args: readonly RedisArgument[], options?: object): Promise<unknown>;
  duplicate(overrides?: object): unknown;
  on(event: string, listener: () => void): unknown;
}

/** What this package needs of a node-redis 5 or later cluster client. */
export interface NodeRedisCluster {
  readonly isOpen: boolean;
  readonly isReady?: boolean;
  readonly slots: readonly ({ readonly master?: { readonly address: string } } | undefined)[];
  readonly masters: readonly object[];
  nodeClient(node: never): unknown;
  sendCommand(
    firstKey: RedisArgument | undefined,
    isReadonly: boolean | undefined,
    args: RedisArgument[],
    options?: object,
  ): Promise<unknown>;
  on(event: string, listener: () => void): unknown;
}

// RESP's type bytes: bulk strings and simple strings as Buffers, maps and sets as flat lists. The client's default timeout
// is an AbortSignal a command, which costs more than the command itself; deadlines are Weir's own.
const replyOptions = { typeMapping: { 36: Buffer, 43: Buffer, 37: Array, 126: Array }, timeout: undefined };

export class NodeRedisLink implements RedisLink {
  readonly weirRedisLink = 1;
  readonly library = 'node-redis';
  readonly isCluster: boolean;
  readonly keyPrefix: string;
  readonly tracking = 'push';
  readonly writesLate = true;
  readonly #client: NodeRedisClient | NodeRedisCluster;
  readonly #scripts: ScriptRunner = new ScriptRunner((command, body, keys, args) =>
    this.#call(keys[0], [command, body, String(keys.length), ...this.#prefixed(keys), ...args]),
  );
  readonly #listeners = new Set<(now: 'ready' | 'lost') => void>();
  /** Tells a lost connection from one that is made for the first time. */
  #wasReady = false;
  #losses = 0;
  readonly #hasQueue: boolean;
  #opening: Promise<void> | undefined;

  constructor(client: NodeRedisClient | NodeRedisCluster) {
    this.#client = client;
    this.isCluster = 'masters' in client && 'nodeClient' in client;
    this.keyPrefix = prefixOf(client);
    this.#hasQueue =
      (client as { options?: { disableOfflineQueue?: boolean } }).options?.disableOfflineQueue !== true;
    const ready = (): void => this.#tell('ready');
    const lost = (): void => this.#tell('lost');
    for (const event of ['ready', 'node-ready']) client.on(event, ready);
    for (const event of [
      'reconnecting',
      'terminated',
      'end',
      'node-reconnecting',
      'node-disconnect',
      'disconnect',
    ])
      client.on(event, lost);
    this.state();
  }

  state(): ConnectionState {
    const client = this.#client;
    if (!client.isOpen) return 'closed';
    if (client.isReady ?? true) {
      this.#wasReady = true;
      return 'ready';
    }
    return this.#wasReady || this.#losses > 0 ? 'lost' : 'connecting';
  }

  get losses(): number {
    return this.#losses;
  }

  // The client does not show what a `select()` has changed.
  database(): number {
    return (this.#client as { options?: { database?: number } }).options?.database ?? 0;
  }

  watch(listener: (now: 'ready' | 'lost') => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  nodeOf(key: string): string {
    if (!this.isCluster) return '';
    return (
      (this.#client as NodeRedisCluster).slots[calculateSlot(this.keyPrefix + key)]?.master?.address ?? ''
    );
  }

  command(name: string, keys: readonly string[], args: readonly RedisArgument[] = []): Promise<RedisReply> {
    return this.#call(keys[0], [name, ...this.#prefixed(keys), ...args]);
  }

  script(script: LuaScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#scripts.run(script, keys, args);
  }

  subscribe(options: SubscribeOptions): Subscription {
    const client = this.#client;
    return subscribeToNodes<() => Promise<NodeRedisClient>>(options, {
      isCluster: this.isCluster,
      nodes: () =>
        this.isCluster
          ? mastersOf(client as NodeRedisCluster)
          : new Map([['', () => Promise.resolve(client as NodeRedisClient)]]),
      connect: (node, events) => new NodeRedisSubscription(node, options, events),
    });
  }

  // Raw commands bypass the client's own key prefix.
  #prefixed(keys: readonly string[]): readonly string[] {
    const { keyPrefix } = this;
    return keyPrefix === '' ? keys : keys.map((key) => keyPrefix + key);
  }

  async #call(firstKey: string | undefined, args: RedisArgument[]): Promise<RedisReply> {
    if (!this.#wasReady && !this.#hasQueue) await this.#open();
    let reply: unknown;
    try {
      reply = await (this.isCluster
        ? (this.#client as NodeRedisCluster).sendCommand(
            firstKey === undefined ? undefined : this.keyPrefix + firstKey,
            false,
            args,
            replyOptions,
          )
        : (this.#client as NodeRedisClient).sendCommand(args, replyOptions));
    } catch (error) {
      throw translate(error);
    }
    return isPlainReply(reply) ? reply : normalizeReply(reply, false);
  }

  /** What the first commands do where the client has an offline queue: they wait for its first connection. */
  #open(): Promise<void> {
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

function prefixOf(client: NodeRedisClient | NodeRedisCluster): string {
  const { _keyPrefix, options } = client as { _keyPrefix?: unknown; options?: { keyPrefix?: unknown } };
  const prefix = options?.keyPrefix ?? _keyPrefix;
  return prefix === undefined ? '' : String(prefix);
}

const connectionErrors = new Set([
  'SocketClosedUnexpectedlyError',
  'ClientOfflineError',
  'DisconnectsClientError',
  'ConnectionTimeoutError',
  'SocketTimeoutError',
  'ReconnectStrategyError',
  'RootNodesUnavailableError',
  'AbortError',
]);

function translate(error: unknown): RedisError {
  if (!(error instanceof Error)) return lostError(error);
  const name = error.constructor.name;
  if (name === 'ClientClosedError') return closedError(error);
  if (connectionErrors.has(name)) return lostError(error);
  if (name === 'TimeoutError' || name === 'CommandTimeoutDuringMaintenanceError') return timeoutError(error);
  if ('code' in error) return lostError(error);
  return replyError(error.message, error);
}

function mastersOf(client: NodeRedisCluster): Map<string, () => Promise<NodeRedisClient>> {
  return new Map(
    client.masters.map((master) => [
      (master as { address: string }).address,
      async () => (await client.nodeClient(master as never)) as NodeRedisClient,
    ]),
  );
}

/** A connection of our own: a duplicate with RESP3, which carries messages and invalidations side by side. */
interface NodeRedisConnection extends Omit<NodeRedisClient, 'on'> {
  on(event: string, listener: (...args: never[]) => void): unknown;
  connect(): Promise<unknown>;
  subscribe(
    channels: string[],
    listener: (message: Buffer, channel: Buffer) => void,
    bufferMode: true,
  ): Promise<void>;
  unref(): void;
  destroy(): void;
}

class NodeRedisSubscription implements NodeSubscription {
  readonly #node: () => Promise<NodeRedisClient>;
  readonly #options: SubscribeOptions;
  readonly #events: NodeEvents;
  readonly #retry: RetryTimer = new RetryTimer(() => void this.#subscribe());
  #connection: NodeRedisConnection | undefined;
  /** From then on the client subscribes again by itself whenever it reconnects. */
  #isSubscribed = false;
  #isTrackingRefused = false;
  #isClosed = false;

  constructor(node: () => Promise<NodeRedisClient>, options: SubscribeOptions, events: NodeEvents) {
    this.#node = node;
    this.#options = options;
    this.#events = events;
    void this.#open();
  }

  async ping(): Promise<void> {
    await this.#connection?.sendCommand(['PING'], replyOptions);
  }

  reconnect(): void {
    this.#drop();
    if (!this.#isClosed) void this.#open();
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  #drop(): void {
    this.#retry.stop();
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection?.isOpen === true) connection.destroy();
  }

  async #open(): Promise<void> {
    const { trackedPrefixes } = this.#options;
    let opened: NodeRedisConnection | undefined;
    try {
      const node = await this.#node();
      if (this.#isClosed) return;
      const base = (node.options ?? {}) as { socket?: object };
      const connection = node.duplicate({
        RESP: 3,
        // Without it the client drops invalidations in silence; with it, it asks for tracking while it connects.
        emitInvalidate: trackedPrefixes.length > 0 && !this.#isTrackingRefused,
        clientSideCache: undefined,
        disableOfflineQueue: false,
        socket: {
          ...base.socket,
          reconnectStrategy: (retries: number) => Math.min((retries + 1) * 50, 2_000),
        },
      }) as NodeRedisConnection;
      this.#connection = connection;
      opened = connection;
      // Without a listener an `error` event would end the process.
      connection.on('error', (error: Error) => {
        if (this.#connection === connection) this.#onError(error);
      });
      const lost = (): void => {
        if (this.#connection === connection) this.#events.onLost();
      };
      connection.on('reconnecting', lost);
      connection.on('end', lost);
      connection.on('invalidate', (key: Buffer | string | null) => {
        if (this.#connection !== connection) return;
        this.#events.onTracked(key === null ? undefined : [Buffer.isBuffer(key) ? key : Buffer.from(key)]);
      });
      // After a reconnect the client subscribes again by itself before `ready`, and sends a plain CLIENT TRACKING ON.
      this.#isSubscribed = false;
      connection.on('ready', () => {
        if (this.#connection !== connection) return;
        if (this.#isSubscribed) void this.#set(connection);
        else void this.#subscribe();
      });
      await connection.connect();
      connection.unref();
    } catch {
      if (this.#connection === undefined || this.#connection === opened) this.#openLater();
    }
  }

  // A user without the right to CLIENT TRACKING could not connect at all: the messages alone serve then.
  #onError(error: Error): void {
    const refusal = translate(error);
    if (refusal.reply !== 'NOPERM' || this.#isTrackingRefused || this.#options.trackedPrefixes.length === 0)
      return;
    this.#isTrackingRefused = true;
    this.#events.onRefused('tracking', refusal);
    this.reconnect();
  }

  async #subscribe(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      await connection.subscribe(
        [...this.#options.channels],
        (message, channel) => {
          if (this.#connection === connection) this.#events.onMessage(channel.toString(), message);
        },
        true,
      );
      if (this.#connection !== connection) return;
      this.#isSubscribed = true;
      this.#retry.succeed();
      await this.#set(connection);
    } catch (error) {
      if (this.#connection !== connection) return;
      const refusal = translate(error);
      // The connection reports its own end, and subscribes when it is ready again.
      if (refusal.code !== 'ERR_WEIR_REDIS_REPLY') return;
      this.#events.onRefused('messages', refusal);
      this.#retry.fail();
    }
  }

  async #set(connection: NodeRedisConnection): Promise<void> {
    connection.unref();
    const tracks = await this.#track(connection);
    if (this.#connection === connection && connection.isReady) this.#events.onReady(tracks);
  }

  async #track(connection: NodeRedisConnection): Promise<boolean> {
    const { trackedPrefixes } = this.#options;
    if (trackedPrefixes.length === 0 || this.#isTrackingRefused) return false;
    const each = trackedPrefixes.flatMap((prefix) => ['PREFIX', prefix]);
    try {
      await connection.sendCommand(['CLIENT', 'TRACKING', 'OFF'], replyOptions);
      await connection.sendCommand(['CLIENT', 'TRACKING', 'ON', 'BCAST', ...each], replyOptions);
      return true;
    } catch (error) {
      const refusal = translate(error);
      if (refusal.reply === 'NOPERM') this.#events.onRefused('tracking', refusal);
      return false;
    }
  }

  #openLater(): void {
    this.#drop();
    if (this.#isClosed) return;
    setTimeout(() => {
      if (!this.#isClosed && this.#connection === undefined) void this.#open();
    }, 250).unref();
  }
}
