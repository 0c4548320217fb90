import calculateSlot from 'cluster-key-slot';
import { closedError, lostError, type RedisError, replyError, timeoutError } from './errors.ts';
import {
  type ConnectionState,
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
import { type NodeEvents, type NodeSubscription, subscribeToNodes } from './subscription.ts';

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

  constructor(client: NodeRedisClient | NodeRedisCluster) {
    this.#client = client;
    this.isCluster = 'masters' in client && 'nodeClient' in client;
    this.keyPrefix = prefixOf(client);
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
    return this.#wasReady ? 'lost' : 'connecting';
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

  #tell(now: 'ready' | 'lost'): void {
    if (now === 'ready') this.#wasReady = true;
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
  #connection: NodeRedisConnection | undefined;
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
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection?.isOpen === true) connection.destroy();
  }

  async #open(): Promise<void> {
    const { trackedPrefixes } = this.#options;
    try {
      const node = await this.#node();
      if (this.#isClosed) return;
      const base = (node.options ?? {}) as { socket?: object };
      const connection = node.duplicate({
        RESP: 3,
        // Without it the client drops invalidations in silence.
        emitInvalidate: trackedPrefixes.length > 0,
        clientSideCache: undefined,
        disableOfflineQueue: false,
        socket: {
          ...base.socket,
          reconnectStrategy: (retries: number) => Math.min((retries + 1) * 50, 2_000),
        },
      }) as NodeRedisConnection;
      this.#connection = connection;
      // Without a listener an `error` event would end the process.
      connection.on('error', () => {});
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
      let isSubscribed = false;
      connection.on('ready', () => {
        if (isSubscribed) void this.#set(connection);
      });
      await connection.connect();
      connection.unref();
      await connection.subscribe(
        [...this.#options.channels],
        (message, channel) => {
          if (this.#connection === connection) this.#events.onMessage(channel.toString(), message);
        },
        true,
      );
      isSubscribed = true;
      await this.#set(connection);
    } catch {
      this.#retry();
    }
  }

  async #set(connection: NodeRedisConnection): Promise<void> {
    connection.unref();
    const tracks = await this.#track(connection);
    if (this.#connection === connection && connection.isReady) this.#events.onReady(tracks);
  }

  async #track(connection: NodeRedisConnection): Promise<boolean> {
    const { trackedPrefixes } = this.#options;
    if (trackedPrefixes.length === 0) return false;
    const each = trackedPrefixes.flatMap((prefix) => ['PREFIX', prefix]);
    try {
      await connection.sendCommand(['CLIENT', 'TRACKING', 'OFF'], replyOptions);
      await connection.sendCommand(['CLIENT', 'TRACKING', 'ON', 'BCAST', ...each], replyOptions);
      return true;
    } catch {
      return false;
    }
  }

  #retry(): void {
    this.#drop();
    if (this.#isClosed) return;
    setTimeout(() => {
      if (!this.#isClosed && this.#connection === undefined) void this.#open();
    }, 250).unref();
  }
}
