import { LRUCache } from 'lru-cache';
import { namespaceName } from '../names.ts';
import type { Counters } from '../stats.ts';
import type { TagVersion } from '../values/envelope.ts';
import { ChangeOrder, FenceTable, MissForecast } from './fences.ts';
import type { Flight } from './flight.ts';
import { TagTable } from './tag-table.ts';

/** Bounds of L1. */
interface MemoryBounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/**
 * L1: one LRU budget over all definitions, and an index of its own for each. The LRU is keyed by entry objects, so a
 * hit neither builds nor hashes a composed key, and clearing a definition costs only its own members.
 */
export class MemoryStore {
  /** Increased when the existing entries may have missed an invalidation. Entries of another epoch are distrusted. */
  epoch = 0;
  /** The epoch of entries written now; `NaN`, which equals nothing, while invalidations do not arrive. */
  fillEpoch = 0;
  /** What is known of tags. */
  readonly tags: TagTable = new TagTable();
  readonly #lru: LRUCache<Entry, Entry>;
  readonly #counters: Counters;
  readonly #namespaces = new Map<string, Namespace>();

  constructor(bounds: MemoryBounds, counters: Counters) {
    this.#counters = counters;
    this.#lru = new LRUCache<Entry, Entry>({
      max: bounds.maxEntries,
      maxSize: bounds.maxBytes,
      sizeCalculation: (entry) => entry.sizeBytes + entry.key.length * 2,
      dispose: (entry, _key, reason) => {
        if (reason === 'evict') counters.evictions += 1;
        if (entry.tags.length > 0) this.tags.letGo(entry.tags);
        const { entries } = entry.namespace;
        if (entries.get(entry.key) === entry) entries.delete(entry.key);
      },
    });
  }

  get size(): number {
    return this.#lru.size;
  }

  namespace(name: string): Namespace {
    const namespace = new Namespace(name);
    this.#namespaces.set(name, namespace);
    return namespace;
  }

  /** Every namespace made so far. */
  get namespaces(): Iterable<Namespace> {
    return this.#namespaces.values();
  }

  find(name: string): Namespace | undefined {
    return this.#namespaces.get(name);
  }

  /** Invalidations arrive from now on. Entries written before may have missed one. */
  trust(): void {
    this.epoch += 1;
    this.fillEpoch = this.epoch;
  }

  /** Invalidations may be missed from now on. */
  distrust(): void {
    this.epoch += 1;
    this.fillEpoch = Number.NaN;
  }

  /** Marks an entry as used at `now`. */
  touch(entry: Entry, now: number): void {
    entry.touchedAt = now;
    this.#lru.get(entry);
  }

  /**
   * Stores a value under the epoch in which it was read. One larger than the whole byte budget is not kept.
   */
  set(namespace: Namespace, key: string, fields: EntryFields, epoch: number = this.fillEpoch): Entry {
    this.delete(namespace, key);
    const entry = new Entry(namespace, key, epoch, fields);
    namespace.entries.set(key, entry);
    if (entry.tags.length > 0) this.tags.hold(entry.tags);
    this.#lru.set(entry, entry);
    // The LRU silently refuses an entry larger than its whole budget.
    if (!this.#lru.has(entry)) {
      namespace.entries.delete(key);
      if (entry.tags.length > 0) this.tags.letGo(entry.tags);
      this.#counters.evictions += 1;
    }
    return entry;
  }

  delete(namespace: Namespace, key: string): boolean {
    const entry = namespace.entries.get(key);
    if (entry === undefined) return false;
    namespace.entries.delete(key);
    return this.#lru.delete(entry);
  }

  clear(namespace: Namespace): void {
    for (const entry of [...namespace.entries.values()]) this.#lru.delete(entry);
  }

  clearAll(): void {
    this.#lru.clear();
  }
}

/**
 * The state of one definition in this process: its index of L1 entries, its fences and its flights. Flights are kept outside the
 * LRU, so that eviction cannot abort or forget one.
 */
