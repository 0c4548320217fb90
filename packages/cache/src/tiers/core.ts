import type { Clock } from '@weir/redis';
import type { Coherence } from '../coherence/coherence.ts';
import type { TagRegistry } from '../coherence/tag-registry.ts';
import type { MemoryStore, Namespace } from '../memory/memory-store.ts';
import type { Policy } from '../policy.ts';
import type { Leases } from '../redis/leases.ts';
import type { RecoveryQueue } from '../redis/recovery-queue.ts';
import type { RedisStore } from '../redis/redis-store.ts';
import type { Counters } from '../stats.ts';
import type { CodecOptions } from '../values/envelope.ts';
import type { StandardSchema } from '../values/value.ts';

/** The parts of one cache. */
export interface Core {
  readonly name: string;
  readonly memory: MemoryStore;
  readonly redis: RedisStore | undefined;
  /** Present with `redis`. */
  readonly leases: Leases | undefined;
  readonly coherence: Coherence | undefined;
  readonly tags: TagRegistry;
  readonly recovery: RecoveryQueue;
  readonly counters: Counters;
  readonly codec: CodecOptions;
  /** Estimates the size of a value in bytes, for the bound of L1. */
  readonly measure: (value: unknown) => number;
  readonly clock: Clock;
  /** The clock at a coarser resolution, for the hot path. */
  readonly coarseNow: () => number;
  readonly random: () => number;
  /** Throws `ERR_WEIR_CACHE_CLOSED` after `close()`. */
  readonly assertOpen: () => void;
}

/** One value: its key, and how it is kept. */
export interface Target {
  readonly namespace: Namespace;
  readonly key: string;
  readonly definition: string | undefined;
  readonly policy: Policy;
  /** Names (`nameTags`) of the tags that it is stored under. */
  readonly tags: readonly string[];
  /** Validates loaded and set values and values from Redis. */
  readonly schema: StandardSchema | undefined;
}
