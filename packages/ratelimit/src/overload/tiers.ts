import { RateLimitError, shown } from '../errors.ts';

/** A class of requests. In a list of tiers the most important comes first. */
export interface Tier {
  readonly name: string;
  /** Share of the limit (0–1) that tiers below may not use. @defaultValue 0 */
  readonly reserve?: number;
}

/** Tiers by name, with the share of the limit that each may use. */
export class Tiers {
  readonly count: number;
  readonly #shares: readonly number[];
  readonly #indexes: ReadonlyMap<string, number>;

  /** @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS` for no tiers, equal names, or reserves that leave nothing. */
  constructor(tiers: readonly Tier[]) {
    let share = 1;
    this.#shares = tiers.map(({ name, reserve = 0 }) => {
      const own = share;
      share -= reserve;
      if (typeof name === 'string' && name !== '' && reserve >= 0 && own > 0) return own;
      throw wrong(
        `Expected every tier to be { name, reserve } with reserves that sum to below 1, got ${shown(name)}.`,
      );
    });
    this.#indexes = new Map(tiers.map(({ name }, index) => [name, index]));
    this.count = tiers.length;
    if (tiers.length === 0 || this.#indexes.size !== tiers.length)
      throw wrong('Expected tiers of different names.');
  }

  /** 0 for the most important. The default is the second: ordinary requests come after those marked critical. */
  indexOf(name: string | undefined): number {
    if (name === undefined) return Math.min(1, this.count - 1);
    const index = this.#indexes.get(name);
    if (index === undefined) {
      throw wrong(
        `Expected \`tier\` to be one of ${[...this.#indexes.keys()].join(', ')}, got ${shown(name)}.`,
      );
    }
    return index;
  }

  /** Requests that may run at once before one of this tier is refused; at least 1. */
  room(index: number, limit: number): number {
    return Math.max(1, Math.floor(limit * (this.#shares[index] as number)));
  }
}

/** What most servers need: critical requests keep a fifth of the limit and are shed last. */
export const defaultTiers: readonly Tier[] = Object.freeze([
  { name: 'critical', reserve: 0.2 },
  { name: 'normal' },
  { name: 'background' },
]);

/** `name` if metrics can carry it. @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS`. */
export function guardName(name: string): string {
  if (typeof name === 'string' && name !== '') return name;
  throw wrong(`Expected \`name\` to be a non-empty string, got ${shown(name)}.`);
}

function wrong(message: string): RateLimitError {
  return new RateLimitError('ERR_WEIR_RATELIMIT_OPTIONS', message);
}
