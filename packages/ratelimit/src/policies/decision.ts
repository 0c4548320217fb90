import type { Plan } from './plan.ts';

/**
 * What decided: the memory store, Redis, units leased from Redis earlier, a denial of Redis remembered, or, when Redis
 * failed, the local share or `onStoreError` itself (`open`, `closed`).
 */
export type DecisionSource = 'memory' | 'redis' | 'lease' | 'deny_cache' | 'local' | 'open' | 'closed';

/** The state of one policy after a decision. */
export interface PolicyState {
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
  /** Units that could be taken now. */
  readonly remaining: number;
  /** ms until the full quota is back if nothing else is taken; rounded up. */
  readonly resetMs: number;
  /** ms until one more unit is available; 0 when all are. The `t` of the RateLimit header. Rounded up. */
  readonly nextMs: number;
}

/** The answer of `consume`. A denial is an answer, not an error. */
export interface Decision {
  readonly allowed: boolean;
  readonly source: DecisionSource;
  /** Units asked for, and taken if allowed. */
  readonly cost: number;
  /** The list of the limiter that decided in place of the policies. */
  readonly listed?: 'allow' | 'deny';
  /** ms after which the same cost would be allowed if nothing else came; 0 when allowed; rounded up. */
  readonly retryAfterMs: number;
  /** Names of the policies that denied, or that in shadow mode would have; empty for a blocked key. */
  readonly violated: readonly string[];
  /** Empty when nothing was asked (`open`, `closed`, allow and deny lists). */
  readonly policies: readonly PolicyState[];
}

/** Nothing violated. */
export const none: readonly never[] = Object.freeze([]);

/** The decision for request `index` of the `count` equal ones that a verdict covers. */
export function decisionOf(
  plan: Plan,
  verdict: Verdict,
  cost: number,
  index: number,
  source: DecisionSource,
): Decision {
  const { policies } = plan;
  if (policies.length === 1) return decisionAlone(plan, verdict, cost, index, source);
  const { fields, granted } = verdict;
  const allowed = index < granted;
  let retryUs = allowed ? 0 : verdict.blockedUs;
  let violated: string[] | undefined;
  const states: PolicyState[] = new Array(policies.length);
  for (let number = 0; number < policies.length; number++) {
    const { name, limit, windowMs, shadow } = policies[number] as (typeof policies)[number];
    const field = number * verdictFields;
    let remaining = fields[field] as number;
    const taken = fields[field + 4] as number;
    if (index < taken) {
      // Those after it in the same verdict had not been debited yet.
      remaining += (taken - 1 - index) * cost;
    } else if (remaining < cost) {
      violated ??= [];
      violated.push(name);
      if (!allowed && !shadow) retryUs = Math.max(retryUs, fields[field + 1] as number);
    }
    const resetMs = Math.ceil((fields[field + 3] as number) / 1000);
    const nextMs = Math.ceil((fields[field + 2] as number) / 1000);
    states[number] = { name, limit, windowMs, remaining, resetMs, nextMs };
  }
  return {
    allowed,
    source,
    cost,
    retryAfterMs: Math.ceil(retryUs / 1000),
    violated: violated === undefined ? none : Object.freeze(violated),
    policies: states,
  };
}

/** {@link decisionOf} for one policy, which is the usual case and the hot path of memory stores. */
function decisionAlone(
  plan: Plan,
  { fields, granted, blockedUs }: Verdict,
  cost: number,
  index: number,
  source: DecisionSource,
): Decision {
  const { name, limit, windowMs, shadow, violation } = plan.policies[0] as Plan['policies'][number];
  const taken = fields[4] as number;
  const allowed = index < granted;
  let remaining = fields[0] as number;
  let violated: readonly string[] = none;
  let retryUs = allowed ? 0 : blockedUs;
  if (index < taken) remaining += (taken - 1 - index) * cost;
  else if (remaining < cost) {
    violated = violation;
    if (!allowed && !shadow && (fields[1] as number) > retryUs) retryUs = fields[1] as number;
  }
  const resetMs = Math.ceil((fields[3] as number) / 1000);
  const nextMs = Math.ceil((fields[2] as number) / 1000);
  const policies = [{ name, limit, windowMs, remaining, resetMs, nextMs }];
  return { allowed, source, cost, retryAfterMs: Math.ceil(retryUs / 1000), violated, policies };
}

