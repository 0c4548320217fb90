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
import { type NodeEvents, type NodeSubscription, subscribeToNodes } from './subscription.ts';

/** What this package needs of a Valkey GLIDE 2 `GlideClient` or `GlideClusterClient`. */
export interface GlideConnection {
  customCommand(args: RedisArgument[], options?: object): Promise<unknown>;
  close(errorMessage?: string): void;
}

/** What {@link glide} needs to open a connection for messages: GLIDE keeps a client's configuration private. */
export interface GlideOptions {
  /**
   * Makes a client with the same configuration and `more` on top:
   * `(more) => GlideClient.createClient({ ...mine, ...more })`. Without it there are no messages.
   */
  readonly duplicate?: (more: object) => Promise<GlideConnection>;
}

// GLIDE's `Decoder.Bytes` and `PubSubChannelModes.Exact`; the package itself is never imported.
const bytes = 0;
const exact = 0;

/**
 * A link over Valkey GLIDE. GLIDE tells no state and no event, so only deadlines notice an outage; it has no client
 * tracking, so changes that other programs make are noticed only when an entry expires.
 */
export function glide(client: GlideConnection, options: GlideOptions = {}): RedisLink {
  return new GlideLink(client, options);
}

class GlideLink implements RedisLink {
  readonly weirRedisLink = 1;
  readonly library = 'valkey-glide';
  readonly isCluster: boolean;
  readonly keyPrefix = '';
  readonly tracking = 'none';
  // Arguments are serialised at the call.
  readonly writesLate = false;
  readonly #client: GlideConnection;
  readonly #options: GlideOptions;

  constructor(client: GlideConnection, options: GlideOptions) {
    this.#client = client;
    this.#options = options;
    this.isCluster = client.constructor.name === 'GlideClusterClient';
  }

  state(): ConnectionState {
    return (this.#client as { isClosed?: boolean }).isClosed === true ? 'closed' : 'unknown';
  }

  watch(): () => void {
    return () => {};
  }

  nodeOf(): string {
    return '';
  }

  command(name: string, keys: readonly string[], args: readonly RedisArgument[] = []): Promise<RedisReply> {
    return this.#call([name, ...keys, ...args]);
  }

  // Always by the source: GLIDE prints a warning on the terminal for every NOSCRIPT.
  script(script: LuaScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<RedisReply> {
    return this.#call(['EVAL', script.source, String(keys.length), ...keys, ...args]);
  }

  subscribe(options: SubscribeOptions): Subscription {
    const { duplicate } = this.#options;
    if (duplicate === undefined) return { close: () => {} };
    // GLIDE finds the nodes of a cluster itself, and a message published on one node reaches all.
    return subscribeToNodes(options, {
      isCluster: false,
      nodes: () => new Map([['', duplicate]]),
      connect: (connect, events) => new GlideSubscription(connect, options, events),
    });
  }

  async #call(args: RedisArgument[]): Promise<RedisReply> {
    let reply: unknown;
    try {
      reply = await this.#client.customCommand(args, { decoder: bytes });
    } catch (error) {
      throw translate(error);
    }
    return isPlainReply(reply) ? reply : normalizeReply(reply, false);
  }
}

const kinds: Readonly<Record<string, string>> = {
  NoScriptError: 'NOSCRIPT',
  CrossSlot: 'CROSSSLOT',
  ResponseError: 'ERR',
  NoPermissionError: 'NOPERM',
  PermissionDenied: 'NOPERM',
  ReadOnly: 'READONLY',
  BusyLoadingError: 'LOADING',
  ClusterDown: 'CLUSTERDOWN',
  MasterDown: 'MASTERDOWN',
  TryAgain: 'TRYAGAIN',
};

/** `An error was signalled by the server: - NoScriptError: …` becomes `NOSCRIPT …`. */
function translate(error: unknown): RedisError {
  if (!(error instanceof Error)) return lostError(error);
  const name = error.constructor.name;
  if (name === 'ClosingError') return closedError(error);
  if (name === 'ConnectionError' || name === 'CircuitBreakerError') return lostError(error);
  if (name === 'TimeoutError') return timeoutError(error);
  const [, kind, text] =
    /^An error was signalled by the server: -? ?(\w+):? ?([\s\S]*)$/.exec(error.message) ?? [];
  if (kind === undefined) return replyError(error.message, error);
  return replyError(`${kinds[kind] ?? kind} ${text}`.trim(), error);
}

/** How soon a connection that could not be made is tried again. */
const retryMs = 500;

/**
 * GLIDE reconnects and subscribes again in silence, and what was published in between is lost. Each ping therefore asks for
 * the connection's id: another one means that the connection was lost since.
 */
class GlideSubscription implements NodeSubscription {
  readonly #connect: (more: object) => Promise<GlideConnection>;
  readonly #options: SubscribeOptions;
  readonly #events: NodeEvents;
  #connection: GlideConnection | undefined;
  #id: number | undefined;
  #isClosed = false;

  constructor(
    connect: (more: object) => Promise<GlideConnection>,
    options: SubscribeOptions,
    events: NodeEvents,
  ) {
    this.#connect = connect;
    this.#options = options;
    this.#events = events;
    void this.#open();
  }

  async ping(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    const id = Number(await connection.customCommand(['CLIENT', 'ID'], { decoder: bytes }));
    if (this.#connection !== connection || id === this.#id) return;
    this.#id = id;
    this.#events.onLost();
    this.#events.onReady(false);
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
    connection?.close();
  }

  async #open(): Promise<void> {
    try {
      const connection = await this.#connect({
        defaultDecoder: bytes,
        pubsubSubscriptions: {
          channelsAndPatterns: { [exact]: new Set(this.#options.channels) },
          callback: ({ channel, message }: { channel: Buffer | string; message: Buffer | string }) => {
            if (this.#connection !== connection) return;
            this.#events.onMessage(
              String(channel),
              Buffer.isBuffer(message) ? message : Buffer.from(message),
            );
          },
        },
      });
      if (this.#isClosed) {
        connection.close();
        return;
      }
      this.#connection = connection;
      this.#id = Number(await connection.customCommand(['CLIENT', 'ID'], { decoder: bytes }));
      if (this.#connection === connection) this.#events.onReady(false);
    } catch {
      this.#drop();
      if (!this.#isClosed) setTimeout(() => this.reconnect(), retryMs).unref();
    }
  }
}
