import { type Channel, channel } from 'node:diagnostics_channel';
import { createAnnouncer } from '@weir/redis';
import type { DecisionSource } from './policies/decision.ts';

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
interface ObservedGuard {
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

/** Cumulative counters and gauges of a limiter; docs/contracts.md is the contract. */
export interface RateLimiterStats {
  /** Every decision counts once, by outcome and by what decided it. */
  readonly decisions: readonly {
    readonly decision: 'allowed' | 'denied';
    readonly source: DecisionSource;
    readonly count: number;
  }[];
  /** How often each policy denied, or in shadow mode would have. */
  readonly violations: readonly { readonly policy: string; readonly count: number }[];
  /** Decisions that let a request pass only because the limiter, or every policy that it exceeded, is in shadow mode. */
  readonly shadowDenials: number;
  readonly redisErrors: number;
  /** Entries that `decisionLog.write` failed to write. */
  readonly logErrors: number;
  /** Gauge: keys held in this process's memory. */
  readonly keys: number;
}

const sources = [
  'memory',
  'redis',
  'lease',
  'deny_cache',
  'local',
  'open',
  'closed',
] as const satisfies readonly DecisionSource[];

/** The counters behind {@link RateLimiterStats}: the hot path only adds to numbers. */
export class Counters {
  redisErrors = 0;
  logErrors = 0;
  shadowDenials = 0;
  readonly #allowed: Record<DecisionSource, number> = zeros();
  readonly #denied: Record<DecisionSource, number> = zeros();
  readonly #names: readonly string[];
  readonly #violations: number[];

  constructor(policies: readonly string[]) {
    this.#names = policies;
    this.#violations = policies.map(() => 0);
  }

  count(allowed: boolean, source: DecisionSource, violated: readonly string[]): void {
    // The hottest source by its name alone: a property whose name varies is several times slower.
    if (source === 'memory') {
      if (allowed) this.#allowed.memory++;
      else this.#denied.memory++;
    } else if (allowed) this.#allowed[source]++;
    else this.#denied[source]++;
    if (violated.length === 0) return;
    if (this.#names.length === 1) (this.#violations[0] as number)++;
    else for (const name of violated) (this.#violations[this.#names.indexOf(name)] as number)++;
  }

  /** A fresh object. Sources that never decided are left out. */
  snapshot(keys: number): RateLimiterStats {
    const decisions = sources.flatMap((source) => [
      { decision: 'allowed' as const, source, count: this.#allowed[source] },
      { decision: 'denied' as const, source, count: this.#denied[source] },
    ]);
    return {
      decisions: decisions.filter(({ count }) => count > 0),
      violations: this.#names.map((policy, index) => ({ policy, count: this.#violations[index] as number })),
      shadowDenials: this.shadowDenials,
      redisErrors: this.redisErrors,
      logErrors: this.logErrors,
      keys,
    };
  }
}

function zeros(): Record<DecisionSource, number> {
  return { memory: 0, redis: 0, lease: 0, deny_cache: 0, local: 0, open: 0, closed: 0 };
}
