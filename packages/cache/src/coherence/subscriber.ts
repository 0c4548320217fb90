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
}

const invalidationChannel = '__redis__:invalidate';

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
  #isReady = false;
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
    connection.on('close', () => this.#lose());
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
    this.#lose();
    this.#connection.disconnect();
  }

  async #set(): Promise<void> {
    try {
      const tracks = await this.#track();
      await this.#connection.subscribe(...this.#channels, ...(tracks ? [invalidationChannel] : []));
      if (this.#isClosed) return;
      this.#isReady = true;
      this.#events.onReady(tracks);
      this.#timer = setInterval(() => void this.#ping(), this.#pingMs);
      this.#timer.unref();
    } catch {
      if (!this.#isClosed) this.#connection.disconnect(true);
    }
  }

  // Servers before 6 and some proxies know no tracking, and an ACL may forbid it: the bus alone serves then.
  async #track(): Promise<boolean> {
    if (this.#prefixes.length === 0) return false;
    try {
      const id = String(await this.#connection.call('CLIENT', 'ID'));
      const prefixes = this.#prefixes.flatMap((prefix) => ['PREFIX', prefix]);
      await this.#connection.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', ...prefixes);
      return true;
    } catch {
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
