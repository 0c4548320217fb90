import { createHash } from 'node:crypto';
import { RateLimitError, shown } from '../errors.ts';
import { type AlgorithmName, type CompiledPolicy, compilePolicy, type Policy } from './policy.ts';

/** The policies that count by one part of the key, and so share one record. */
export interface PlanPart {
  /** The part's name; undefined for the whole key of a plan without parts, and for what counts all keys together. */
  readonly name: string | undefined;
  /** Where its record begins among the cells of a decision; that cell holds the time until which it is blocked. */
  readonly at: number;
  /** The part as a plan of its own, for what concerns its record alone. */
  readonly plan: Plan;
}

/** A set of policies decided together, and where the state of each lies in the records of a key. Frozen. */
export interface Plan {
  readonly policies: readonly CompiledPolicy[];
  /** The cell of each policy's state. */
  readonly offsets: readonly number[];
  /** One record each; a single one unless policies name parts of the key. */
  readonly parts: readonly PlanPart[];
  /** True when keys are given in parts. */
  readonly keyed: boolean;
  /** True with a sliding log, whose state is too long to travel. */
  readonly hasLog: boolean;
  /** Cells of all records. */
  readonly width: number;
  /** The least capacity of the policies that enforce: a greater cost could never be granted. Infinity when none does. */
  readonly capacity: number;
  /** Letters of the algorithms in use, each once. */
  readonly codes: string;
  /**
   * Names the layout of the records inside Redis keys: records of another layout are never read. Policies that share a
   * record lie in it by name, whatever order they are given in, and the layout holds a hash of the names.
   */
  readonly layout: string;
  /** The policies as the Lua scripts read them. */
  readonly argv: readonly string[];
}

const codes: Record<AlgorithmName, string> = {
  gcra: 'g',
  'gcra-strict': 'g',
  'fixed-window': 'f',
  'sliding-counter': 'c',
  'sliding-log': 'l',
  'token-bucket': 't',
};

/**
 * Checks policies and lays out their records. `shadow` makes every policy a shadow policy.
 * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_POLICY` for none, more than 16, or two of one name.
 */
export function compilePlan(policies: readonly Policy[], shadow = false): Plan {
  if (!Array.isArray(policies) || policies.length < 1 || policies.length > 16) {
    const got = Array.isArray(policies) ? `${policies.length} policies` : shown(policies);
    throw new RateLimitError(
      'ERR_WEIR_RATELIMIT_POLICY',
      `Expected \`policies\` to be an array of 1–16 policies, got ${got}.`,
    );
  }
  const compiled = policies.map((policy) => compilePolicy(shadow ? { ...policy, shadow } : policy));
  for (const { name } of compiled) {
    if (compiled.filter((other) => other.name === name).length > 1) {
      throw new RateLimitError(
        'ERR_WEIR_RATELIMIT_POLICY',
        `Two policies are named "${name}". Give each its own name.`,
      );
    }
  }
  return planOf(compiled);
}

/** Whether a plan is one enforcing GCRA policy, the commonest, which has shorter ways in memory and on Redis. */
export function isLoneGcra({ layout, keyed, policies }: Plan): boolean {
  return layout === 'g' && !keyed && policies[0]?.shadow === false;
}

