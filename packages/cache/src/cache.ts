import { announce } from './channels.ts';
import {
  CompiledDefinition,
  type Definition,
  type DefinitionOptions,
  duplicateDefinition,
  type ReadOptions,
} from './definition.ts';
import { CacheError, invalidOption } from './errors.ts';
import { checkKey, checkName } from './keys.ts';
import type { LoadContext } from './load-context.ts';
import { type CacheOptions, checkKeys, type ResolvedOptions, resolveOptions } from './options.ts';
import { Breaker } from './policies/breaker.ts';
import { compilePolicy, type Policy, type PolicyOptions, policyKeys } from './policies/policy.ts';
import { type Core, ReadThrough } from './read-through.ts';
import { type CacheStats, Counters } from './stats.ts';
import { MemoryStore } from './stores/memory-store.ts';
import type { Namespace } from './stores/namespace.ts';
import { RedisGate } from './stores/redis-gate.ts';
import { RedisStore } from './stores/redis-store.ts';
import { Writer } from './writer.ts';

/** Policy and patience of one `getOrSet`. */
export interface GetOrSetOptions extends PolicyOptions, ReadOptions {}

/** A read-through cache over memory and, if one was injected, Redis. */
export interface Cache {
  readonly name: string;
  /** Compiles a policy once and hands back typed access to its values. A name can be defined once. */
  define<A, V>(name: string, options: DefinitionOptions<A, V>): Definition<A, V>;
  /**
   * The value under `key`, loaded by `load` if need be. Ad-hoc keys are a space of their own beside every definition's.
   * The entry's own policy decides about a hit; `options` count when the value is loaded.
   */
  getOrSet<V>(
    key: string,
    load: (context: LoadContext) => V | Promise<V>,
    options?: GetOrSetOptions,
  ): Promise<V>;
  /** The fresh ad-hoc value if one is cached, else `undefined`; never loads. */
  get<V = unknown>(key: string): Promise<V | undefined>;
  /** Stores an ad-hoc value; as `Definition.set`. */
  set(key: string, value: unknown, options?: PolicyOptions): Promise<boolean>;
  /** Removes an ad-hoc value; as `Definition.delete`. */
  delete(key: string): Promise<boolean>;
  /** A fresh object on every call. */
  stats(): CacheStats;
  /** Empties L1, ends timers and own connections, and retracts the announcement. Never closes the injected client. */
  close(): Promise<void>;
}

const adHoc = '~';
const noOptions: GetOrSetOptions = Object.freeze({});

/** Throws `ERR_WEIR_CACHE_INVALID_OPTION` on the first option that is unknown or out of range. */
export function createCache(options: CacheOptions): Cache {
  return new WeirCache(resolveOptions(options));
}

class WeirCache implements Cache {
  readonly name: string;
  readonly #options: ResolvedOptions;
  readonly #core: Core;
  readonly #readThrough: ReadThrough;
  readonly #writer: Writer;
  readonly #adHoc: Namespace;
  readonly #definitions = new Set<string>();
  readonly #retract: () => void;
  #isClosed = false;

  constructor(options: ResolvedOptions) {
    const { name, now, random } = options;
    const counters = new Counters();
    this.name = name;
    this.#options = options;
    this.#core = {
      name,
      memory: new MemoryStore(options.l1, counters),
      redis: createRedisStore(options, counters),
      counters,
      codec: options.l2,
      measuresBytes: options.l1.maxBytes !== undefined,
      now,
      random,
      assertOpen: () => this.#assertOpen(),
    };
    this.#readThrough = new ReadThrough(this.#core);
    this.#writer = new Writer(this.#core);
    this.#adHoc = this.#core.memory.namespace(adHoc);
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
    if (entry !== undefined && core.now() < entry.hotUntil && entry.epoch === core.memory.epoch) {
      core.memory.touch(entry);
      core.counters.l1Hits += 1;
      return entry.promise as Promise<V>;
    }
    return this.#getOrSetSlowly(key, load, options);
  }

  async get<V = unknown>(key: string): Promise<V | undefined> {
    checkKey(key);
    const { defaults: policy } = this.#options;
    const request = { namespace: this.#adHoc, key, definition: undefined, policy, signal: undefined };
    return (await this.#readThrough.peek(request)) as V | undefined;
  }

  async set(key: string, value: unknown, options: PolicyOptions = noOptions): Promise<boolean> {
    checkKey(key);
    return await this.#writer.set(this.#adHoc, key, value, this.#compile(options), undefined);
  }

  async delete(key: string): Promise<boolean> {
    checkKey(key);
    return await this.#writer.delete(this.#adHoc, key);
  }

  stats(): CacheStats {
    return this.#core.counters.snapshot(this.#core.memory.size);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const namespace of this.#core.memory.namespaces) namespace.cutAll();
    this.#core.memory.clearAll();
    this.#retract();
  }

  async #getOrSetSlowly<V>(
    key: string,
    load: (context: LoadContext) => V | Promise<V>,
    options: GetOrSetOptions,
  ): Promise<V> {
    checkKey(key);
    if (typeof load !== 'function') throw invalidOption('load', 'a function', load);
    const { signal, ...policyOptions } = options;
    const policy = this.#compile(policyOptions);
    const request = { namespace: this.#adHoc, key, definition: undefined, policy, load, signal };
    return (await this.#readThrough.read(request)) as V;
  }

  #compile(options: PolicyOptions): Policy {
    if (options === noOptions) return this.#options.defaults;
    checkKeys('options', options, policyKeys);
    return compilePolicy(options, this.#options.defaults);
  }

  #assertOpen(): void {
    if (!this.#isClosed) return;
    throw new CacheError(
      'ERR_WEIR_CACHE_CLOSED',
      `Cache '${this.name}' was closed. Create it for the life of the process.`,
    );
  }
}

function createRedisStore(options: ResolvedOptions, counters: Counters): RedisStore | undefined {
  const { l2, name, now, redis, version } = options;
  if (redis === undefined) return undefined;
  const breaker = new Breaker({ failures: l2.breakerFailures, openMs: l2.breakerOpenMs }, now);
  const gate = new RedisGate({
    cache: name,
    client: redis,
    deadlineMs: l2.deadlineMs,
    breaker,
    counters,
    now,
  });
  return new RedisStore(gate, `${l2.prefix}:${name}@${version}:`, l2.leaseMs);
}