export class Namespace {
  readonly name: string;
  /** The names whose versions cover all its entries: its own, and the whole cache's. */
  readonly coveringNames: readonly string[];
  /** Predicts whether the next read of Redis misses. */
  readonly forecast: MissForecast = new MissForecast();
  readonly entries: Map<string, Entry> = new Map();
  readonly fences: FenceTable = new FenceTable();
  readonly flights: Map<string, Flight> = new Map();
  readonly changes: ChangeOrder = new ChangeOrder();
  /** Loads that have failed, with the moment from which they may be repeated. Bounded by the loader. */
  readonly failures: Map<string, { readonly error: unknown; readonly until: number }> = new Map();
  /** How often it was cleared: a set that began before must not outlive that. */
  clears = 0;

  constructor(name: string) {
    this.name = name;
    this.coveringNames = Object.freeze([namespaceName(name), namespaceName('*')]);
  }

  /** Keeps values in flight for `key` out of the cache. Callers that wait for them still get them. */
  cut(key: string): void {
    this.fences.cut(key);
    this.flights.delete(key);
    this.failures.delete(key);
  }

  cutAll(): void {
    this.clears += 1;
    this.fences.cutAll();
    this.flights.clear();
    this.failures.clear();
  }
}

/** The fields of an entry. Moments are on the cache's clock, in milliseconds. */
export interface EntryFields {
  readonly value: unknown;
  /** The Redis write this value came from, or `undefined` for a value that Redis never took. */
  readonly stamp: string | undefined;
  readonly freshUntil: number;
  /** Until then a read serves the entry at once and refreshes it in the background. At least `freshUntil`. */
  readonly revalidateUntil: number;
  /** Until then the entry may replace the result of a load that fails or is slow. At least `revalidateUntil`. */
  readonly graceUntil: number;
  readonly loadMs: number;
  /** From then on a read may start an early refresh. At most `freshUntil`. */
  readonly earlyFrom: number;
  readonly tags: readonly TagVersion[];
  /** The moment (`TagRegistry.mark`) as of which its tags were current. */
  readonly tagsAsOf: number;
  readonly sizeBytes: number;
  /** `true`: every reader gets a copy of its own. */
  readonly isCloned: boolean;
}

/** One value in L1. It keeps a settled promise of its value, so that a hit returns a promise without allocating one. */
export class Entry implements EntryFields {
  readonly namespace: Namespace;
  readonly key: string;
  readonly value: unknown;
  readonly promise: Promise<unknown>;
  readonly stamp: string | undefined;
  readonly freshUntil: number;
  readonly revalidateUntil: number;
  readonly graceUntil: number;
  readonly loadMs: number;
  readonly earlyFrom: number;
  readonly tags: readonly TagVersion[];
  readonly tagsAsOf: number;
  readonly sizeBytes: number;
  readonly isCloned: boolean;
  /** A hit before this moment needs no further checks: the entry is fresh, has no tags, is not copied, and no early refresh is due. */
  readonly hotUntil: number;
  /** The epoch in which it was written. If it is not the store's, the entry must be checked against Redis. */
  epoch: number;
  /** When a hit last updated the LRU: at most once a millisecond. */
  touchedAt = -1.5;

  constructor(namespace: Namespace, key: string, epoch: number, fields: EntryFields) {
    this.namespace = namespace;
    this.key = key;
    this.value = fields.value;
    this.promise = Promise.resolve(fields.value);
    this.stamp = fields.stamp;
    this.freshUntil = fields.freshUntil;
    this.revalidateUntil = fields.revalidateUntil;
    this.graceUntil = fields.graceUntil;
    this.loadMs = fields.loadMs;
    this.earlyFrom = fields.earlyFrom;
    this.tags = fields.tags;
    this.tagsAsOf = fields.tagsAsOf;
    this.sizeBytes = fields.sizeBytes;
    this.isCloned = fields.isCloned;
    this.hotUntil = fields.isCloned || fields.tags.length > 0 ? Number.NEGATIVE_INFINITY : fields.earlyFrom;
    this.epoch = epoch;
  }
}
