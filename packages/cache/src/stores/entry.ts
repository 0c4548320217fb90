import type { TagVersion } from '../codec/envelope.ts';
import type { Namespace } from './namespace.ts';

/** Everything an entry knows about its own time and origin. Times are on the cache's clock, in milliseconds. */
export interface EntryFields {
  readonly value: unknown;
  /** The Redis write this value came from, or `undefined` for a value that Redis never took. */
  readonly stamp: string | undefined;
  readonly freshUntil: number;
  /** Until then a read serves it at once and refreshes behind the reader's back. At least `freshUntil`. */
  readonly revalidateUntil: number;
  /** Until then it may stand in for a load that fails or is slow. At least `revalidateUntil`. */
  readonly graceUntil: number;
  readonly loadMs: number;
  /** From here on a read must consider an early refresh. At most `freshUntil`. */
  readonly earlyFrom: number;
  readonly tags: readonly TagVersion[];
  /** The moment (`TagRegistry.mark`) as of which its tags were current. */
  readonly tagsAsOf: number;
  readonly sizeBytes: number;
  /** `true`: every reader gets a copy of its own. */
  readonly isCloned: boolean;
}

/** One value in L1. It carries a settled promise of its value, so that a hit hands out a promise without making one. */
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
  /** A hit before this moment needs no further thought: fresh, no early refresh due, no tag to check, no copy to make. */
  readonly hotUntil: number;
  /** The trust epoch it was written in; an older one than the store's means it has to be checked against Redis. */
  epoch: number;
  /** When the LRU last heard of a hit: once a millisecond is enough. */
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
