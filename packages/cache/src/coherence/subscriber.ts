import type { RedisClient } from '../stores/redis-client.ts';

/** What the cache needs of a connection of its own: an ioredis `Redis`. */
export interface SubscriberConnection {
  readonly status: string;
  readonly stream?: { unref?(): void };
  on(event: string, listener: (...args: never[]) => void): unknown;
  connect(): Promise<unknown>;
  call(command: string, ...args: string[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
}

/** What a subscriber reports. */
export interface SubscriberEvents {
  /** Subscribed, and from now on told of every change; `tracks`: of changes by others than Weir as well. */
  onReady(tracks: boolean): void;
  /** Changes may be missed from now on, until `onReady`. */
  onLost(): void;
  onMessage(channel: string, message: Buffer): void;
  /** Keys that Redis says have changed; `undefined`: the whole database was flushed. */
  onTracked(keys: readonly Buffer[] | undefined): void;
  /**
   * Redis answered the subscription with an error. `isWhole`: to the bus, which is tried again; else to tracking, and the
   * bus alone serves.
   */
  onRefused(reply: string, isWhole: boolean): void;
}

const invalidationChannel = '__redis__:invalidate';
/** A refused subscription is tried again after this long, then ever later. */
const retryMs = 1_000;
const maxRetryMs = 60_000;

/**
 * One connection of the cache's own to one Redis node, in RESP2, that carries the bus and redirects client tracking to
 * itself, so that both die together and no half-broken state exists. A ping finds connections that died silently.
 */
export class Subscriber {
  readonly #connection: SubscriberConnection;
  readonly #channels: readonly string[];
  readonly #prefixes: readonly string[];
  readonly #events: SubscriberEvents;
  readonly #pingMs: number;
  #timer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #retryMs = retryMs;
  #isReady = false;
  /** Whether the present connection has asked for tracking. */
  #isTracking = false;
  #isClosed = false;

  constructor(
    node: RedisClient,
    options: { channels: readonly string[]; prefixes: readonly string[]; pingMs: number },
    events: SubscriberEvents,
  ) {
    this.#channels = options.channels;
    this.#prefixes = options.prefixes;
    this.#pingMs = options.pingMs;
    this.#events = events;
    const duplicate = node.duplicate as unknown as (overrides: object) => SubscriberConnection;
    this.#connection = duplicate.call(node, {
      protocol: 2,
      lazyConnect: true,
      autoResubscribe: false,
      enableOfflineQueue: false,
      commandTimeout: undefined,
      maxRetriesPerRequest: 0,
    });
    const connection = this.#connection;
    // Losses are told by `close`; without a listener ioredis would print every failed attempt.
    connection.on('error', () => {});
    connection.on('connect', () => connection.stream?.unref?.());
    connection.on('ready', () => void this.#set());
    connection.on('close', () => {
      clearTimeout(this.#retryTimer);
      this.#isTracking = false;
      this.#lose();
    });
    connection.on('messageBuffer', (channel: Buffer, message: Buffer | Buffer[] | null) => {
      const name = channel.toString();
      if (name === invalidationChannel)
        events.onTracked(message === null ? undefined : (message as Buffer[]));
      else events.onMessage(name, message as Buffer);
    });
    connection.connect().catch(() => {});
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    this.#lose();
    this.#connection.disconnect();
  }

  async #set(): Promise<void> {
    try {
      // A subscribed connection may not ask for tracking any more.
      this.#isTracking ||= await this.#track();
      await this.#connection.subscribe(...this.#channels);
      const tracks =
        this.#isTracking && (await this.#tries(() => this.#connection.subscribe(invalidationChannel)));
      if (this.#isClosed) return;
      this.#retryMs = retryMs;
      this.#isReady = true;
      this.#events.onReady(tracks);
      this.#timer = setInterval(() => void this.#ping(), this.#pingMs);
      this.#timer.unref();
    } catch (error) {
      if (this.#isClosed) return;
      if (isReply(error)) this.#retryLater(error);
      else this.#connection.disconnect(true);
    }
  }

  // A new connection would be refused as well: the same one asks again, less and less often.
  #retryLater(error: Error): void {
    this.#events.onRefused(error.message, true);
    this.#retryTimer = setTimeout(() => void this.#set(), this.#retryMs);
    this.#retryTimer.unref();
    this.#retryMs = Math.min(this.#retryMs * 2, maxRetryMs);
  }

  // Servers before 6 and some proxies know no tracking, and an ACL may forbid it: the bus alone serves then.
  async #track(): Promise<boolean> {
    if (this.#prefixes.length === 0) return false;
    return await this.#tries(async () => {
      const id = String(await this.#connection.call('CLIENT', 'ID'));
      const prefixes = this.#prefixes.flatMap((prefix) => ['PREFIX', prefix]);
      await this.#connection.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', ...prefixes);
    });
  }

  /** Whether Redis does it. That the user lacks the permission is told; that this Redis knows no tracking is not. */
  async #tries(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!isReply(error)) throw error;
      if (error.message.startsWith('NOPERM')) this.#events.onRefused(error.message, false);
      return false;
    }
  }

  async #ping(): Promise<void> {
    const timer = setTimeout(() => setImmediate(() => this.#abandon()), this.#pingMs);
    timer.unref();
    try {
      await this.#connection.call('PING');
    } catch {
      // The connection reports its own end.
    } finally {
      clearTimeout(timer);
    }
  }

  #abandon(): void {
    if (this.#isClosed) return;
    this.#lose();
    this.#connection.disconnect(true);
  }

  #lose(): void {
    clearInterval(this.#timer);
    if (!this.#isReady) return;
    this.#isReady = false;
    this.#events.onLost();
  }
}

/** An answer of Redis itself, not the loss of the connection. */
function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}
