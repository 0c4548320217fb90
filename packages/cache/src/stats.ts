import { type Channel, channel } from 'node:diagnostics_channel';
import { createAnnouncer } from '@weir/redis';

/** Counters since creation, and gauges of the present. */
export interface CacheStats {
  /** Every read (`get`, `getOrSet`, each key of `getMany`) counts in exactly one of the first five counters. */
  readonly l1Hits: number;
  readonly l2Hits: number;
  /** An expired value was served: stale-while-revalidate, grace after a failed load, or a soft timeout. */
  readonly staleHits: number;
  /** Joined a load that was already in flight in this process. */
  readonly coalesced: number;
  readonly misses: number;
  /** Calls of a load function; `loadErrors` of them failed. */
  readonly loads: number;
  readonly loadErrors: number;
  readonly sets: number;
  readonly deletes: number;
  /** Entries that left L1 because a bound was reached, not by expiry or deletion. */
  readonly evictions: number;
  /** Redis operations that failed or passed their deadline. Operations that an open breaker rejected are not counted. */
  readonly redisErrors: number;
  /** Entries in L1 now. */
  readonly entries: number;
}

/** Plain numeric fields: a hot path only adds to them. */
export class Counters {
  l1Hits = 0;
  l2Hits = 0;
  staleHits = 0;
  coalesced = 0;
  misses = 0;
  loads = 0;
  loadErrors = 0;
  sets = 0;
  deletes = 0;
  evictions = 0;
  redisErrors = 0;

  snapshot(entries: number): CacheStats {
    return {
      l1Hits: this.l1Hits,
      l2Hits: this.l2Hits,
      staleHits: this.staleHits,
      coalesced: this.coalesced,
      misses: this.misses,
      loads: this.loads,
      loadErrors: this.loadErrors,
      sets: this.sets,
      deletes: this.deletes,
      evictions: this.evictions,
      redisErrors: this.redisErrors,
      entries,
    };
  }
}

/** Payload of `weir:cache:created`, `closed` and `discover`. */
export interface AnnouncedCache {
  readonly name: string;
  stats(): CacheStats;
}

/** Payload of `weir:cache:load`: one finished load. */
export interface CacheLoadEvent {
  readonly cache: string;
  /** `undefined` for an ad-hoc `getOrSet`. */
  readonly definition: string | undefined;
  readonly durationMs: number;
  readonly outcome: 'ok' | 'error' | 'timeout';
  /** `true` for a load that no caller waits for: stale-while-revalidate or an early refresh. */
  readonly background: boolean;
}

/** Payload of `weir:cache:redis`: one Redis operation. */
export interface CacheRedisEvent {
  readonly cache: string;
  readonly operation: string;
  readonly durationMs: number;
  readonly outcome: 'ok' | 'error' | 'timeout';
}

const load: Channel = channel('weir:cache:load');
const redis: Channel = channel('weir:cache:redis');

/** Announces a cache on `weir:cache:created` and to later `weir:cache:discover` requests. Returns a function that retracts it. */
export const announce: (cache: AnnouncedCache) => () => void = createAnnouncer<AnnouncedCache>(
  'cache',
  'weir:cache:',
);

/** Publishes one load. `make` is called only if the channel has subscribers. */
export function publishLoad(make: () => CacheLoadEvent): void {
  if (load.hasSubscribers) load.publish(make());
}

/** Publishes one Redis operation. `make` is called only if the channel has subscribers. */
export function publishRedis(make: () => CacheRedisEvent): void {
  if (redis.hasSubscribers) redis.publish(make());
}
