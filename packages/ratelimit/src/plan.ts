import type { AlgorithmName } from './algorithms/index.ts';
import { RateLimitError, shown } from './errors.ts';
import { type CompiledPolicy, compilePolicy, type Policy } from './policy.ts';

/** A set of policies decided together, and where the state of each lies in a key's record. Frozen. */
export interface Plan {
  readonly policies: readonly CompiledPolicy[];
  /** Cell of each policy's state in a record; cell 0 holds the time until which the key is blocked. */
  readonly offsets: readonly number[];
  /** Cells of one record. */
  readonly width: number;
  /** The least capacity: a greater cost could never be granted. */
  readonly capacity: number;
  /** Names the record's layout inside Redis keys: records of another layout are never read. */
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
 * Checks policies and lays out a record for them. `shadow` makes every policy a shadow policy.
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
  const offsets: number[] = [];
  let width = 1;
  for (const { name, algorithm, parameters } of compiled) {
    if (compiled.filter((other) => other.name === name).length > 1) {
      throw new RateLimitError(
        'ERR_WEIR_RATELIMIT_POLICY',
        `Two policies are named "${name}". Give each its own name.`,
      );
    }
    offsets.push(width);
    width += algorithm.cells(parameters);
  }
  return Object.freeze({
    policies: Object.freeze(compiled),
    offsets: Object.freeze(offsets),
    width,
    capacity: Math.min(...compiled.map((policy) => policy.parameters.capacity)),
    layout: compiled.map(layoutOf).join(''),
    argv: Object.freeze(argvOf(compiled)),
  });
}

function layoutOf(policy: CompiledPolicy): string {
  const code = codes[policy.algorithmName];
  return code === 'l' ? `l${policy.limit}` : code;
}

function argvOf(policies: readonly CompiledPolicy[]): string[] {
  const argv = [String(policies.length)];
  for (const { algorithmName, shadow, parameters } of policies) {
    const { limit, windowUs, capacity, intervalUs, refill } = parameters;
    argv.push(codes[algorithmName], shadow ? '1' : '0');
    argv.push(...[limit, windowUs, capacity, intervalUs, refill].map(String));
  }
  return argv;
}
