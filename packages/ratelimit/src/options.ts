import { linkOf, type RedisClient, type RedisLink } from '@weir/redis';
import { type Clock, monotonicClock } from './clock.ts';
import { RateLimitError, shown } from './errors.ts';
import { AccessList } from './keys/access-list.ts';
import type { Decision } from './policies/decision.ts';
import { localShare } from './policies/overrides.ts';
import { compilePlan, type Plan } from './policies/plan.ts';
import type { Policy } from './policies/policy.ts';
import type { LeaseOptions } from './stores/leases.ts';

/**
 * What decides when Redis does not answer in time: `open` allows, `closed` denies, `local` decides in this process on
 * `share` of every limit (0–1; with n processes 1/n keeps the total).
 */
export type StoreErrorPolicy = 'open' | 'closed' | { readonly mode: 'local'; readonly share: number };

/** Options of `createRateLimiter`. */
export interface RateLimiterOptions {
  /** Names the limiter in metrics and Redis keys: 1–64 of `A–Z a–z 0–9 . _ -`. Processes of one name share quotas. */
  readonly name: string;
  /** Decided together: all must allow, else none is debited. 1–16. */
  readonly policies: readonly Policy[];
  /**
   * A client of ioredis 5 or 6, node-redis or Valkey GLIDE, single or Cluster: quotas live in Redis where given, else in
   * this process. The client stays the caller's: it is never configured or closed here.
   */
  readonly redis?: RedisClient;
  /** @defaultValue `open` */
  readonly onStoreError?: StoreErrorPolicy;
  /** The longest a decision waits for Redis, in ms. @defaultValue 100 */
  readonly deadlineMs?: number;
  /**
   * `shadow` decides, debits, counts and names violations, but allows everything: to try limits on real traffic.
   * A policy's own `shadow` does the same for it alone.
   * @defaultValue `enforce`
   */
  readonly mode?: 'enforce' | 'shadow';
  /** Keys, addresses and CIDR ranges that are always allowed and debit nothing. It wins over `deny`. */
  readonly allow?: readonly string[];
  /**
   * Keys, addresses and CIDR ranges that are always denied. A key of `ipKey` stands for a whole IPv6 prefix: it is denied
   * when an address or range inside it is listed, and allowed only when all of it is.
   */
  readonly deny?: readonly string[];
  /** With Redis: units each process may hold ahead for a key. @defaultValue none; see docs/leases.md */
  readonly lease?: LeaseOptions;
  /** With Redis: how long, in ms, a denial is remembered at most; 0 turns it off. @defaultValue 1000 */
  readonly denyCacheMs?: number;
  /**
   * A sample (0–1) of the decisions, for a log. `write` runs in the request: it must be quick. An error or
   * rejection of it fails no request: it is counted in `stats().logErrors`, and the first one is a process warning.
   */
  readonly decisionLog?: {
    readonly sample: number;
    readonly write: (entry: LoggedDecision) => void | Promise<void>;
  };
  /** Prefix of every Redis key. @defaultValue `weir:ratelimit` */
  readonly keyPrefix?: string;
  /** Bounds of the records in memory; whichever is tighter holds. @defaultValue 1,000,000 keys and 64 MiB */
  readonly memory?: { readonly maxKeys?: number; readonly maxBytes?: number };
  /** Monotonic ms; default the process's. Redis decides by its own clock. */
  readonly clock?: Clock;
  /** [0, 1); default `Math.random`. */
  readonly random?: () => number;
}

/** What `decisionLog.write` gets. It holds the key, which may be personal data. */
export interface LoggedDecision {
  readonly limiter: string;
  /** A key in parts as JSON: their values, in the order in which the policies first name them. */
  readonly key: string;
  readonly decision: Decision;
}

