import type { Plan } from './plan.ts';

/** Fields a policy of {@link Verdict.fields}. */
export const VERDICT_FIELDS = 5;

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
  return { granted: 0, blockedUs: 0, fields: new Float64Array(plan.policies.length * VERDICT_FIELDS) };
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
  const alone =
    policies.length === 1 && blockedUs <= 0 ? (policies[0] as (typeof policies)[number]) : undefined;
  if (alone?.algorithm.decideAlone !== undefined && !alone.shadow) {
    alone.algorithm.decideAlone(alone.parameters, cells, base + 1, now, cost, count, verdict);
    return;
  }
  let granted = blockedUs > 0 ? 0 : count;
  for (let index = 0; index < policies.length; index++) {
    const policy = policies[index] as (typeof policies)[number];
    const available = policy.algorithm.available(
      policy.parameters,
      cells,
      base + (offsets[index] as number),
      now,
    );
    fields[index * VERDICT_FIELDS] = available;
    if (available < granted * cost && !policy.shadow) granted = Math.floor(available / cost);
  }
  verdict.granted = granted;
  for (let index = 0; index < policies.length; index++) {
    const { algorithm, parameters } = policies[index] as (typeof policies)[number];
    const at = base + (offsets[index] as number);
    const field = index * VERDICT_FIELDS;
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