/** A decision that no policy took part in. */
export function unconditional(
  allowed: boolean,
  source: DecisionSource,
  cost: number,
  retryAfterMs = 0,
): Decision {
  return { allowed, source, cost, retryAfterMs, violated: none, policies: none };
}

/** The same denial `ageMs` later and for a cost at least as high, as the deny cache gives it. */
export function aged(decision: Decision, ageMs: number, cost: number): Decision {
  const { policies, retryAfterMs, violated } = decision;
  const states: PolicyState[] = new Array(policies.length);
  for (let number = 0; number < policies.length; number++) {
    const { name, limit, windowMs, remaining, resetMs, nextMs } = policies[number] as PolicyState;
    states[number] = {
      name,
      limit,
      windowMs,
      remaining,
      resetMs: left(resetMs, ageMs),
      nextMs: left(nextMs, ageMs),
    };
  }
  const retry = Math.max(1, left(retryAfterMs, ageMs));
  return { allowed: false, source: 'deny_cache', cost, retryAfterMs: retry, violated, policies: states };
}

function left(ms: number, ageMs: number): number {
  return ms <= ageMs ? 0 : Math.ceil(ms - ageMs);
}

/** Fields a policy of {@link Verdict.fields}. */
export const verdictFields = 5;

/**
 * What a store found for one key, reused between decisions: read it before the next one. `fields` holds for each
 * policy: units available now; µs until the cost is available (0 = it is); µs until one more unit is; µs until all are;
 * how many of the requests it was debited for.
 */
export interface Verdict {
  /** How many of the `count` requests were granted. */
  granted: number;
  /** µs for which the key is still blocked, 0 when it is not. */
  blockedUs: number;
  readonly fields: Float64Array;
}

/** An empty verdict for a plan. */
export function createVerdict(plan: Plan): Verdict {
  return { granted: 0, blockedUs: 0, fields: new Float64Array(plan.policies.length * verdictFields) };
}

/**
 * Decides `count` equal requests of `cost` units at once, in the state at `base`, and writes the outcome to `verdict`.
 *
 * The first `granted` are allowed: min over the enforcing policies of ⌊available / cost⌋. They are debited from every
 * policy together; what is denied changes nothing. A shadow policy is debited for as many of them as it would allow.
 * With count 0 it only looks. Deciding n requests one by one gives the same outcome. `decide.lua` mirrors it.
 */
export function decide(
  plan: Plan,
  cells: Float64Array,
  base: number,
  now: number,
  cost: number,
  count: number,
  verdict: Verdict,
): void {
  const { policies, offsets, parts } = plan;
  const { fields } = verdict;
  let blockedUs = (cells[base] as number) - now;
  for (let index = 1; index < parts.length; index++) {
    blockedUs = Math.max(
      blockedUs,
      (cells[base + (parts[index] as (typeof parts)[number]).at] as number) - now,
    );
  }
  verdict.blockedUs = Math.max(blockedUs, 0);
  let granted = blockedUs > 0 ? 0 : count;
  for (let index = 0; index < policies.length; index++) {
    const policy = policies[index] as (typeof policies)[number];
    const available = policy.algorithm.available(
      policy.parameters,
      cells,
      base + (offsets[index] as number),
      now,
    );
    fields[index * verdictFields] = available;
    if (available < granted * cost && !policy.shadow) granted = Math.floor(available / cost);
  }
  verdict.granted = granted;
  for (let index = 0; index < policies.length; index++) {
    const { algorithm, parameters } = policies[index] as (typeof policies)[number];
    const at = base + (offsets[index] as number);
    const field = index * verdictFields;
    let available = fields[field] as number;
    const taken = Math.min(granted, Math.floor(available / cost));
    if (taken > 0) {
      algorithm.debit(parameters, cells, at, now, taken * cost);
      available = parameters.rounds
        ? algorithm.available(parameters, cells, at, now)
        : available - taken * cost;
      fields[field] = available;
    }
    fields[field + 1] = available >= cost ? 0 : algorithm.waitUs(parameters, cells, at, now, cost);
    fields[field + 2] =
      available >= parameters.capacity ? 0 : algorithm.waitUs(parameters, cells, at, now, available + 1);
    fields[field + 3] = algorithm.resetUs(parameters, cells, at, now);
    fields[field + 4] = taken;
  }
}
