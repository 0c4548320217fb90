import { RateLimitError, shown } from '../errors.ts';
import type { Plan } from './plan.ts';

/** Whose quota: a key, or its parts by name where policies count by parts. */
export type LimitKey = string | Readonly<Record<string, string>>;

/**
 * Inside, a key of several parts is one string: JSON of the parts' values in the plan's order, null for one that is not
 * named, and '' for the one that counts all keys together.
 * @param every True when every part must be named.
 */
export function encodeKey(plan: Plan, key: LimitKey, every: boolean): string | RateLimitError {
  if (!plan.keyed) return keyProblem(key) ?? (key as string);
  const names = plan.parts.flatMap((part) => part.name ?? []);
  const expected = `an object of ${names.map((name) => `\`${name}\``).join(', ')}, as the policies' \`key\` names them`;
  if (typeof key !== 'object' || key === null) return wrong(expected, shown(key));
  const given = Object.keys(key);
  const unknown = given.find((name) => !names.includes(name));
  if (unknown !== undefined) return wrong(expected, `a part ${shown(unknown)}`);
  const missing = names.find((name) => !given.includes(name));
  if (given.length === 0 || (every && missing !== undefined)) {
    return wrong(expected, `one without ${shown(missing)}`);
  }
  for (const name of given) {
    const problem = keyProblem(key[name]);
    if (problem !== undefined) return problem;
  }
  return JSON.stringify(plan.parts.map(({ name }) => (name === undefined ? '' : (key[name] ?? null))));
}

/** The values of {@link encodeKey}. */
export function keyParts(encoded: string): readonly (string | null)[] {
  return JSON.parse(encoded) as (string | null)[];
}

function wrong(expected: string, got: string): RateLimitError {
  return new RateLimitError('ERR_WEIR_RATELIMIT_KEY', `Expected \`key\` to be ${expected}, got ${got}.`);
}

/** The longest key, in UTF-16 units. Longer ones are a caller's mistake or an attack: hash them first. */
export const maxKeyLength = 512;

/** What is wrong with a key, or undefined. */
function keyProblem(key: unknown): RateLimitError | undefined {
  if (typeof key === 'string' && key.length > 0 && key.length <= maxKeyLength) return undefined;
  const got = typeof key === 'string' ? `${key.length} characters` : shown(key);
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_KEY',
    `Expected \`key\` to be a string of 1–${maxKeyLength} characters, got ${got}. Hash longer keys.`,
  );
}

/** What is wrong with a number of units, or undefined. */
export function unitsProblem(name: 'cost' | 'units', units: unknown): RateLimitError | undefined {
  if (typeof units === 'number' && Number.isSafeInteger(units) && units >= 1) return undefined;
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_COST',
    `Expected \`${name}\` to be a positive whole number, got ${shown(units)}.`,
  );
}

/** What is wrong with a cost under a plan, or undefined. */
export function costProblem(cost: number, plan: Plan): RateLimitError | undefined {
  if (Number.isSafeInteger(cost) && cost >= 1 && cost <= plan.capacity) return undefined;
  const problem = unitsProblem('cost', cost);
  if (problem !== undefined) return problem;
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_COST_ABOVE_BURST',
    `\`cost\` ${cost} is above ${plan.capacity}, the most that can be granted at once. Raise \`burst\` (or \`limit\`), or split the work.`,
  );
}
