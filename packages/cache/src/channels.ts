import { type Channel, channel } from 'node:diagnostics_channel';
import type { CacheStats } from './stats.ts';

/** What a subscriber of `weir:cache:created` gets: a name and a way to read the counters, nothing that holds a value. */
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
  /** `true` when no caller waited for it: stale-while-revalidate or an early refresh. */
  readonly background: boolean;
}

/** Payload of `weir:cache:redis`: one Redis operation. */
export interface CacheRedisEvent {
  readonly cache: string;
  readonly operation: string;
  readonly durationMs: number;
  readonly outcome: 'ok' | 'error' | 'timeout';
}

const created: Channel = channel('weir:cache:created');
const closed: Channel = channel('weir:cache:closed');
const discover: Channel = channel('weir:cache:discover');
const load: Channel = channel('weir:cache:load');
const redis: Channel = channel('weir:cache:redis');

// Held weakly, so that a cache dropped without `close()` can still be collected.
const live = new Set<WeakRef<AnnouncedCache>>();
let discoverable = false;

/** Announces a new instance, and from now on answers whoever asks on `weir:cache:discover`. Returns its retraction. */
export function announce(cache: AnnouncedCache): () => void {
  const reference = new WeakRef(cache);
  live.add(reference);
  if (!discoverable) {
    discoverable = true;
    discover.subscribe((message) => {
      const { announce: tell } = message as { announce(cache: AnnouncedCache): void };
      for (const held of live) {
        const found = held.deref();
        if (found === undefined) live.delete(held);
        else tell(found);
      }
    });
  }
  if (created.hasSubscribers) created.publish({ cache });
  return () => {
    live.delete(reference);
    if (closed.hasSubscribers) closed.publish({ cache });
  };
}

/** Publishes one load; the payload is made only when somebody listens. */
export function publishLoad(make: () => CacheLoadEvent): void {
  if (load.hasSubscribers) load.publish(make());
}

/** Publishes one Redis operation; the payload is made only when somebody listens. */
export function publishRedis(make: () => CacheRedisEvent): void {
  if (redis.hasSubscribers) redis.publish(make());
}
