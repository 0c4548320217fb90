import type { RedisError, RedisLink, Subscription } from '@weir/redis';
import type { Entry, MemoryStore, Namespace } from '../memory/memory-store.ts';
import { redisSuffix, splitBusKey } from '../names.ts';
import type { RedisStore } from '../redis/redis-store.ts';
import { ackMessage, type Change, changeMessage, parseAck, parseMessage } from './messages.ts';
import type { TagRegistry } from './tag-registry.ts';
import { Acknowledgements, type LeaseWait, LeaseWaits, type PendingChange } from './waits.ts';

/** How long the check of probable echoes of own writes waits, so that several are checked together. */
const echoDelayMs = 2;

/** The parts that coherence works on. */
interface CoherenceOptions {
  readonly link: RedisLink;
  readonly redis: RedisStore;
  readonly memory: MemoryStore;
  readonly tags: TagRegistry;
  /** `tracking`: changes by anybody; `bus`: changes by Weir. */
  readonly mode: 'tracking' | 'bus';
  /** How long a change waits for the other instances. */
  readonly deadlineMs: number;
  readonly pingMs: number;
  /** Called when changes of other processes arrive again. */
  readonly onReady: () => void;
}

/** A change about to be sent: its message, and the wait for its acknowledgements. */
export interface Announcement {
  readonly message: Buffer;
  confirmed(receivers: number): Promise<boolean>;
  cancel(): void;
}

/**
 * Keeps L1 coherent with other processes. Changes by caches of this package travel on a bus and are acknowledged, so that a
 * resolved delete has reached every instance. Redis client tracking reports changes by anybody else (redis-cli, expiry, eviction,
 * FLUSHALL). Its messages do not name an author, so an entry is compared with Redis by its stamp: echoes of own writes evict
 * nothing. Without a subscription L1 is distrusted: its entries are checked against Redis before they are served.
 */
export class Coherence {
  readonly #options: CoherenceOptions;
  readonly #acknowledgements: Acknowledgements;
  readonly #leaseWaits = new LeaseWaits();
  readonly #ownChannel: string;
  readonly #self: string;
  readonly #subscription: Subscription;
  readonly #owedAcks = new Map<string, number[]>();
  readonly #echoes = new Set<Entry>();
  #isReady = false;
  #isRefused = false;
  /** Resolves when changes reach this instance, or Redis has refused the subscription. */
  #whenKnown = Promise.withResolvers<void>();

  constructor(options: CoherenceOptions) {
    this.#options = options;
    this.#acknowledgements = new Acknowledgements(options.deadlineMs);
    this.#self = options.redis.instance.toString('latin1');
    this.#ownChannel = `${options.redis.channel}:${options.redis.instance.toString('hex')}`;
    options.memory.distrust();
    this.#subscription = this.#subscribe();
  }

  /** Whether changes reach this instance. */
  get isTrusted(): boolean {
    return this.#isReady;
  }

  /**
   * Resolves with whether changes reach this instance within the timeout (default: the deadline); with `false` at once while Redis
   * refuses the subscription.
   */
  async becomesTrusted(timeoutMs: number = this.#options.deadlineMs): Promise<boolean> {
    if (this.#isReady || this.#isRefused) return this.#isReady;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, timeoutMs, false);
    void this.#whenKnown.promise.then(() => resolve(this.#isReady));
    return await promise.finally(() => clearTimeout(timer));
  }

  announce(change: Change): Announcement {
    const pending: PendingChange = this.#acknowledgements.open();
    return {
      message: changeMessage(change, this.#options.redis.instance, pending.sequence),
      confirmed: (receivers) => pending.confirmed(receivers),
      cancel: () => this.#acknowledgements.cancel(pending),
    };
  }

  waitForLease(subject: string): LeaseWait {
    return this.#leaseWaits.open(subject);
  }

  close(): void {
    this.#subscription.close();
  }

  #subscribe(): Subscription {
    const { link, memory, mode, onReady, pingMs, redis } = this.#options;
    const { entries, tags } = redis.trackedPrefixes;
    return link.subscribe({
      channels: [redis.channel, this.#ownChannel],
      trackedPrefixes: mode === 'tracking' && link.tracking !== 'none' ? [entries, tags] : [],
      pingMs,
      events: {
        onReady: () => {
          this.#isReady = true;
          this.#isRefused = false;
          memory.trust();
          this.#whenKnown.resolve();
          this.#options.tags.learnNamespaces();
          onReady();
        },
        onLost: () => {
          this.#isReady = false;
          this.#whenKnown = Promise.withResolvers<void>();
          memory.distrust();
        },
        onRefused: (what, error) => this.#onRefused(what, error),
        onMessage: (channel, message) => this.#onMessage(channel, message),
        onTracked: (keys) => this.#onTracked(keys),
      },
    });
  }

  #onRefused(what: 'messages' | 'tracking', error: RedisError): void {
    this.#options.redis.warnRefused(what === 'messages' ? 'SUBSCRIBE' : 'CLIENT TRACKING', error.message);
    if (what === 'tracking') return;
    this.#isRefused = true;
    this.#whenKnown.resolve();
    this.#whenKnown = Promise.withResolvers<void>();
  }

  #onMessage(channel: string, bytes: Buffer): void {
    if (channel === this.#ownChannel) {
      const { acknowledger, sequences } = parseAck(bytes);
      for (const sequence of sequences) this.#acknowledgements.add(sequence, acknowledger);
      return;
    }
    const message = parseMessage(bytes);
    if (message === undefined) return;
    if (message.kind === 'end') {
      this.#leaseWaits.wake(message.subject, message.hasFailed);
      return;
    }
    // The sender has applied its own change already; its echo counts as its acknowledgement.
    if (message.sender.toString('latin1') === this.#self) {
      this.#acknowledgements.add(message.sequence, this.#self);
      return;
    }
    const { change } = message;
    if (change.kind === 't') this.#options.tags.apply(change.names);
    else this.#evict(change.subject);
    this.#acknowledge(message.sender, message.sequence);
  }

