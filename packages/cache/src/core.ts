import type { CodecOptions } from './codec/envelope.ts';
import type { Coherence } from './coherence/coherence.ts';
import type { Leases } from './leases.ts';
import type { LoadContext } from './load-context.ts';
import type { Policy } from './policies/policy.ts';
import type { RecoveryQueue } from './recovery-queue.ts';
import type { StandardSchema } from './schema.ts';
import type { Counters } from './stats.ts';
import type { MemoryStore } from './stores/memory-store.ts';
import type { Namespace } from './stores/namespace.ts';
import type { RedisStore } from './stores/redis-store.ts';
import type { TagRegistry } from './tags.ts';

/** What the parts of one cache share. */
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
  /** How many bytes of L1's budget a value takes. */
  readonly measure: (value: unknown) => number;
  readonly now: () => number;
  /** `now` at a coarser resolution, for the hot path. */
  readonly coarseNow: () => number;
  readonly random: () => number;
  /** Throws `ERR_WEIR_CACHE_CLOSED` after `close()`. */
  readonly assertOpen: () => void;
}

/** Which value is meant, and how it is kept. */
export interface Target {
  readonly namespace: Namespace;
  readonly key: string;
  readonly definition: string | undefined;
  readonly policy: Policy;
  /** Names (`tagName`) of the tags it is stored under. */
  readonly tags: readonly string[];
  /** What is loaded, set and read from Redis passes through it; bytes that break it are a miss. */
  readonly schema: StandardSchema | undefined;
}

/** One read with the means to answer it. */
export interface ReadRequest extends Target {
  readonly load: (context: LoadContext) => unknown;
  readonly signal: AbortSignal | undefined;
  /** Called when the read starts to wait for another process. */
  readonly onHeld?: () => void;
}
