import type { RedisError } from './errors.ts';
import type { SubscribeOptions, Subscription } from './link.ts';

/** What the connection to one node reports. */
export interface NodeEvents {
  onReady(tracks: boolean): void;
  onLost(): void;
  onMessage(channel: string, message: Buffer): void;
  onTracked(keys: readonly Buffer[] | undefined): void;
  onRefused(what: 'messages' | 'tracking', error: RedisError): void;
}

/** A connection of our own to one node. It connects and reconnects by itself. */
export interface NodeSubscription {
  /** Rejects when the connection is broken; may never settle when it died silently. */
  ping(): Promise<void>;
  /** Drops the connection and makes a new one. */
  reconnect(): void;
  close(): void;
}

/** How a client finds its nodes and connects to one. */
export interface NodeSource<Node> {
  readonly isCluster: boolean;
  /** The masters there are now, by address. */
  nodes(): ReadonlyMap<string, Node>;
  connect(node: Node, events: NodeEvents): NodeSubscription;
}

const minRetryMs = 1_000;
const maxRetryMs = 60_000;

/** Tries a refused subscription again: after one second, then twice as long each time, at most a minute. */
export class RetryTimer {
  readonly #retry: () => void;
  #timer: NodeJS.Timeout | undefined;
  #delayMs = minRetryMs;

  constructor(retry: () => void) {
    this.#retry = retry;
  }

  fail(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#retry, this.#delayMs);
    this.#timer.unref();
    this.#delayMs = Math.min(this.#delayMs * 2, maxRetryMs);
  }

  succeed(): void {
    this.stop();
    this.#delayMs = minRetryMs;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** How soon a cluster client that does not know its nodes yet is asked again. */
const discoverMs = 50;

/**
 * Subscribes on every master of a cluster, or on the one server: keyspace changes are told only by the node that holds the
 * key. Nodes that join are added and nodes that leave dropped, once every `pingMs`. A connection that died silently is
 * found by a ping that stays unanswered for as long.
 */
export function subscribeToNodes<Node>(options: SubscribeOptions, source: NodeSource<Node>): Subscription {
  const { events, pingMs } = options;
  const members = new Map<
    string,
    { readonly subscription: NodeSubscription; isReady: boolean; tracks: boolean }
  >();
  let isComplete = false;
  let isClosed = false;

  const lose = (): void => {
    if (!isComplete) return;
    isComplete = false;
    events.onLost();
  };
  const settle = (): void => {
    if (isClosed || members.size === 0) return;
    const all = [...members.values()];
    if (!all.every(({ isReady }) => isReady)) return;
    isComplete = true;
    events.onReady(all.every(({ tracks }) => tracks));
  };
  const add = (address: string, node: Node): void => {
    lose();
    const subscription = source.connect(node, {
      onReady: (tracks) => {
        const member = members.get(address);
        if (member?.subscription !== subscription) return;
        member.isReady = true;
        member.tracks = tracks;
        settle();
      },
      onLost: () => {
        const member = members.get(address);
        if (member?.subscription !== subscription) return;
        member.isReady = false;
        lose();
      },
      onMessage: (channel, message) => {
        if (!isClosed) events.onMessage(channel, message);
      },
      onTracked: (keys) => {
        if (!isClosed) events.onTracked(keys);
      },
      onRefused: (what, error) => {
        if (!isClosed) events.onRefused?.(what, error);
      },
    });
    members.set(address, { subscription, isReady: false, tracks: false });
  };
  const discover = (): void => {
    if (isClosed) return;
    const nodes = source.nodes();
    let hasDropped = false;
    for (const [address, { subscription }] of members) {
      if (nodes.has(address)) continue;
      members.delete(address);
      subscription.close();
      hasDropped = true;
    }
    for (const [address, node] of nodes) if (!members.has(address)) add(address, node);
    if (hasDropped && !isComplete) settle();
    if (nodes.size === 0) setTimeout(discover, discoverMs).unref();
  };
  const check = (): void => {
    if (source.isCluster) discover();
    for (const member of members.values()) {
      if (!member.isReady) continue;
      const { subscription } = member;
      const timer = setTimeout(() => {
        // A blocked event loop lets timers fire before replies that have long arrived: read those first.
        setImmediate(() => {
          if (!isPending || isClosed || !member.isReady) return;
          member.isReady = false;
          lose();
          subscription.reconnect();
        });
      }, pingMs);
      timer.unref();
      let isPending = true;
      const answered = (): void => {
        isPending = false;
        clearTimeout(timer);
      };
      // A connection that rejects reports its own end.
      subscription.ping().then(answered, answered);
    }
  };

  discover();
  const timer = setInterval(check, pingMs);
  timer.unref();
  return {
    close: () => {
      isClosed = true;
      clearInterval(timer);
      lose();
      for (const { subscription } of members.values()) subscription.close();
      members.clear();
    },
  };
}
