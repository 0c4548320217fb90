import { type Clock, linkOf, type RedisClient, RedisError, type RedisLink } from '@weir/redis';

import { CacheError, invalidOption } from './errors.ts';
import { checkName, nameTags } from './names.ts';
import { compilePolicy, defaultPolicy, type Policy, type PolicyOptions, policyKeys } from './policy.ts';

/** Bounds of the in-process tier. */
export interface L1Options {
  /**
   * The largest number of entries in memory, over all definitions, from 1. The least recently used entry is evicted first.
   * @defaultValue 10_000
   */
  readonly maxEntries?: number;
  /**
   * The largest estimated heap of keys and values in bytes, over all definitions. The least recently used entry is evicted first; an
   * entry larger than the bound is not kept. If the option is given, every stored value is measured by a walk over all its parts. By
   * default only strings, `Buffer`s and typed arrays count, as the value itself or as its properties or items.
   * @defaultValue 128 MiB
   */
  readonly maxBytes?: number;
}

/** How Redis is used. Durations are milliseconds. */
export interface RedisOptions {
  /**
   * The longest that one Redis operation may take, 1 to 60,000.
   * @defaultValue 100
   */
  readonly deadlineMs?: number;
  /**
   * After a process was killed, the time until another process may load its keys, 10 to 600,000. A running load renews its lease.
   * @defaultValue 5_000
   */
  readonly leaseMs?: number;
  /**
   * Consecutive failures that open the circuit breaker, 1 to 1,000.
   * @defaultValue 5
   */
  readonly breakerFailures?: number;
  /**
   * How long the open breaker rejects operations before it lets one probe through, 1 to 600,000.
   * @defaultValue 1_000
   */
  readonly breakerOpenMs?: number;
  /**
   * Which changes by other processes reach L1. `tracking`: changes by any program (Redis 6 or later and a client of ioredis or
   * node-redis, else as `bus`). `bus`: changes by caches of this package. `none`: no changes; entries live until their ttl. The first two
   * open one connection of their own to each node.
   * @defaultValue 'tracking'
   */
  readonly coherence?: 'tracking' | 'bus' | 'none';
  /**
   * How many failed deletes and invalidations are queued, 1 to 1,000,000. When the queue overflows, the whole cache is cleared instead.
   * @defaultValue 10_000
   */
  readonly recoveryMax?: number;
  /**
   * The first part of every Redis key: 1 to 64 letters, digits, `_`, `.` or `-`.
   * @defaultValue 'weir'
   */
  readonly prefix?: string;
  /**
   * Values of at least this many bytes are deflated.
   * @defaultValue Infinity (never)
   */
  readonly compressFromBytes?: number;
  /**
   * A compressed value that expands beyond this many bytes counts as a miss.
   * @defaultValue 64 MiB
   */
  readonly maxExpandedBytes?: number;
}

/** Everything `createCache` takes. */
export interface CacheOptions {
  /** Names the cache in Redis keys and metrics. Caches of the same name on the same Redis share their entries. */
  readonly name: string;
  /**
   * A client of ioredis 5 or 6, node-redis or Valkey GLIDE, single or cluster. The caller opens and closes it. GLIDE needs
   * `glide(client, { duplicate })` of `@weir/redis`, so that changes by other processes reach L1. Without a client the cache
   * keeps its entries in memory only.
   */
  readonly redis?: RedisClient;
  readonly l1?: L1Options;
  readonly l2?: RedisOptions;
  /** The policy of definitions and calls that set no value of their own. */
  readonly defaults?: PolicyOptions;
  /**
   * Raise it when the shape of cached values changes: entries of other versions are ignored.
   * @defaultValue 1
   */
  readonly version?: string | number;
  /**
   * Its `now()` returns milliseconds from any origin and never goes back.
   * @defaultValue performance.now
   */
  readonly clock?: Clock;
  /**
   * Returns a number in [0, 1), for jitter and early refresh.
   * @defaultValue Math.random
   */
  readonly random?: () => number;
}

/** Options of one read. */
export interface ReadOptions {
  /** Ends this caller's wait. The load continues while another caller waits for it. */
  readonly signal?: AbortSignal;
}

/** Options of one `getOrSet`. */
export interface GetOrSetOptions extends SetOptions, ReadOptions {}

/** Options of one ad-hoc value. */
export interface SetOptions extends PolicyOptions {
  /** The value is invalidated together with other values of these tags. */
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

/** Throws for an unknown option: a misspelt one would otherwise have no effect, in silence. */
export function checkKeys(name: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidOption(name, 'an object', options);
  }
  if ('then' in options && typeof options.then === 'function') {
    throw invalidOption(name, 'an object', options, 'It is a promise: await it first.');
  }
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new CacheError(
    'ERR_WEIR_CACHE_INVALID_OPTION',
    `Unknown option \`${unknown}\` in \`${name}\`. Known: ${known.map((key) => `\`${key}\``).join(', ')}.`,
  );
}

/** The options of one call, validated. */
interface CompiledCall {
  readonly policy: Policy;
  /** Names (`nameTags`) of the tags. */
  readonly tags: readonly string[];
}

const callKeys: readonly string[] = [...policyKeys, 'tags', 'signal'];

/**
 * The options of ad-hoc calls, compiled once for each options object, because callers usually pass the same object again. An
 * object whose fields have changed is compiled again.
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
    checkKeys('options', options, callKeys);
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
 * `performance.now` at a resolution of one millisecond: read once, then kept until a timer clears it. Reading the clock would
 * take a third of the time of a hit. While code blocks the event loop the time stands still, so an expiry is noticed late by
 * at most as long.
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
