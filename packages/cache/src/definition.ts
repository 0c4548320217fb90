import { CacheError, invalidOption } from './errors.ts';
import type { Namespace } from './memory/memory-store.ts';
import { checkKey, namespaceName, nameTags } from './names.ts';
import type { ReadOptions } from './options.ts';
import { checkKeys } from './options.ts';
import { compilePolicy, type Policy, type PolicyOptions, policyKeys } from './policy.ts';
import { Batch, type LoadMany } from './tiers/batch.ts';
import type { Core, Target } from './tiers/core.ts';
import type { LoadContext, ReadRequest } from './tiers/load-context.ts';
import type { ReadThrough } from './tiers/read-through.ts';
import type { Writer } from './tiers/writer.ts';
import { tag, Untaggable } from './values/tagging.ts';
import type { StandardSchema } from './values/value.ts';

/** How one kind of value is keyed and kept. */
interface CommonDefinitionOptions<A, V> extends PolicyOptions {
  /** Returns the key of an argument: a non-empty string, different for any two arguments with different values. */
  readonly key: (arg: A) => string;
  /** Tags to store a value under. Values of the same tag, in any definition of the cache, are invalidated together. */
  readonly tags?: readonly string[] | ((arg: A) => readonly string[]);
  /**
   * Any Standard Schema, which may transform the value. Readers get the validated value from both tiers; Redis keeps the value as it
   * was loaded. A value from Redis that does not satisfy the schema is a miss. A loaded value that does not satisfy it fails the
   * load, and `set` rejects it, with `ERR_WEIR_CACHE_INVALID_VALUE`. `undefined` and `null` always pass.
   */
  readonly schema?: StandardSchema<V>;
}

/** How one kind of value is keyed, loaded and kept. `load` or `loadMany` is required. */
export type DefinitionOptions<A, V> = CommonDefinitionOptions<A, V> &
  (
    | {
        /** Loads the value from its source. Called once for any number of concurrent readers. */
        readonly load: (arg: A, context: LoadContext) => V | Promise<V>;
        /** Loads several values at once, for `getMany`. */
        readonly loadMany?: LoadMany<A, V>;
      }
    | { readonly load?: undefined; readonly loadMany: LoadMany<A, V> }
  );

/** Typed access to the values of one definition. */
export interface Definition<A, V> {
  readonly name: string;
  /** Returns the value, loaded if it is not cached. Rejects with the load's own error if the load fails and no old value is within its grace. */
  get(arg: A, options?: ReadOptions): Promise<V>;
  /**
   * Returns the values in the order of `args`, with one round trip to Redis for keys that are not in memory and one `loadMany` for
   * keys that are in neither. Joins loads in flight. Rejects with the first error, after all values have settled.
   */
  getMany(args: readonly A[], options?: ReadOptions): Promise<V[]>;
  /** Returns the fresh value if one is cached in any tier, else `undefined`. Never loads. */
  peek(arg: A): Promise<V | undefined>;
  /**
   * Stores a value, as a load would return it, in every tier. Loads in flight do not overwrite it. A `set`, `delete`, clear or
   * invalidation that is called later wins, even if this call is still running. Resolves with whether every tier stored it.
   */
  set(arg: A, value: V): Promise<boolean>;
  /**
   * Removes the value from every tier. When it has resolved with `true`, no later read returns the value, whatever was in flight.
   * Resolves with `false` if Redis did not accept the change (it is repeated when Redis answers again) or if another instance
   * did not acknowledge it within the deadline.
   */
  delete(arg: A): Promise<boolean>;
  /** Removes every value of this definition, in one Redis operation. Resolves as `delete`. */
  clear(): Promise<boolean>;
}

/** What a definition is made with. */
interface DefinitionParts {
  readonly core: Core;
  readonly readThrough: ReadThrough;
  readonly writer: Writer;
  readonly namespace: Namespace;
  readonly defaults: Policy;
}

const definitionKeys = ['key', 'load', 'loadMany', 'tags', 'schema', ...policyKeys];
const noTags: readonly string[] = Object.freeze([]);

