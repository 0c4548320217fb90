import { type Channel, channel } from 'node:diagnostics_channel';
import type { RateLimiterStats } from './counters.ts';
import type { DecisionSource } from './decision.ts';

/** What the lifecycle channels carry of a limiter. */
export interface ObservedLimiter {
  readonly name: string;
  stats(): RateLimiterStats;
}

/** Payload of `weir:ratelimit:denied`. Holds no key. */
export interface DeniedEvent {
  readonly limiter: string;
  readonly policies: readonly string[];
  readonly cost: number;
  readonly retryAfterMs: number;
  readonly source: DecisionSource;
}

/** Payload of `weir:ratelimit:redis`: one call of one script. */
export interface RedisEvent {
  readonly limiter: string;
  readonly operation: string;
  readonly durationMs: number;
  readonly outcome: 'ok' | 'error' | 'timeout';
}

/** Payload of `weir:ratelimit:discover`: a subscriber asks every live limiter to announce itself. */
interface DiscoverRequest {
  announce(limiter: ObservedLimiter): void;
}

/** Denials. Publish only when it has subscribers. */
export const deniedChannel: Channel = channel('weir:ratelimit:denied');
/** Calls to Redis. Publish only when it has subscribers. */
export const redisChannel: Channel = channel('weir:ratelimit:redis');

const createdChannel = channel('weir:ratelimit:created');
const closedChannel = channel('weir:ratelimit:closed');
const discoverChannel = channel('weir:ratelimit:discover');

/** Held weakly: a limiter that nobody holds any more may be collected without close(). */
const live = new Set<WeakRef<ObservedLimiter>>();
let listening = false;

/** Announces a limiter on `weir:ratelimit:created` and from now on to every `discover`. Returns how to take it back. */
export function announce(limiter: ObservedLimiter): () => void {
  if (!listening) {
    listening = true;
    discoverChannel.subscribe((message) => {
      for (const reference of live) {
        const found = reference.deref();
        if (found === undefined) live.delete(reference);
        else (message as DiscoverRequest).announce(found);
      }
    });
  }
  const reference = new WeakRef(limiter);
  live.add(reference);
  if (createdChannel.hasSubscribers) createdChannel.publish({ limiter });
  return () => {
    if (live.delete(reference) && closedChannel.hasSubscribers) closedChannel.publish({ limiter });
  };
}
