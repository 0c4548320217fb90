import type { RedisError, RedisLink, Subscription } from '@weir/redis';
import type { Entry, MemoryStore, Namespace } from '../memory/memory-store.ts';
import { redisSuffix, splitBusKey } from '../names.ts';
import type { RedisStore } from '../redis/redis-store.ts';
import { ackMessage, type Change, changeMessage, parseAck, parseMessage } from './messages.ts';
import type { TagRegistry } from './tag-registry.ts';
import { Acknowledgements, type PendingChange, type Ticket, Waiters } from './waits.ts';

/** How long the check of what is probably our own echo may wait for more of them. */
const echoDelayMs = 2;

/** What keeps L1 in step with other processes. */
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
  /** Called when changes reach us again. */
  readonly onReady: () => void;
}

/** A change about to be sent: its message, and the wait for those who get it. */
export interface Announcement {
  readonly message: Buffer;
  confirmed(receivers: number): Promise<boolean>;
  cancel(): void;
}

/**
 * L1 coherence. Weir's own changes travel on a bus and are acknowledged, so that a resolved delete is gone everywhere;
 * Redis client tracking tells of everybody else's (redis-cli, expiry, eviction, FLUSHALL). Tracking messages name no
 * author, so a key they name is checked against Redis by its stamp: own echoes evict nothing. While a subscriber is
 * down, L1 is distrusted: its entries are checked against Redis before they are served.
 */
export class Coherence {
  readonly #options: CoherenceOptions;
  readonly #acknowledgements: Acknowledgements;
  readonly #waiters = new Waiters();
  readonly #ownChannel: string;
  readonly #self: string;
  readonly #subscription: Subscription;
  readonly #owedAcks = new Map<string, number[]>();
  readonly #echoes = new Set<Entry>();
  #isReady = false;
  #isRefused = false;
  /** Resolves when it is known whether changes reach this instance. */
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
   * Whether changes reach this instance now or within the timeout (default: the deadline); `false` at once while Redis refuses
   * the subscription.
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

  openTicket(subject: string): Ticket {
    return this.#waiters.open(subject);
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
      this.#waiters.wake(message.subject, message.hasFailed);
      return;
    }
    // The sender has applied its own change already; its echo only proves that Redis delivers.
    if (message.sender.toString('latin1') === this.#self) {
      this.#acknowledgements.add(message.sequence, this.#self);
      return;
    }
    const { change } = message;
    if (change.kind === 't') this.#options.tags.apply(change.names);
    else this.#evict(change.subject);
    this.#acknowledge(message.sender, message.sequence);
  }

  // One answer for all changes of one sender that came in one packet.
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
        // The sender's own deadline covers a lost answer.
      });
    });
  }

  #evict(subject: string): void {
    const found = this.#locate(subject);
    if (found === undefined) return;
    this.#options.memory.delete(found.namespace, found.key);
    found.namespace.cut(found.key);
    this.#waiters.wake(subject, false);
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

  /** Redis tells of a flush whichever database it was: one that is not ours must not empty L1. */
  async #onFlush(): Promise<void> {
    const { memory, tags } = this.#options;
    // What is in flight may be older than the flush.
    for (const namespace of memory.namespaces) namespace.fences.suspectAll();
    try {
      if (!(await tags.wasFlushed())) return;
    } catch {
      // Nobody can tell now; a flush must not be missed.
    }
    tags.forgetVersions();
    memory.clearAll();
    for (const namespace of memory.namespaces) namespace.cutAll();
  }

  /** Keeps an entry only if Redis still has the very write it came from. */
  #verify(subject: string): void {
    const { memory, redis } = this.#options;
    const found = this.#locate(subject);
    if (found === undefined) return;
    const { key, namespace } = found;
    // What a read in flight is about to bring may be older than this change.
    namespace.fences.suspect(key);
    const entry = namespace.entries.get(key);
    if (entry === undefined) return;
    if (redis.isOwnStamp(entry.stamp)) this.#verifyLater(entry);
    else void verify(redis, memory, entry);
  }

  // Nearly always the echo of our own write: these are checked a few at a time.
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

/** Keeps an L1 entry only if Redis still has the very write it came from; distrusts it when Redis cannot be asked. */
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
