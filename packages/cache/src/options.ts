import { type Clock, linkOf, type RedisClient, RedisError, type RedisLink } from '@weir/redis';

import { CacheError, invalidOption } from './errors.ts';
import { checkName, nameTags } from './names.ts';
import { compilePolicy, defaultPolicy, type Policy, type PolicyOptions, policyKeys } from './policy.ts';

/** Bounds of the in-process tier. */
export interface L1Options {
  /** Default 10,000, over all definitions. The least recently used entry leaves first. */
  readonly maxEntries?: number;
  /**
   * Bound on the estimated heap of keys and values, over all definitions; the least recently used entry leaves first, and one
   * larger than the bound is not kept. If given, every stored value is measured by one walk over it. Default 128 MiB, against which
   * only what is heavy at a glance counts: the characters and bytes of a value that is a string, a `Buffer` or a typed array, or
   * has some as properties or items, such as a cached HTTP response.
   */
  readonly maxBytes?: number;
}

/** How Redis is used and how long it is waited for. */
export interface RedisOptions {
  /** Deadline of every Redis operation. Default 100. */
  readonly deadlineMs?: number;
  /** After a killed process, the time until another may load its key. A live load renews its lease. Default 5,000. */
  readonly leaseMs?: number;
  /** Consecutive failures after which Redis is left alone. Default 5. */
  readonly breakerFailures?: number;
  /** How long it is left alone before one probe. Default 1,000. */
  readonly breakerOpenMs?: number;
  /**
   * How L1 learns of changes by others: `tracking`, of anybody's (Redis 6 or later, else as `bus`); `bus`, of Weir's;
   * `none`, not at all, until the ttl. The first two open a connection of their own to each node. Default `tracking`.
   */
  readonly coherence?: 'tracking' | 'bus' | 'none';
  /** How many failed deletes and invalidations are kept for later; beyond, the cache is cleared instead. Default 10,000. */
  readonly recoveryMax?: number;
  /** First part of every Redis key. Default `weir`. */
  readonly prefix?: string;
  /** Values of at least this many bytes are deflated. Default `Infinity`: never. */
  readonly compressFromBytes?: number;
  /** A compressed value that expands beyond this counts as a miss. Default 64 MiB. */
  readonly maxExpandedBytes?: number;
}

/** Everything `createCache` takes. */
export interface CacheOptions {
  /** Names the cache in Redis keys and metrics; processes that share a cache share its name. */
  readonly name: string;
  /**
   * A client of ioredis 5 or 6, node-redis or Valkey GLIDE, single or cluster, yours to open and close. GLIDE needs
   * `glide(client, { duplicate })` of `@weir/redis` to hear of changes by other processes. Without a client the cache lives
   * in memory only.
   */
  readonly redis?: RedisClient;
  readonly l1?: L1Options;
  readonly l2?: RedisOptions;
  /** What holds for every definition and call that does not say otherwise. */
  readonly defaults?: PolicyOptions;
  /** Raise it when the shape of cached values changes: entries of other versions are not seen. Default `1`. */
  readonly version?: string | number;
  /** Milliseconds from any origin that never jump back. Default: `performance.now`. */
  readonly clock?: Clock;
  /** In [0, 1), for jitter and early refresh. Default: `Math.random`. */
  readonly random?: () => number;
}

/** What one read may add. */
export interface ReadOptions {
  /** Ends this caller's wait; the load goes on while anybody else waits for it. */
  readonly signal?: AbortSignal;
}

/** Policy and patience of one `getOrSet`. */
export interface GetOrSetOptions extends SetOptions, ReadOptions {}

/** Policy and tags of one ad-hoc value. */
export interface SetOptions extends PolicyOptions {
  /** Names under which it can be invalidated together with others. */
  readonly tags?: readonly string[];
}

/** `CacheOptions` with every field present and checked. */
export interface ResolvedOptions {
  readonly name: string;
  readonly redis: RedisLink | undefined;
  readonly l1: {
    readonly maxEntries: number;
    readonly maxBytes: number;
    /** `false`: `maxBytes` is the default, and values are measured at a glance. */
    readonly measuresBytes: boolean;
  };
  readonly l2: Readonly<Required<RedisOptions>>;
  readonly defaults: Policy;
  readonly version: string;
  readonly clock: Clock;
  readonly coarseNow: () => number;
  readonly random: () => number;
}

const optionKeys = ['name', 'redis', 'l1', 'l2', 'defaults', 'version', 'clock', 'random'];

/** Throws on the first option that is unknown or out of range. */
export function resolveOptions(options: CacheOptions): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw invalidOption('options', 'an object', options, "At least `{ name: 'shop' }`.");
  }
  checkKeys('options', options, optionKeys);
  const { redis, clock, random } = options;
  if (clock !== undefined && typeof clock?.now !== 'function')
    throw invalidOption('clock', 'an object with `now()`', clock);
  if (random !== undefined && typeof random !== 'function')
    throw invalidOption('random', 'a function', random);
  const version = String(options.version ?? 1);
  const defaults = options.defaults ?? {};
  checkKeys('defaults', defaults, policyKeys);
  return Object.freeze({
    name: checkName('name', options.name),
    redis: redis === undefined ? undefined : resolveRedis(redis),
    l1: resolveL1(options.l1 ?? {}),
    l2: resolveL2(options.l2 ?? {}),
    defaults: compilePolicy(defaults, defaultPolicy),
    version: checkName('version', version),
    clock: clock ?? { now: () => performance.now() },
    coarseNow: clock === undefined ? createCoarseClock() : () => clock.now(),
    random: random ?? Math.random,
  });
}

