import { LRUCache } from 'lru-cache';
import type { Counters } from '../stats.ts';
import { Entry, type EntryFields } from './entry.ts';
import { Namespace } from './namespace.ts';
import { TagTable } from './tag-table.ts';

/** Bounds of L1. */
export interface MemoryBounds {
  readonly maxEntries: number;
  readonly maxBytes: number;
}

/**
 * L1: one LRU budget over all definitions, and an index of its own for each. The LRU is keyed by entry objects, so a
 * hit neither builds nor hashes a composed key, and clearing a definition costs only its own members.
 */
export class MemoryStore {
  /** Raised when entries written so far may have missed an invalidation: those of another epoch are distrusted. */
  epoch = 0;
  /** The epoch of what is written now; `NaN`, which equals nothing, while invalidations do not arrive. */
  fillEpoch = 0;
  /** What is known of the tags of its entries, and of others. */
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

  /** Invalidations arrive from now on; whatever was written before may have missed one. */
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
    // The LRU refuses what is larger than its whole budget without telling.
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
