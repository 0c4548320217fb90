import { invalidOption } from './errors.ts';

/** How long values live and what happens around their expiry. Durations are milliseconds. */
export interface PolicyOptions {
  /**
   * How long a value is fresh; above 0. `Infinity` keeps it until it is evicted or deleted.
   * @defaultValue 60_000
   */
  readonly ttlMs?: number;
  /**
   * Shortens each ttl by a random share of up to this fraction, 0 to 1, so that values loaded together do not expire together.
   * @defaultValue 0
   */
  readonly jitter?: number;
  /**
   * How long after its expiry a value is served at once while one background load refreshes it.
   * @defaultValue 0
   */
  readonly staleWhileRevalidateMs?: number;
  /**
   * How long after its expiry a value may replace the result of a load that fails or passes a timeout.
   * @defaultValue 0
   */
  readonly graceMs?: number;
  /**
   * After a failed load, how long the old value is served before the next load. Never jittered.
   * @defaultValue 1_000
   */
  readonly graceThrottleMs?: number;
  /**
   * XFetch's β, 0 to 100. Above 0, reads refresh early with a probability that rises towards expiry and with the duration of the load.
   * 1 is the optimum of the paper; 0 switches it off.
   * @defaultValue 0
   */
  readonly earlyRefresh?: number;
  /**
   * The ttl of a loaded `undefined` or `null`; 0 does not cache it.
   * @defaultValue `ttlMs`
   */
  readonly negativeTtlMs?: number;
  /**
   * How long the error of a failed load is repeated to further callers before the next load; up to 3,600,000.
   * @defaultValue 0
   */
  readonly errorBackoffMs?: number;
  /**
   * The longest that a caller waits for a load when an old value within its grace exists; from 1.
   * @defaultValue Infinity
   */
  readonly softTimeoutMs?: number;
  /**
   * The longest that a caller waits for any load; from 1. The load continues for later callers.
   * @defaultValue Infinity
   */
  readonly hardTimeoutMs?: number;
  /**
   * The age at which a load is aborted and its key is free for a new load, 1 to 2,147,483,647.
   * @defaultValue 60_000
   */
  readonly maxFlightMs?: number;
  /**
   * What the readers of one entry get. `shared`: the same object. `frozen`: the same object, deeply frozen (bytes stay writable).
   * `cloned`: a `structuredClone` each. A value that cannot be frozen or cloned reaches the readers of its load and is not kept.
   * @defaultValue 'shared'
   */
  readonly values?: 'shared' | 'frozen' | 'cloned';
}

/** Compiled, validated, frozen: every field present. */
export type Policy = Readonly<Required<PolicyOptions>>;

/** The defaults of every option. */
export const defaultPolicy: Policy = Object.freeze({
  ttlMs: 60_000,
  jitter: 0,
  staleWhileRevalidateMs: 0,
  graceMs: 0,
  graceThrottleMs: 1_000,
  earlyRefresh: 0,
  negativeTtlMs: Number.NaN,
  errorBackoffMs: 0,
  softTimeoutMs: Number.POSITIVE_INFINITY,
  hardTimeoutMs: Number.POSITIVE_INFINITY,
  maxFlightMs: 60_000,
  values: 'shared',
});

const ranges: Readonly<
  Record<Exclude<keyof PolicyOptions, 'values'>, [min: number, max: number, expected: string]>
> = {
  ttlMs: [Number.MIN_VALUE, Number.POSITIVE_INFINITY, 'a positive number'],
  jitter: [0, 1, 'a number from 0 to 1'],
  staleWhileRevalidateMs: [0, Number.POSITIVE_INFINITY, 'a number of at least 0'],
  graceMs: [0, Number.POSITIVE_INFINITY, 'a number of at least 0'],
  graceThrottleMs: [0, Number.POSITIVE_INFINITY, 'a number of at least 0'],
  earlyRefresh: [0, 100, 'a number from 0 to 100'],
  negativeTtlMs: [0, Number.POSITIVE_INFINITY, 'a number of at least 0'],
  errorBackoffMs: [0, 3_600_000, 'a number from 0 to 3600000'],
  softTimeoutMs: [1, Number.POSITIVE_INFINITY, 'a number of at least 1'],
  hardTimeoutMs: [1, Number.POSITIVE_INFINITY, 'a number of at least 1'],
  maxFlightMs: [1, 2_147_483_647, 'a number from 1 to 2147483647'],
};

