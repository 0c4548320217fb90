import { assemble } from './assemble.ts';
import {
  CompiledDefinition,
  type Definition,
  type DefinitionOptions,
  duplicateDefinition,
  type WrapOptions,
  type Wrapped,
  wrap,
} from './definition.ts';
import { CacheError, invalidOption } from './errors.ts';
import type { Namespace } from './memory/memory-store.ts';
import { checkKey, checkName, namespaceName, nameTags } from './names.ts';
import type { GetOrSetOptions, SetOptions } from './options.ts';
import { type CacheOptions, CompiledOptions, type ResolvedOptions, resolveOptions } from './options.ts';
import { announce, type CacheStats } from './stats.ts';
import type { Core, Target } from './tiers/core.ts';
import type { LoadContext } from './tiers/load-context.ts';
import { ReadThrough } from './tiers/read-through.ts';
import type { Writer } from './tiers/writer.ts';

/** A read-through cache over memory and, if one was injected, Redis. */
export interface Cache {
  readonly name: string;
  /** Returns typed access to one kind of values. Throws if the name is already defined. */
  define<A, V>(name: string, options: DefinitionOptions<A, V>): Definition<A, V>;
  /**
   * Returns the value under `key`, loaded by `load` if it is not cached. Ad-hoc keys have a namespace of their own. `options`
   * apply when the value is loaded; a hit follows the policy that was stored with the entry.
   */
  getOrSet<V>(
    key: string,
    load: (context: LoadContext) => V | Promise<V>,
    options?: GetOrSetOptions,
  ): Promise<V>;
  /** Returns the fresh ad-hoc value if one is cached, else `undefined`. Never loads. */
  get<V = unknown>(key: string): Promise<V | undefined>;
  /** Stores an ad-hoc value. See `Definition.set`. */
  set(key: string, value: unknown, options?: SetOptions): Promise<boolean>;
  /** Removes an ad-hoc value. See `Definition.delete`. */
  delete(key: string): Promise<boolean>;
  /** Returns the same function with its results cached. It has a definition of its own. */
  wrap<A extends readonly unknown[], V>(
    fn: (...args: A) => V | Promise<V>,
    options?: WrapOptions<A>,
  ): Wrapped<A, V>;
  /** Invalidates every value stored under any of the tags, in every process. Costs O(tags), not O(values). Resolves as `Definition.delete`. */
  invalidateTags(tags: readonly string[]): Promise<boolean>;
  /** Invalidates every value, including those of definitions of other processes. Costs one Redis operation. Resolves as `Definition.delete`. */
  clear(): Promise<boolean>;
  /**
   * Resolves with `true` when changes by other processes reach this one, so that L1 answers without Redis; with `false` if that
   * takes longer than `timeoutMs` milliseconds, or at once while Redis refuses the subscription. Reads need not wait for it.
   * @defaultValue 5_000
   */
  ready(timeoutMs?: number): Promise<boolean>;
  /** Returns the counters as a new object. */
  stats(): CacheStats;
  /**
   * Waits for running Redis operations, empties L1, ends timers and the cache's own connections, and retracts the announcement. Every
   * call resolves when that is done. Never closes the caller's client.
   */
  close(): Promise<void>;
}

// The longest timer of Node: 24.8 days.
const maxTimerMs = 2_147_483_647;
const adHoc = '~';
const noOptions: GetOrSetOptions = Object.freeze({});

/** Creates a cache. Throws `ERR_WEIR_CACHE_INVALID_OPTION` for the first option that is unknown or out of range. */
export function createCache(options: CacheOptions): Cache {
  return new WeirCache(resolveOptions(options));
}

/** Whether a value is a cache made by `createCache`. */
export function isCache(value: unknown): value is Cache {
  return WeirCache.isCache(value);
}

/** As `getOrSet`, for this package only. Rejects, instead of waiting, while another process loads the key. */
export function readUnlessHeld(
  cache: Cache,
  key: string,
  options: SetOptions,
  load: (context: LoadContext) => unknown,
): Promise<unknown> {
  return WeirCache.readUnlessHeld(cache as WeirCache, key, options, load);
}

/** As `delete`, by the subject (`busKey`) of an entry, for the command line. */
export function deleteSubject(cache: Cache, subject: string): Promise<boolean> {
  return WeirCache.deleteSubject(cache as WeirCache, subject);
}

class WeirCache implements Cache {
  readonly name: string;
  readonly #options: ResolvedOptions;
  readonly #core: Core;
  readonly #readThrough: ReadThrough;
  readonly #writer: Writer;
  readonly #adHoc: Namespace;
  readonly #compiled: CompiledOptions;
  readonly #definitions = new Set<string>();
  readonly #retract: () => void;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions) {
    this.name = options.name;
    this.#options = options;
    const { core, writer } = assemble(options, () => this.#assertOpen());
    this.#core = core;
    this.#writer = writer;
    this.#readThrough = new ReadThrough(core);
    this.#adHoc = core.memory.namespace(adHoc);
    this.#compiled = new CompiledOptions(options.defaults);
    this.#retract = announce(this);
  }

