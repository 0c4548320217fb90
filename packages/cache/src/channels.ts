import { type Channel, channel } from 'node:diagnostics_channel';
import { createAnnouncer } from '@weir/redis';
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

const load: Channel = channel('weir:cache:load');
const redis: Channel = channel('weir:cache:redis');

/** Announces a new cache, and answers from then on whoever asks on `weir:cache:discover`. Returns how to retract it. */
export const announce: (cache: AnnouncedCache) => () => void = createAnnouncer<AnnouncedCache>(
  'cache',
  'weir:cache:',
);

/** Publishes one load; the payload is made only when somebody listens. */
export function publishLoad(make: () => CacheLoadEvent): void {
  if (load.hasSubscribers) load.publish(make());
}

/** Publishes one Redis operation; the payload is made only when somebody listens. */
export function publishRedis(make: () => CacheRedisEvent): void {
  if (redis.hasSubscribers) redis.publish(make());
}