  // One acknowledgement for all changes of one sender that arrived together.
  #acknowledge(sender: Buffer, sequence: number): void {
    const { redis } = this.#options;
    const name = sender.toString('hex');
    const owed = this.#owedAcks.get(name);
    if (owed !== undefined) {
      owed.push(sequence);
      return;
    }
    this.#owedAcks.set(name, [sequence]);
    queueMicrotask(() => {
      const sequences = this.#owedAcks.get(name) ?? [];
      this.#owedAcks.delete(name);
      redis.publish(`${redis.channel}:${name}`, ackMessage(redis.instance, sequences)).catch(() => {
        // The deadline of the sender covers a lost acknowledgement.
      });
    });
  }

  #evict(subject: string): void {
    const found = this.#locate(subject);
    if (found === undefined) return;
    this.#options.memory.delete(found.namespace, found.key);
    found.namespace.cut(found.key);
    this.#leaseWaits.wake(subject, false);
  }

  #onTracked(keys: readonly Buffer[] | undefined): void {
    const { redis, tags } = this.#options;
    if (keys === undefined) {
      void this.#onFlush();
      return;
    }
    const prefixes = redis.trackedPrefixes;
    const names: string[] = [];
    for (const bytes of keys) {
      const key = bytes.toString();
      if (key.startsWith(prefixes.entries)) this.#verify(key.slice(prefixes.entries.length, -1));
      else if (key.startsWith(prefixes.tags)) names.push(key.slice(prefixes.tags.length, -1));
    }
    if (names.length > 0) void tags.verify(names);
  }

  /** Redis reports a flush of any of its databases. Only a flush of the cache's own database empties L1. */
  async #onFlush(): Promise<void> {
    const { memory, tags } = this.#options;
    // Values in flight may be older than the flush.
    for (const namespace of memory.namespaces) namespace.fences.suspectAll();
    try {
      if (!(await tags.wasFlushed())) return;
    } catch {
      // It cannot be decided: a flush must not be missed.
    }
    tags.forgetVersions();
    memory.clearAll();
    for (const namespace of memory.namespaces) namespace.cutAll();
  }

  /** Checks the entry of a key that has changed in Redis. */
  #verify(subject: string): void {
    const { memory, redis } = this.#options;
    const found = this.#locate(subject);
    if (found === undefined) return;
    const { key, namespace } = found;
    // The value of a read in flight may be older than this change.
    namespace.fences.suspect(key);
    const entry = namespace.entries.get(key);
    if (entry === undefined) return;
    if (redis.isOwnStamp(entry.stamp)) this.#verifyLater(entry);
    else void verify(redis, memory, entry);
  }

  // Most of them are echoes of own writes: several are checked together.
  #verifyLater(entry: Entry): void {
    this.#echoes.add(entry);
    if (this.#echoes.size > 1) return;
    setTimeout(() => {
      const entries = [...this.#echoes];
      this.#echoes.clear();
      const { memory, redis } = this.#options;
      for (const each of entries) {
        if (each.namespace.entries.get(each.key) === each) void verify(redis, memory, each);
      }
    }, echoDelayMs).unref();
  }

  #locate(subject: string): { readonly namespace: Namespace; readonly key: string } | undefined {
    const { namespace: name, suffix } = splitBusKey(subject);
    const namespace = this.#options.memory.find(name);
    if (namespace === undefined) return undefined;
    if (!suffix.startsWith('~sha256:')) return { namespace, key: suffix };
    for (const keys of [namespace.entries.keys(), namespace.fences.keys()]) {
      for (const key of keys) {
        if (redisSuffix(key) === suffix) return { namespace, key };
      }
    }
    return undefined;
  }
}

/** Evicts an entry of L1 unless Redis still has the same write of it. Distrusts it when Redis cannot be asked. */
export async function verify(redis: RedisStore, memory: MemoryStore, entry: Entry): Promise<void> {
  const { key, namespace } = entry;
  try {
    if ((await redis.stampOf({ namespace: namespace.name, key })) === entry.stamp) return;
  } catch {
    entry.epoch = Number.NaN;
    return;
  }
  if (namespace.entries.get(key) === entry) memory.delete(namespace, key);
}
