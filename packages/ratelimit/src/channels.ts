import { type Channel, channel } from 'node:diagnostics_channel';
import { createAnnouncer } from '@weir/redis';
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

/** What the lifecycle channels carry of a concurrency limiter or a load shedder. */
export interface ObservedGuard {
  readonly name: string;
  stats(): GuardStats;
}

/** Counters and gauges of a guard; docs/contracts.md is the contract. */
export interface GuardStats {
  readonly admitted: number;
  readonly refused: number;
  /** Gauges of a concurrency limiter. */
  readonly limit?: number;
  readonly inFlight?: number;
  readonly queued?: number;
  /** Gauge of a load shedder: 0 sheds nothing, 1 everything. */
  readonly level?: number;
}

/** Denials. Publish only when it has subscribers. */
export const deniedChannel: Channel = channel('weir:ratelimit:denied');
/** Calls to Redis. Publish only when it has subscribers. */
export const redisChannel: Channel = channel('weir:ratelimit:redis');

/** Announces a limiter on `weir:ratelimit:created` and from now on to every `discover`. Returns how to retract it. */
export const announce: (limiter: ObservedLimiter) => () => void = createAnnouncer(
  'limiter',
  'weir:ratelimit:',
);
/** The same for guards against overload, on `weir:ratelimit:guard-created`, `guard-closed` and `guard-discover`. */
export const announceGuard: (guard: ObservedGuard) => () => void = createAnnouncer(
  'guard',
  'weir:ratelimit:guard-',
);