function planOf(given: readonly CompiledPolicy[]): Plan {
  const compiled = given.map((policy) => inRecord(policy, recordOf(policy, given).length > 1));
  const names = [...new Set(compiled.map((policy) => policy.key))];
  const offsets: number[] = [];
  const parts: PlanPart[] = [];
  let width = 0;
  for (const name of names) {
    const at = width++;
    const own = compiled.filter((policy) => policy.key === name);
    for (const policy of byName(own)) {
      offsets[compiled.indexOf(policy)] = width;
      width += policy.algorithm.cells(policy.parameters);
    }
    const alone = own.map((policy) => Object.freeze({ ...policy, key: undefined }));
    if (names.length > 1 || name !== undefined) parts.push({ name, at, plan: planOf(alone) });
  }
  const plan = {
    policies: Object.freeze([...compiled]),
    offsets: Object.freeze(offsets),
    parts,
    keyed: parts.length > 0,
    hasLog: compiled.some((policy) => policy.algorithmName === 'sliding-log'),
    width,
    capacity: Math.min(
      ...compiled.filter((policy) => !policy.shadow).map((policy) => policy.parameters.capacity),
    ),
    codes: [...new Set(compiled.map((policy) => codes[policy.algorithmName]))].sort().join(''),
    layout: parts.length > 0 ? parts.map((part) => part.plan.layout).join('.') : layoutOf(compiled),
    argv: [] as string[],
  };
  if (parts.length === 0) parts.push({ name: undefined, at: 0, plan });
  plan.argv = argvOf(plan);
  Object.freeze(plan.parts);
  return Object.freeze(plan);
}

function recordOf(policy: CompiledPolicy, policies: readonly CompiledPolicy[]): CompiledPolicy[] {
  return policies.filter((other) => other.key === policy.key);
}

/** A policy alone in its record has the record's first cell for its interval (gcra.ts). */
function inRecord(policy: CompiledPolicy, shared: boolean): CompiledPolicy {
  const intervalCell = shared ? 1 : -1;
  const rounds = !Number.isInteger(policy.parameters.intervalUs * 16);
  const parameters = Object.freeze({ ...policy.parameters, rounds, intervalCell } as const);
  return Object.freeze({ ...policy, parameters });
}

function byName(policies: readonly CompiledPolicy[]): CompiledPolicy[] {
  return [...policies].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function layoutOf(policies: readonly CompiledPolicy[]): string {
  const sorted = byName(policies);
  // A counter of four cells and a log that says its size: earlier versions wrote other records.
  const later: Partial<Record<AlgorithmName, string>> = { 'sliding-counter': 'c4', 'sliding-log': 'ls' };
  const algorithms = sorted.map(({ algorithmName }) => later[algorithmName] ?? codes[algorithmName]);
  if (sorted.length === 1) return algorithms.join('');
  const names = sorted.map(({ name }) => name).join(',');
  return `${algorithms.join('')}-${createHash('sha256').update(names).digest('base64url').slice(0, 8)}`;
}

/** See `record.lua`: the cells of each record without the rings of logs, which the scripts read piece by piece. */
function argvOf({ policies, parts, keyed }: Plan): string[] {
  const headers: number[] = [];
  const items: (string | number)[] = [];
  const byPolicy = new Map<CompiledPolicy, (string | number)[]>();
  let at = 1;
  for (const [number, part] of parts.entries()) {
    const own = byName(keyed ? policies.filter((policy) => policy.key === part.name) : policies);
    let width = 1;
    const cells = own.map((policy) => {
      const cell = width;
      width += policy.algorithmName === 'sliding-log' ? 2 : policy.algorithm.cells(policy.parameters);
      return cell;
    });
    let ring = width * 8;
    for (const [index, policy] of own.entries()) {
      const { algorithmName, shadow, parameters } = policy;
      const code = codes[algorithmName];
      const numbers = numbersOf(code, parameters, ring);
      if (code === 'l') ring += parameters.limit * 8;
      byPolicy.set(policy, [code, number + 1, shadow ? 1 : 0, at + (cells[index] as number), ...numbers]);
    }
    headers.push(width);
    at += width;
  }
  for (const policy of policies) items.push(...(byPolicy.get(policy) as (string | number)[]));
  return [headers.length, ...headers, policies.length, ...items].map(String);
}

/** n, period and extra of record.lua. */
function numbersOf(code: string, parameters: CompiledPolicy['parameters'], ring: number): number[] {
  const { limit, windowUs, capacity, intervalUs, refill, intervalCell } = parameters;
  if (code === 'g') return [capacity, intervalUs, intervalCell];
  if (code === 't') return [capacity, intervalUs, refill];
  return [limit, windowUs, code === 'l' ? ring : 0];
}
