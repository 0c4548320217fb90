import { RateLimitError, shown } from '../errors.ts';
import { compilePlan, type Plan } from './plan.ts';
import type { Policy } from './policy.ts';

/** Other numbers for one policy in one decision, such as a paying customer's. What is left out stays. */
export interface PolicyOverride {
  readonly limit?: number;
  readonly windowMs?: number;
  readonly burst?: number;
}

/** {@link PolicyOverride} by policy name. */
export type Overrides = Readonly<Record<string, PolicyOverride>>;

/** Sets of overrides kept compiled: plans of customers are few. More than this and all are compiled anew. */
const maxPlans = 1000;

/** What one process enforces alone: the share of every limit, and the usual limits' plan under it. */
export interface LocalShare {
  readonly share: number;
  readonly plan: Plan;
}

/** Compiles overrides once. The state of a key is the same under all: a raised limit takes effect at once. */
export class OverridePlans {
  readonly #policies: readonly Policy[];
  readonly #base: Plan;
  readonly #shadow: boolean;
  readonly #local: LocalShare | undefined;
  readonly #localPlans = new WeakMap<Plan, Plan>();
  readonly #plans = new Map<string, Plan>();

  constructor(policies: readonly Policy[], base: Plan, shadow: boolean, local?: LocalShare) {
    this.#policies = policies;
    this.#base = base;
    this.#shadow = shadow;
    this.#local = local;
    if (local !== undefined) this.#localPlans.set(base, local.plan);
  }

  /** The share of a plan that {@link OverridePlans.plan} has made, or of the usual one. */
  localPlan(plan: Plan): Plan {
    return this.#localPlans.get(plan) as Plan;
  }

  /** @throws {RateLimitError} `ERR_WEIR_RATELIMIT_POLICY` for an unknown policy, a wrong number, or a resized log. */
  plan(overrides: Overrides): Plan {
    if (!isPlain(overrides)) throw wrong(`${expectedShape}, got ${kind(overrides)}.`);
    const id = JSON.stringify(overrides);
    const known = this.#plans.get(id);
    if (known !== undefined) return known;
    for (const [name, override] of Object.entries(overrides)) {
      const policy = this.#policies.find((other) => other.name === name);
      if (policy === undefined) throw wrong(`No policy is named ${shown(name)}.`);
      if (override === undefined) continue;
      if (!isPlain(override)) throw wrong(`${expectedShape}, got ${kind(override)} for policy "${name}".`);
      const unknown = Object.keys(override).find((field) => !fields.includes(field));
      if (unknown !== undefined)
        throw wrong(`${expectedShape}, got a field ${shown(unknown)} for policy "${name}".`);
      if (override.burst !== undefined && !bursting.includes(policy.algorithm))
        throw wrong(
          `Policy "${name}" has no \`burst\`: ${policy.algorithm} takes \`limit\` and \`windowMs\`.`,
        );
    }
    const policies = this.#policies.map((policy) => ({
      ...policy,
      ...numbers(policy, overrides[policy.name]),
    }));
    const plan = compilePlan(policies as Policy[], this.#shadow);
    // Its ring in memory has as many cells.
    if (plan.policies.some((policy, at) => isLog(policy) && policy.limit !== this.#base.policies[at]?.limit))
      throw wrong('The limit of a sliding log is fixed. Use gcra-strict.');
    if (this.#plans.size >= maxPlans) this.#plans.clear();
    this.#plans.set(id, plan);
    if (this.#local !== undefined) {
      const shared = localShare(policies as Policy[], this.#local.share);
      this.#localPlans.set(plan, compilePlan(shared, this.#shadow));
    }
    return plan;
  }
}

function isLog({ algorithmName }: Plan['policies'][number]): boolean {
  return algorithmName === 'sliding-log';
}

const fields: readonly string[] = ['limit', 'windowMs', 'burst'] satisfies (keyof PolicyOverride)[];
const bursting: readonly string[] = ['gcra', 'gcra-strict', 'token-bucket'] satisfies Policy['algorithm'][];
const expectedShape = 'Expected `limits` to be { [policy]: { limit?, windowMs?, burst? } }';

/** An object that could have been written as a literal: no promise, array or class instance. */
function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function kind(value: unknown): string {
  return value instanceof Promise ? 'a promise (await it)' : shown(value);
}

/** A burst given for the usual limit does not fit another: it scales, unless it is overridden too. */
function numbers(policy: Policy, override: PolicyOverride | undefined): object {
  if (override === undefined) return {};
  const { limit, windowMs, burst } = override;
  const scaled =
    burst === undefined && limit !== undefined && 'burst' in policy && policy.burst !== undefined
      ? Math.max(1, Math.round((policy.burst * limit) / policy.limit))
      : burst;
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(windowMs === undefined ? {} : { windowMs }),
    ...(scaled === undefined ? {} : { burst: scaled }),
  };
}

function wrong(message: string): RateLimitError {
  return new RateLimitError('ERR_WEIR_RATELIMIT_POLICY', message);
}

/**
 * The policies that one process enforces alone on its share: every limit and burst times `share`, rounded down, but at
 * least 1. A token bucket becomes GCRA of that rate, whose bound is the same and whose units need not be whole.
 */
export function localShare(policies: readonly Policy[], share: number): Policy[] {
  return policies.map((policy) => scaled(policy, (units) => Math.max(1, Math.floor(units * share))));
}

function scaled(policy: Policy, part: (units: number) => number): Policy {
  const limit = part(policy.limit);
  switch (policy.algorithm) {
    case 'gcra':
      return { ...policy, limit, burst: part(policy.burst ?? policy.limit) };
    case 'gcra-strict':
      return policy.burst === undefined
        ? { ...policy, limit }
        : { ...policy, limit, burst: part(policy.burst) };
    case 'token-bucket': {
      const { refillMs, ...rest } = policy;
      return { ...rest, algorithm: 'gcra', limit, burst: part(policy.burst ?? policy.limit) };
    }
    case 'fixed-window':
    case 'sliding-counter':
    case 'sliding-log':
      return { ...policy, limit };
  }
}
