import { RateLimitError, shown } from './errors.ts';
import type { Plan } from './plan.ts';

/** The longest key, in UTF-16 units. Longer ones are a caller's mistake or an attack: hash them first. */
export const MAX_KEY_LENGTH = 512;

/** What is wrong with a key, or undefined. */
export function keyProblem(key: unknown): RateLimitError | undefined {
  if (typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY_LENGTH) return undefined;
  const got = typeof key === 'string' ? `${key.length} characters` : shown(key);
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_KEY',
    `Expected \`key\` to be a string of 1–${MAX_KEY_LENGTH} characters, got ${got}. Hash longer keys.`,
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