/** {@link RateLimiterOptions} with defaults, checked and frozen. */
export interface ResolvedOptions {
  readonly name: string;
  readonly policies: readonly Policy[];
  readonly plan: Plan;
  /** What decides while Redis fails under `onStoreError: { mode: 'local' }`. */
  readonly localPlan: Plan | undefined;
  readonly link: RedisLink | undefined;
  readonly onStoreError: StoreErrorPolicy;
  readonly deadlineMs: number;
  readonly shadow: boolean;
  readonly allow: AccessList | undefined;
  readonly deny: AccessList | undefined;
  readonly lease: LeaseOptions | undefined;
  readonly denyCacheMs: number;
  readonly decisionLog: RateLimiterOptions['decisionLog'];
  readonly keyPrefix: string;
  readonly maxKeys: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** @throws {RateLimitError} `ERR_WEIR_RATELIMIT_OPTIONS` or `…_POLICY` with what was expected, given, and a repair. */
export function resolveOptions(options: RateLimiterOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) throw wrong('options', 'an object', options);
  const { name, redis, onStoreError = 'open', keyPrefix = 'weir:ratelimit', memory = {} } = options;
  const { clock = monotonicClock, random = Math.random } = options;
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name))
    throw wrong('name', '1–64 of A–Z a–z 0–9 . _ -', name);
  if (
    typeof onStoreError === 'object'
      ? onStoreError?.mode !== 'local'
      : !['open', 'closed'].includes(onStoreError)
  ) {
    throw wrong('onStoreError', "'open', 'closed' or { mode: 'local', share }", onStoreError);
  }
  if (typeof onStoreError === 'object' && !(onStoreError.share > 0 && onStoreError.share <= 1)) {
    throw wrong('onStoreError.share', 'above 0 and at most 1', onStoreError.share);
  }
  if (typeof keyPrefix !== 'string' || !/^[^{}\s]{1,128}$/.test(keyPrefix)) {
    throw wrong('keyPrefix', '1–128 characters without spaces and braces', keyPrefix);
  }
  if (typeof clock?.now !== 'function') throw wrong('clock', 'an object with now()', clock);
  if (typeof random !== 'function') throw wrong('random', 'a function', random);
  const { mode = 'enforce', lease, decisionLog } = options;
  if (mode !== 'enforce' && mode !== 'shadow') throw wrong('mode', "'enforce' or 'shadow'", mode);
  if (lease !== undefined) {
    positive('lease.units', lease.units, 1_000_000);
    positive('lease.ttlMs', lease.ttlMs ?? 1000, 60_000);
  }
  if (decisionLog !== undefined) {
    if (typeof decisionLog !== 'object' || decisionLog === null)
      throw wrong('decisionLog', '{ sample, write }', decisionLog);
    if (!(typeof decisionLog.sample === 'number' && decisionLog.sample >= 0 && decisionLog.sample <= 1))
      throw wrong('decisionLog.sample', 'from 0 to 1', decisionLog.sample);
    if (typeof decisionLog.write !== 'function')
      throw wrong('decisionLog.write', 'a function', decisionLog.write);
  }
  const shadow = mode === 'shadow';
  const plan = compilePlan(options.policies, shadow);
  return Object.freeze({
    name,
    policies: Object.freeze(options.policies.map((policy) => Object.freeze({ ...policy }))),
    plan,
    localPlan:
      typeof onStoreError === 'object'
        ? compilePlan(localShare(options.policies, onStoreError.share), shadow)
        : undefined,
    link: redis === undefined ? undefined : linkFor(redis),
    onStoreError: typeof onStoreError === 'object' ? Object.freeze({ ...onStoreError }) : onStoreError,
    deadlineMs: positive('deadlineMs', options.deadlineMs ?? 100, 60_000),
    shadow,
    allow: listOf('allow', options.allow, 'all'),
    deny: listOf('deny', options.deny, 'some'),
    lease: lease === undefined ? undefined : Object.freeze({ ...lease }),
    denyCacheMs:
      options.denyCacheMs === 0 ? 0 : positive('denyCacheMs', options.denyCacheMs ?? 1000, 3_600_000),
    decisionLog: decisionLog === undefined ? undefined : Object.freeze({ ...decisionLog }),
    keyPrefix,
    maxKeys: positive('memory.maxKeys', memory.maxKeys ?? 1_000_000, 2 ** 30),
    maxBytes: positive('memory.maxBytes', memory.maxBytes ?? 64 * 2 ** 20, 2 ** 40),
    clock,
    random,
  });
}

function linkFor(redis: RedisClient): RedisLink {
  try {
    return linkOf(redis);
  } catch (cause) {
    throw new RateLimitError(
      'ERR_WEIR_RATELIMIT_OPTIONS',
      `Expected \`redis\` to be a client of ioredis, node-redis or Valkey GLIDE, got ${shown(redis)}. Pass the client itself, not its options or URL.`,
      { cause },
    );
  }
}

function listOf(
  option: string,
  entries: readonly string[] | undefined,
  match: 'all' | 'some',
): AccessList | undefined {
  if (entries === undefined) return undefined;
  if (!Array.isArray(entries)) throw wrong(option, 'an array of keys, addresses and CIDR ranges', entries);
  return new AccessList(option, entries, match);
}

function positive(option: string, value: unknown, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  throw wrong(option, `a whole number from 1 to ${most}`, value);
}

function wrong(option: string, expected: string, value: unknown): RateLimitError {
  return new RateLimitError(
    'ERR_WEIR_RATELIMIT_OPTIONS',
    `Expected \`${option}\` to be ${expected}, got ${shown(value)}.`,
  );
}