function resolveRedis(client: RedisClient): RedisLink {
  try {
    return linkOf(client);
  } catch (error) {
    if (!(error instanceof RedisError)) throw error;
    const expected = 'a client of ioredis, node-redis or Valkey GLIDE';
    throw invalidOption('redis', expected, client, 'Pass the client itself, not its options or URL.');
  }
}

function resolveL1(l1: L1Options): ResolvedOptions['l1'] {
  checkKeys('l1', l1, ['maxEntries', 'maxBytes']);
  return Object.freeze({
    maxEntries: checkNumber('l1.maxEntries', l1.maxEntries ?? 10_000, 1, 2 ** 31),
    maxBytes: checkNumber('l1.maxBytes', l1.maxBytes ?? 128 * 2 ** 20, 1, 2 ** 50),
    measuresBytes: l1.maxBytes !== undefined,
  });
}

function resolveL2(l2: RedisOptions): Readonly<Required<RedisOptions>> {
  const resolved = {
    deadlineMs: checkNumber('l2.deadlineMs', l2.deadlineMs ?? 100, 1, 60_000),
    leaseMs: checkNumber('l2.leaseMs', l2.leaseMs ?? 5_000, 10, 600_000),
    breakerFailures: checkNumber('l2.breakerFailures', l2.breakerFailures ?? 5, 1, 1_000),
    coherence: l2.coherence ?? 'tracking',
    recoveryMax: checkNumber('l2.recoveryMax', l2.recoveryMax ?? 10_000, 1, 1_000_000),
    breakerOpenMs: checkNumber('l2.breakerOpenMs', l2.breakerOpenMs ?? 1_000, 1, 600_000),
    prefix: checkName('l2.prefix', l2.prefix ?? 'weir'),
    compressFromBytes:
      l2.compressFromBytes === undefined || l2.compressFromBytes === Number.POSITIVE_INFINITY
        ? Number.POSITIVE_INFINITY
        : checkNumber('l2.compressFromBytes', l2.compressFromBytes, 0, 2 ** 31),
    maxExpandedBytes: checkNumber('l2.maxExpandedBytes', l2.maxExpandedBytes ?? 64 * 2 ** 20, 1, 2 ** 31),
  };
  checkKeys('l2', l2, Object.keys(resolved));
  if (!['tracking', 'bus', 'none'].includes(resolved.coherence)) {
    throw invalidOption('l2.coherence', "'tracking', 'bus' or 'none'", resolved.coherence);
  }
  return Object.freeze(resolved);
}

function checkNumber(name: string, value: unknown, min: number, max: number): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw invalidOption(name, `an integer from ${min} to ${max}`, value);
}

/** A misspelt option would otherwise be silently without effect. */
export function checkKeys(name: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new CacheError(
    'ERR_WEIR_CACHE_INVALID_OPTION',
    `Unknown option \`${unknown}\` in \`${name}\`. Known: ${known.map((key) => `\`${key}\``).join(', ')}.`,
  );
}

/** What one call's options come to. */
interface CompiledCall {
  readonly policy: Policy;
  /** Names (`tagName`) of the tags. */
  readonly tags: readonly string[];
}

const known: readonly string[] = [...policyKeys, 'tags', 'signal'];

/**
 * The options of ad-hoc calls, compiled once for each options object: callers nearly always pass the same one again. One
 * whose fields have changed since is compiled anew.
 */
export class CompiledOptions {
  readonly #defaults: Policy;
  readonly #calls = new WeakMap<object, { readonly fields: GetOrSetOptions; readonly call: CompiledCall }>();

  constructor(defaults: Policy) {
    this.#defaults = defaults;
  }

  /** Throws `ERR_WEIR_CACHE_INVALID_OPTION` on the first option that is unknown or out of range. */
  get(options: GetOrSetOptions): CompiledCall {
    const found = this.#calls.get(options);
    if (found !== undefined && hasSameFields(options, found.fields)) return found.call;
    checkKeys('options', options, known);
    const { tags } = options;
    const call = {
      policy: compilePolicy(options, this.#defaults),
      tags: tags === undefined ? noTags : nameTags(tags),
    };
    // A list of tags can change without changing a field.
    if (tags === undefined) this.#calls.set(options, { fields: { ...options }, call });
    return call;
  }
}

const noTags: readonly string[] = Object.freeze([]);

function hasSameFields(options: GetOrSetOptions, fields: GetOrSetOptions): boolean {
  let count = 0;
  for (const name in options) {
    if (options[name as keyof GetOrSetOptions] !== fields[name as keyof GetOrSetOptions]) return false;
    count += 1;
  }
  for (const _ in fields) count -= 1;
  return count === 0;
}

/**
 * `performance.now` at a resolution of a millisecond: read once, then remembered until a timer clears it. A hit asks for
 * the time on every call and would spend a third of its own on it. Code that blocks the event loop sees time stand
 * still meanwhile, so an expiry is noticed late by at most that long.
 */
function createCoarseClock(): () => number {
  let cached = 0;
  const clear = () => {
    cached = 0;
  };
  return () => {
    if (cached !== 0) return cached;
    cached = performance.now();
    setTimeout(clear, 1).unref();
    return cached;
  };
}