export class CompiledDefinition<A, V> implements Definition<A, V> {
  readonly name: string;
  readonly #core: Core;
  readonly #readThrough: ReadThrough;
  readonly #writer: Writer;
  readonly #namespace: Namespace;
  readonly #policy: Policy;
  readonly #key: (arg: A) => string;
  readonly #tags: (arg: A) => readonly string[];
  readonly #schema: StandardSchema | undefined;
  readonly #load: (arg: A, context: LoadContext) => unknown;
  readonly #loadMany: LoadMany<A, V> | undefined;

  constructor(name: string, options: DefinitionOptions<A, V>, parts: DefinitionParts) {
    checkKeys(`define('${name}')`, options, definitionKeys);
    const { key, load, loadMany, schema, tags } = options;
    if (typeof key !== 'function') throw invalidOption('key', 'a function of the argument', key);
    if (loadMany !== undefined && typeof loadMany !== 'function') {
      throw invalidOption('loadMany', 'a function', loadMany);
    }
    if (typeof load !== 'function' && (load !== undefined || loadMany === undefined)) {
      throw invalidOption('load', 'a function', load, 'A definition needs `load` or `loadMany`.');
    }
    if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
      throw invalidOption('schema', 'a Standard Schema (zod, valibot, arktype and others are)', schema);
    }
    this.name = name;
    this.#core = parts.core;
    this.#readThrough = parts.readThrough;
    this.#writer = parts.writer;
    this.#namespace = parts.namespace;
    this.#policy = compilePolicy(options, parts.defaults);
    this.#key = key;
    this.#tags = compileTags(tags);
    this.#schema = schema;
    this.#loadMany = loadMany;
    this.#load =
      load ?? ((arg, { signal }) => new Batch(loadMany as LoadMany<A, V>, 1).slot(arg).load(signal));
  }

  get(arg: A, options?: ReadOptions): Promise<V> {
    let key: string;
    try {
      key = this.#key(arg);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    // The hot path: two look-ups, one comparison of times, one addition, and a promise that already exists.
    const core = this.#core;
    const entry = this.#namespace.entries.get(key);
    const now = core.coarseNow();
    if (entry !== undefined && now < entry.hotUntil && entry.epoch === core.memory.epoch) {
      if (entry.touchedAt !== now) core.memory.touch(entry, now);
      core.counters.l1Hits += 1;
      return entry.promise as Promise<V>;
    }
    return this.#readSlowly(key, arg, options);
  }

  async getMany(args: readonly A[], options?: ReadOptions): Promise<V[]> {
    if (this.#loadMany === undefined) return await settleAll(args.map((arg) => this.get(arg, options)));
    const fromL1 = new Map<string, Promise<V>>();
    const missing = new Map<string, ReadRequest & { readonly arg: A }>();
    const keys = args.map((arg) => {
      const key = this.#key(arg);
      checkKey(key);
      const request = { ...this.#request(key, arg, options?.signal), arg };
      const entry = this.#namespace.entries.get(key);
      const isHot =
        entry !== undefined &&
        this.#core.clock.now() < entry.hotUntil &&
        entry.epoch === this.#core.memory.epoch;
      if (isHot || this.#readThrough.isInFlight(request)) fromL1.set(key, this.get(arg, options));
      else if (!fromL1.has(key)) missing.set(key, request);
      return key;
    });
    const batch = new Batch(this.#loadMany, missing.size);
    const reads = new Map([...missing].map(([key, request]) => [key, this.#readInBatch(batch, request)]));
    return await settleAll(keys.map((key) => fromL1.get(key) ?? (reads.get(key) as Promise<V>)));
  }

  async peek(arg: A): Promise<V | undefined> {
    return (await this.#readThrough.peek(this.#target(this.#key(arg), arg))) as V | undefined;
  }

  async set(arg: A, value: V): Promise<boolean> {
    return await this.#writer.set(this.#target(this.#key(arg), arg), value);
  }

  async delete(arg: A): Promise<boolean> {
    const key = this.#key(arg);
    checkKey(key);
    return await this.#writer.delete(this.#namespace, key);
  }

  async clear(): Promise<boolean> {
    return await this.#writer.invalidate([namespaceName(this.name)]);
  }

  async #readSlowly(key: string, arg: A, options: ReadOptions | undefined): Promise<V> {
    return (await this.#readThrough.read(this.#request(key, arg, options?.signal))) as V;
  }

  async #readInBatch(batch: Batch<A, V>, request: ReadRequest & { readonly arg: A }): Promise<V> {
    const slot = batch.slot(request.arg);
    try {
      const load = ({ signal }: LoadContext) => slot.load(signal);
      return (await this.#readThrough.read({ ...request, load, onHeld: slot.settle })) as V;
    } finally {
      slot.settle();
    }
  }

  #target(key: string, arg: A): Target {
    checkKey(key);
    return {
      namespace: this.#namespace,
      key,
      definition: this.name,
      policy: this.#policy,
      tags: this.#tags(arg),
      schema: this.#schema,
    };
  }

  #request(key: string, arg: A, signal: AbortSignal | undefined): ReadRequest {
    return { ...this.#target(key, arg), load: (context) => this.#load(arg, context), signal };
  }
}

// A plain Promise.all would leave the others running unobserved.
async function settleAll<V>(reads: readonly Promise<V>[]): Promise<V[]> {
  const results = await Promise.allSettled(reads);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** Checks tags where they are given and names them as they are stored. */
function compileTags<A>(
  tags: readonly string[] | ((arg: A) => readonly string[]) | undefined,
): (arg: A) => readonly string[] {
  if (tags === undefined) return () => noTags;
  if (typeof tags === 'function') return (arg) => nameTags(tags(arg));
  const names = nameTags(tags);
  return () => names;
}

/** One name, one namespace: two definitions under one name would read each other's values. */
export function duplicateDefinition(name: string): CacheError {
  return new CacheError(
    'ERR_WEIR_CACHE_DUPLICATE_DEFINITION',
    `\`define('${name}')\` was called twice on one cache. Keep the first definition and share it.`,
  );
}

/** How a wrapped function's results are named, keyed and kept. */
export interface WrapOptions<A extends readonly unknown[]> extends PolicyOptions {
  /** Names the definition. Default: the function's own name. */
  readonly name?: string;
  /**
   * Default: the arguments as tagged JSON. They must then be plain data, `Date`, `BigInt` and the like; a call with
   * anything else rejects with `ERR_WEIR_CACHE_INVALID_KEY`.
   */
  readonly key?: (...args: A) => string;
  readonly tags?: readonly string[] | ((...args: A) => readonly string[]);
}

/** A function whose results are cached, and the definition behind it. */
export interface Wrapped<A extends readonly unknown[], V> {
  (...args: A): Promise<V>;
  /** Takes the arguments as one array: `wrapped.definition.delete([42])`. */
  readonly definition: Definition<A, V>;
}

/** `cache.wrap`: the same signature, promised. */
export function wrap<A extends readonly unknown[], V>(
  cache: { define<A, V>(name: string, options: DefinitionOptions<A, V>): Definition<A, V> },
  fn: (...args: A) => V | Promise<V>,
  options: WrapOptions<A>,
): Wrapped<A, V> {
  if (typeof fn !== 'function') throw invalidOption('fn', 'a function', fn);
  checkKeys('options', options, ['name', 'key', 'tags', ...policyKeys]);
  const { name = fn.name, key, tags, ...policy } = options;
  if (key !== undefined && typeof key !== 'function') {
    throw invalidOption('key', 'a function of the arguments', key);
  }
  const definition = cache.define<A, V>(name, {
    ...policy,
    key: key === undefined ? (args) => keyOf(name, args) : (args) => key(...args),
    load: (args) => fn(...args),
    ...(tags !== undefined && { tags: typeof tags === 'function' ? (args: A) => tags(...args) : tags }),
  });
  return Object.assign((...args: A) => definition.get(args), { definition });
}

function keyOf(name: string, args: readonly unknown[]): string {
  try {
    return JSON.stringify(tag(args));
  } catch (cause) {
    const what = cause instanceof Untaggable ? cause.message : 'a value that cannot be read';
    throw new CacheError(
      'ERR_WEIR_CACHE_INVALID_KEY',
      `Cannot make a key of the arguments of \`${name}\`: they contain ${what}. Pass the option \`key\` to \`cache.wrap\`: a function that makes a string of them.`,
      { cause },
    );
  }
}