const repairs: Partial<Record<keyof PolicyOptions, string>> = {
  ttlMs: 'Use `Infinity` to keep entries until evicted.',
  jitter: 'It is a fraction: 0.1 shortens a ttl by up to 10 %.',
};

/** The keys of `PolicyOptions`, for checks of whole option objects. */
export const policyKeys: readonly string[] = Object.keys(defaultPolicy);

/** Lays `options` over `base`. A field that is `undefined` counts as absent; 0 is a value. */
export function compilePolicy(options: PolicyOptions, base: Policy): Policy {
  const policy: Record<string, unknown> = { ...base };
  for (const [name, [min, max, expected]] of Object.entries(ranges)) {
    const value = options[name as keyof PolicyOptions];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw invalidOption(name, expected, value, repairs[name as keyof PolicyOptions]);
    }
    policy[name] = value;
  }
  const { values } = options;
  if (values !== undefined) {
    if (!['shared', 'frozen', 'cloned'].includes(values)) {
      throw invalidOption('values', "'shared', 'frozen' or 'cloned'", values);
    }
    policy.values = values;
  }
  return Object.freeze(policy) as unknown as Policy;
}

/**
 * The life of an entry, as pure functions of (state, now, random):
 *
 * ```
 * 0 ─────────── ttl ─────────── ttl + swr ─────────── ttl + max(swr, grace)
 *    fresh           revalidate              grace                         dead
 * ```
 */

/** The stage of an entry's life. `grace`: it may replace the result of a failed load. */
export type Phase = 'fresh' | 'revalidate' | 'grace' | 'dead';

export function phaseOf(
  entry: { readonly freshUntil: number; readonly revalidateUntil: number; readonly graceUntil: number },
  now: number,
): Phase {
  if (now < entry.freshUntil) return 'fresh';
  if (now < entry.revalidateUntil) return 'revalidate';
  return now < entry.graceUntil ? 'grace' : 'dead';
}

/** The ttl of one value: negative values have their own; jitter only ever shortens. `random` is in [0, 1). */
export function ttlOf(
  policy: Policy,
  value: unknown,
  adaptiveTtlMs: number | undefined,
  random: number,
): number {
  const isNegative = value === undefined || value === null;
  const negative = isNegative && !Number.isNaN(policy.negativeTtlMs) ? policy.negativeTtlMs : undefined;
  const ttlMs = adaptiveTtlMs ?? negative ?? policy.ttlMs;
  return policy.jitter === 0 ? ttlMs : ttlMs * (1 - policy.jitter * random);
}

/** How long a value is kept beyond its freshness. */
export function staleMsOf(policy: Policy): number {
  return Math.max(policy.staleWhileRevalidateMs, policy.graceMs);
}

// −ln(random) exceeds this once in half a billion reads, so earlier reads need not draw a random number.
const maxDraw = 20;

/** The first moment at which `isEarlyRefreshDue` can be true. The hot path calls it only after that. */
export function earlyFrom(beta: number, loadMs: number, freshUntil: number): number {
  return beta === 0 ? freshUntil : freshUntil - beta * loadMs * maxDraw;
}

/**
 * XFetch: refresh when `now − β·δ·ln(random) ≥ freshUntil`, δ being the last load's duration. Each reader decides alone,
 * yet one early reader is expected (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede
 * Prevention, VLDB 2015).
 */
export function isEarlyRefreshDue(
  beta: number,
  loadMs: number,
  freshUntil: number,
  now: number,
  random: number,
): boolean {
  return beta > 0 && now - beta * loadMs * Math.log(1 - random) >= freshUntil;
}
