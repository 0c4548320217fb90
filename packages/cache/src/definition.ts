import { CacheError, invalidOption } from './errors.ts';
import { checkKey } from './keys.ts';
import type { LoadContext } from './load-context.ts';
import { checkKeys } from './options.ts';
import { compilePolicy, type Policy, type PolicyOptions, policyKeys } from './policies/policy.ts';
import type { Core, ReadRequest, ReadThrough } from './read-through.ts';
import type { Namespace } from './stores/namespace.ts';
import type { Writer } from './writer.ts';

/** How one kind of value is keyed, loaded and kept. Compiled once by `cache.define`. */
export interface DefinitionOptions<A, V> extends PolicyOptions {
  /** A string that tells any two arguments with different values apart. */
  readonly key: (arg: A) => string;
  /** Gets the value from where it really lives. Called once for any number of concurrent readers. */
  readonly load: (arg: A, context: LoadContext) => V | Promise<V>;
}

/** What one read may add. */
export interface ReadOptions {
  /** Ends this caller's wait; the load goes on while anybody else waits for it. */
  readonly signal?: AbortSignal;
}

/** Typed access to the values of one definition. */
export interface Definition<A, V> {
  readonly name: string;
  /** The value, loaded if need be. Rejects with the load's own error when it fails and no stale value may stand in. */
  get(arg: A, options?: ReadOptions): Promise<V>;
  /** The fresh value if one is cached in any tier, else `undefined`; never loads. */
  peek(arg: A): Promise<V | undefined>;
  /** Stores a value in every tier; loads in flight will not overwrite it. Resolves with whether every tier took it. */
  set(arg: A, value: V): Promise<boolean>;
  /**
   * Removes the value from every tier; no read that starts after this has resolved sees it, whatever is in flight.
   * Resolves with `false` when Redis could not be told (it is then told as soon as it answers).
   */
  delete(arg: A): Promise<boolean>;
}

const definitionKeys = ['key', 'load', ...policyKeys];

export class CompiledDefinition<A, V> implements Definition<A, V> {
  readonly name: string;
  readonly #core: Core;
  readonly #readThrough: ReadThrough;
  readonly #writer: Writer;
  readonly #namespace: Namespace;
  readonly #policy: Policy;
  readonly #key: (arg: A) => string;
  readonly #load: (arg: A, context: LoadContext) => V | Promise<V>;

  constructor(
    name: string,
    options: DefinitionOptions<A, V>,
    parts: { core: Core; readThrough: ReadThrough; writer: Writer; namespace: Namespace; defaults: Policy },
  ) {
    checkKeys(`define('${name}')`, options, definitionKeys);
    if (typeof options.key !== 'function')
      throw invalidOption('key', 'a function of the argument', options.key);
    if (typeof options.load !== 'function') throw invalidOption('load', 'a function', options.load);
    this.name = name;
    this.#core = parts.core;
    this.#readThrough = parts.readThrough;
    this.#writer = parts.writer;
    this.#namespace = parts.namespace;
    this.#policy = compilePolicy(options, parts.defaults);
    this.#key = options.key;
    this.#load = options.load;
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
    if (entry !== undefined && core.now() < entry.hotUntil && entry.epoch === core.memory.epoch) {
      core.memory.touch(entry);
      core.counters.l1Hits += 1;
      return entry.promise as Promise<V>;
    }
    return this.#readSlowly(key, arg, options);
  }

  async peek(arg: A): Promise<V | undefined> {
    return (await this.#readThrough.peek(this.#request(this.#key(arg), arg))) as V | undefined;
  }

  async set(arg: A, value: V): Promise<boolean> {
    const key = this.#key(arg);
    checkKey(key);
    return await this.#writer.set(this.#namespace, key, value, this.#policy, this.name);
  }

  async delete(arg: A): Promise<boolean> {
    const key = this.#key(arg);
    checkKey(key);
    return await this.#writer.delete(this.#namespace, key);
  }

  async #readSlowly(key: string, arg: A, options: ReadOptions | undefined): Promise<V> {
    checkKey(key);
    return (await this.#readThrough.read(this.#request(key, arg, options?.signal))) as V;
  }

  #request(key: string, arg: A, signal?: AbortSignal): ReadRequest {
    return {
      namespace: this.#namespace,
      key,
      definition: this.name,
      policy: this.#policy,
      load: (context) => this.#load(arg, context),
      signal,
    };
  }
}

/** One name, one namespace: two definitions under one name would read each other's values. */
export function duplicateDefinition(name: string): CacheError {
  return new CacheError(
    'ERR_WEIR_CACHE_DUPLICATE_DEFINITION',
    `\`define('${name}')\` was called twice on one cache. Keep the first definition and share it.`,
  );
}
