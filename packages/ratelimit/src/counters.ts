import type { DecisionSource } from './decision.ts';

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
  shadowDenials = 0;
  readonly #allowed: Record<DecisionSource, number> = zeros();
  readonly #denied: Record<DecisionSource, number> = zeros();
  readonly #violations = new Map<string, { count: number }>();

  constructor(policies: readonly string[]) {
    for (const policy of policies) this.#violations.set(policy, { count: 0 });
  }

  count(allowed: boolean, source: DecisionSource): void {
    if (allowed) this.#allowed[source]++;
    else this.#denied[source]++;
  }

  violate(policy: string): void {
    const counter = this.#violations.get(policy);
    if (counter !== undefined) counter.count++;
  }

  /** A fresh object. Sources that never decided are left out. */
  snapshot(keys: number): RateLimiterStats {
    const decisions = sources.flatMap((source) => [
      { decision: 'allowed' as const, source, count: this.#allowed[source] },
      { decision: 'denied' as const, source, count: this.#denied[source] },
    ]);
    return {
      decisions: decisions.filter(({ count }) => count > 0),
      violations: [...this.#violations].map(([policy, { count }]) => ({ policy, count })),
      shadowDenials: this.shadowDenials,
      redisErrors: this.redisErrors,
      keys,
    };
  }
}

function zeros(): Record<DecisionSource, number> {
  return { memory: 0, redis: 0, lease: 0, deny_cache: 0, local: 0, open: 0, closed: 0 };
}
