import { closedError, lostError, RedisError, replyError, timeoutError } from './errors.ts';
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
import { type NodeEvents, type NodeSubscription, RetryTimer, subscribeToNodes } from './subscription.ts';

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
  /**
   * The client's `databaseId`.
   * @defaultValue 0
   */
  readonly database?: number;
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

  get losses(): number {
    return 0;
  }

  database(): number {
    return this.#options.database ?? 0;
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
    if (duplicate === undefined) {
      queueMicrotask(() => options.events.onRefused?.('messages', noDuplicate()));
      return { close: () => {} };
    }
    // GLIDE finds the nodes of a cluster itself, and a message published on one node reaches all.
    return subscribeToNodes(options, {
      isCluster: false,
      nodes: () => new Map([['', duplicate]]),
      connect: (connect, events) =>
        new GlideSubscription({ client: this.#client, connect, isCluster: this.isCluster, options, events }),
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

function noDuplicate(): RedisError {
  return new RedisError(
    'ERR_WEIR_REDIS_INVALID_CLIENT',
    'A GLIDE client cannot open the second connection that messages need. Pass `glide(client, { duplicate })` instead of the client.',
  );
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

interface GlideSubscriptionParts {
  readonly client: GlideConnection;
  readonly connect: (more: object) => Promise<GlideConnection>;
  readonly isCluster: boolean;
  readonly options: SubscribeOptions;
  readonly events: NodeEvents;
}

/**
 * GLIDE reconnects and subscribes again in silence, and what was published in between is lost; a refused subscription it
 * tries for ever, in silence as well. Each ping therefore asks for the connection's id, another one means that the connection was
 * lost since, and for its number of subscriptions. A cluster client has several connections and shows any of them: there only the
 * id of the node that it asks is known.
 */
class GlideSubscription implements NodeSubscription {
  readonly #parts: GlideSubscriptionParts;
  readonly #retry: RetryTimer = new RetryTimer(() => this.reconnect());
  #connection: GlideConnection | undefined;
  #id: string | undefined;
  #isClosed = false;

  constructor(parts: GlideSubscriptionParts) {
    this.#parts = parts;
    void this.#open();
  }

  async ping(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    const { id, isSubscribed } = await this.#look(connection);
    if (this.#connection !== connection) return;
    if (!isSubscribed) {
      this.#parts.events.onLost();
      this.reconnect();
    } else if (id !== this.#id) {
      this.#id = id;
      this.#parts.events.onLost();
      this.#parts.events.onReady(false);
    }
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
    connection?.close();
  }

  async #open(): Promise<void> {
    try {
      const connection = await this.#parts.connect({
        defaultDecoder: bytes,
        pubsubSubscriptions: {
          channelsAndPatterns: { [exact]: new Set(this.#parts.options.channels) },
          callback: ({ channel, message }: { channel: Buffer | string; message: Buffer | string }) => {
            if (this.#connection !== connection) return;
            this.#parts.events.onMessage(
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
      const { id, isSubscribed } = await this.#look(connection);
      if (this.#connection !== connection) return;
      this.#id = id;
      if (isSubscribed) {
        this.#retry.succeed();
        this.#parts.events.onReady(false);
        return;
      }
      this.#drop();
      this.#parts.events.onRefused('messages', lostError('GLIDE could not subscribe; it logs why.'));
    } catch (error) {
      this.#drop();
      // GLIDE fails alike for a refused subscription and for a server that is gone.
      if (await this.#answers()) this.#parts.events.onRefused('messages', translate(error));
    }
    if (!this.#isClosed) this.#retry.fail();
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#parts.client.customCommand(['PING'], { decoder: bytes });
      return true;
    } catch {
      return false;
    }
  }

  async #look(connection: GlideConnection): Promise<{ readonly id: string; readonly isSubscribed: boolean }> {
    if (this.#parts.isCluster) {
      const id = String(await connection.customCommand(['CLIENT', 'ID'], { decoder: bytes }));
      return { id, isSubscribed: true };
    }
    const info = String(await connection.customCommand(['CLIENT', 'INFO'], { decoder: bytes }));
    return {
      id: /\bid=(\d+)/.exec(info)?.[1] ?? '',
      isSubscribed: !/\bsub=0\b/.test(info),
    };
  }
}