  define<A, V>(name: string, options: DefinitionOptions<A, V>): Definition<A, V> {
    this.#assertOpen();
    checkName('definition name', name);
    if (typeof options !== 'object' || options === null) throw invalidOption('options', 'an object', options);
    if (this.#definitions.has(name)) throw duplicateDefinition(name);
    const definition = new CompiledDefinition(name, options, {
      core: this.#core,
      readThrough: this.#readThrough,
      writer: this.#writer,
      namespace: this.#core.memory.namespace(name),
      defaults: this.#options.defaults,
    });
    this.#definitions.add(name);
    return definition;
  }

  getOrSet<V>(
    key: string,
    load: (context: LoadContext) => V | Promise<V>,
    options: GetOrSetOptions = noOptions,
  ): Promise<V> {
    const core = this.#core;
    const entry = this.#adHoc.entries.get(key);
    const now = core.coarseNow();
    if (entry !== undefined && now < entry.hotUntil && entry.epoch === core.memory.epoch) {
      if (entry.touchedAt !== now) core.memory.touch(entry, now);
      core.counters.l1Hits += 1;
      return entry.promise as Promise<V>;
    }
    return this.#getOrSetSlowly(key, load, options);
  }

  async get<V = unknown>(key: string): Promise<V | undefined> {
    return (await this.#readThrough.peek(this.#target(key, noOptions))) as V | undefined;
  }

  async set(key: string, value: unknown, options: SetOptions = noOptions): Promise<boolean> {
    return await this.#writer.set(this.#target(key, options), value);
  }

  async delete(key: string): Promise<boolean> {
    checkKey(key);
    return await this.#writer.delete(this.#adHoc, key);
  }

  wrap<A extends readonly unknown[], V>(
    fn: (...args: A) => V | Promise<V>,
    options: WrapOptions<A> = {},
  ): Wrapped<A, V> {
    return wrap(this, fn, options);
  }

  async invalidateTags(tags: readonly string[]): Promise<boolean> {
    return await this.#writer.invalidate(nameTags(tags));
  }

  async clear(): Promise<boolean> {
    return await this.#writer.invalidate([namespaceName('*')]);
  }

  async ready(timeoutMs: number = 5_000): Promise<boolean> {
    if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
      throw invalidOption('timeoutMs', 'a number of at least 0', timeoutMs);
    }
    this.#core.redis?.wake();
    return (await this.#core.coherence?.becomesTrusted(Math.min(timeoutMs, maxTimerMs))) ?? true;
  }

  stats(): CacheStats {
    return this.#core.counters.snapshot(this.#core.memory.size);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { coherence, leases, memory, recovery, redis, tags } = this.#core;
    await this.#writer.idle();
    await redis?.idle();
    coherence?.close();
    leases?.close();
    recovery.close();
    tags.close();
    for (const namespace of memory.namespaces) namespace.cutAll();
    memory.clearAll();
    this.#retract();
  }

  async #getOrSetSlowly<V>(
    key: string,
    load: (context: LoadContext) => V | Promise<V>,
    options: GetOrSetOptions,
  ): Promise<V> {
    if (typeof load !== 'function') throw invalidOption('load', 'a function', load);
    checkKey(key);
    const { policy, tags } = this.#compiled.get(options);
    return (await this.#readThrough.read({
      namespace: this.#adHoc,
      key,
      definition: undefined,
      policy,
      tags,
      schema: undefined,
      load,
      signal: options.signal,
    })) as V;
  }

  static isCache(value: unknown): value is Cache {
    return typeof value === 'object' && value !== null && #core in value;
  }

  static async deleteSubject(cache: WeirCache, subject: string): Promise<boolean> {
    return await cache.#writer.deleteSubject(subject);
  }

  static async readUnlessHeld(
    cache: WeirCache,
    key: string,
    options: SetOptions,
    load: (context: LoadContext) => unknown,
  ): Promise<unknown> {
    const target = cache.#target(key, options);
    if (cache.#core.redis === undefined) {
      return await cache.#readThrough.read({ ...target, load, signal: undefined });
    }
    const controller = new AbortController();
    const { signal } = controller;
    return await cache.#readThrough.read({ ...target, load, signal, onHeld: () => controller.abort() });
  }

  #target(key: string, options: SetOptions): Target {
    checkKey(key);
    const { policy, tags } = this.#compiled.get(options);
    return { namespace: this.#adHoc, key, definition: undefined, policy, tags, schema: undefined };
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return;
    throw new CacheError(
      'ERR_WEIR_CACHE_CLOSED',
      `Cache '${this.name}' was closed. Create it once, for the life of the process.`,
    );
  }
}
