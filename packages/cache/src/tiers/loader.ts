import { verify } from '../coherence/coherence.ts';
import { CacheError } from '../errors.ts';
import type { Flight } from '../memory/flight.ts';
import type { Entry } from '../memory/memory-store.ts';
import { ttlOf } from '../policy.ts';
import type { Lease } from '../redis/leases.ts';
import { publishLoad } from '../stats.ts';
import { type Body, bodyNow, encodeBody, type TagVersion } from '../values/envelope.ts';
import { applySchema, keep } from '../values/value.ts';
import type { Core } from './core.ts';
import { coveringNames, fieldsOfNew, type NewValue, payloadOfNew } from './entry-fields.ts';
import type { ReadRequest } from './load-context.ts';
import { createLoadContext, FoundTags, type LoadDecisions, unknownVersion } from './load-context.ts';

/** The largest number of keys of one definition in error backoff. Beyond it, the oldest key may be loaded again. */
const maxFailures = 1_000;

type Loaded = Pick<NewValue, 'value' | 'body' | 'loadMs' | 'tags'>;

/** Calls the load and stores its value, if the fence and the lease of the key still hold. */
export class Loader {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Returns the loaded value, or an old value within its grace if the load fails. Rejects with the load's own error. */
  async load(request: ReadRequest, flight: Flight, lease: Lease | undefined): Promise<unknown> {
    const { counters, leases, name, clock } = this.#core;
    const decisions: LoadDecisions = { ttlMs: undefined, isSkipped: false };
    flight.limitAge(request.policy.maxFlightMs);
    if (lease !== undefined) leases?.keep(lease);
    const mark = this.#core.tags.mark();
    const tags = await this.#tagVersions(request, flight, lease, mark);
    const found = new FoundTags(this.#core.tags, flight, mark);
    const startedAt = clock.now();
    let outcome: 'ok' | 'error' | 'timeout' = 'error';
    let body: (() => Body) | undefined;
    let value: unknown;
    counters.loads += 1;
    try {
      if (flight.isAborted) flight.signal.throwIfAborted();
      const addTags = (names: readonly string[]) => found.add(names);
      const context = createLoadContext(
        request.key,
        flight.signal,
        flight.fallback?.value,
        decisions,
        addTags,
      );
      value = await flight.unlessAborted(Promise.resolve(request.load(context)));
      const { definition, schema } = request;
      if (schema !== undefined) {
        // A schema may work in place; Redis gets the value from before.
        if (lease !== undefined) body = bodyNow(value);
        value = await flight.unlessAborted(applySchema(schema, value, definition));
      }
      outcome = 'ok';
    } catch (error) {
      counters.loadErrors += 1;
      if (flight.isAborted) outcome = 'timeout';
      this.#release(lease, !flight.isAborted);
      return this.#recover(request, flight, error);
    } finally {
      if (lease !== undefined) leases?.letGo(lease);
      const durationMs = clock.now() - startedAt;
      const { definition } = request;
      publishLoad(() => ({ cache: name, definition, durationMs, outcome, background: flight.isBackground }));
    }
    const loadMs = clock.now() - startedAt;
    const allTags = found.isEmpty ? tags : await found.after(tags);
    try {
      const kept = keep(value, request.policy.values);
      const loaded = {
        value: kept,
        body: body ?? (() => encodeBody(kept)),
        loadMs,
        tags: allTags,
      };
      this.#store(request, flight, lease, loaded, decisions);
      return kept;
    } catch (cause) {
      // The load succeeded: its readers get the value even if the cache cannot keep it.
      this.#release(lease);
      warnUnsupported(name, request.definition, unkeepable(request.policy.values, cause));
      return value;
    }
  }

  // Read before the load starts: an invalidation in between then makes the stored entry invalid.
  async #tagVersions(
    request: ReadRequest,
    flight: Flight,
    lease: Lease | undefined,
    asOf: number,
  ): Promise<readonly TagVersion[]> {
    const names = lease === undefined ? request.tags : coveringNames(request);
    if (names.length === 0) return [];
    try {
      return await this.#core.tags.versions(names, asOf, flight.redisUntil);
    } catch {
      return names.map((name) => [name, unknownVersion] as const);
    }
  }

  /** After a failed load: returns an old value within its grace, else throws the error to every caller. */
  #recover(request: ReadRequest, flight: Flight, error: unknown): unknown {
    const { clock } = this.#core;
    const { namespace, key, policy } = request;
    const { fence } = flight;
    const standIn = standInFor(this.#core, request, flight);
    if (standIn !== undefined) return standIn.value;
    if (policy.errorBackoffMs > 0 && fence.isAlive) {
      const { failures } = namespace;
      const oldest = failures.size >= maxFailures ? failures.keys().next().value : undefined;
      if (oldest !== undefined) failures.delete(oldest);
      failures.set(key, { error, until: clock.now() + policy.errorBackoffMs });
    }
    throw error;
  }

  /**
   * Stores a loaded value in L1 and sends it to Redis without waiting for the reply: later commands of this process follow on the
   * same connection, other processes wait for the lease, and a change in between reaches this process like any other.
   */
  #store(
    request: ReadRequest,
    flight: Flight,
    lease: Lease | undefined,
    loaded: Loaded,
    decisions: LoadDecisions,
  ): void {
    const { memory, random, redis, tags } = this.#core;
    const { namespace, key, policy } = request;
    const { epoch, fence } = flight;
    namespace.failures.delete(key);
    const ttlMs = decisions.isSkipped ? 0 : ttlOf(policy, loaded.value, decisions.ttlMs, random());
    if (ttlMs <= 0 || !fence.isAlive) {
      this.#release(lease);
      return;
    }
    const committed = this.#commit(request, lease, { ...loaded, ttlMs });
    const stamp = committed === undefined ? undefined : lease?.token;
    // Its fence is alive: no tag it has named was invalidated since.
    const fields = fieldsOfNew(this.#core, request, { ...loaded, ttlMs, stamp, tagsAsOf: tags.mark() });
    const entry = memory.set(namespace, key, fields, epoch);
    if (committed !== undefined) void this.#withdrawUnless(committed, entry, lease as Lease);
    if (fence.isSuspect && stamp !== undefined && redis !== undefined) void verify(redis, memory, entry);
  }

  /** `undefined` without a lease, and for a value that has no form in Redis. */
  #commit(
    request: ReadRequest,
    lease: Lease | undefined,
    loaded: Loaded & { readonly ttlMs: number },
  ): Promise<boolean> | undefined {
    const { name, redis, tags } = this.#core;
    if (lease === undefined || redis === undefined) return undefined;
    try {
      const encoded = payloadOfNew(this.#core, request, { ...loaded, stamp: lease.token });
      tags.keep(loaded.tags, encoded.lifeMs);
      return redis.commit(lease.name, lease.token, encoded);
    } catch (error) {
      // The value stays in L1 only. The fence keeps it consistent with this process' own deletes.
      this.#release(lease);
      if (!(error instanceof CacheError)) throw error;
      warnUnsupported(name, request.definition, error);
      return undefined;
    }
  }

  async #withdrawUnless(committed: Promise<boolean>, entry: Entry, lease: Lease): Promise<void> {
    const { memory } = this.#core;
    try {
      if (await committed) return;
      // The lease was lost, to a change or by expiry: another process may have stored a newer value.
      if (entry.namespace.entries.get(entry.key) === entry) memory.delete(entry.namespace, entry.key);
    } catch {
      // Counted and published by `RedisCommands`. L1 keeps the value; Redis may still hold the lease.
      this.#release(lease);
    }
  }

  #release(lease: Lease | undefined, hasFailed: boolean = false): void {
    if (lease !== undefined) this.#core.leases?.release(lease, hasFailed);
  }
}

/**
 * Returns the old value if it may replace the result of a load that has failed, here or in another process. The value then counts as
 * fresh for `graceThrottleMs`, so that a broken source is not tried on every read.
 */
export function standInFor({ clock, memory }: Core, request: ReadRequest, flight: Flight): Entry | undefined {
  const standIn = flight.standIn(clock.now());
  if (standIn === undefined) return undefined;
  const { namespace, key, policy } = request;
  flight.source = 'stale';
  const until = Math.min(clock.now() + policy.graceThrottleMs, standIn.graceUntil);
  const throttled = { ...standIn, freshUntil: until, revalidateUntil: until, earlyFrom: until };
  memory.set(namespace, key, throttled, flight.epoch);
  return standIn;
}

function unkeepable(mode: string, cause: unknown): CacheError {
  return new CacheError(
    'ERR_WEIR_CACHE_UNSUPPORTED_VALUE',
    `Cannot keep a loaded value under \`values: '${mode}'\` (${String(cause)}). Its readers get it, and it is not cached. Return plain data from the load.`,
    { cause },
  );
}

const warned = new Set<string>();

/** Warns once for each definition that its values cannot be stored. */
export function warnUnsupported(cache: string, definition: string | undefined, error: CacheError): void {
  const where = `${cache}${definition === undefined ? '' : `.${definition}`}`;
  if (warned.has(where)) return;
  warned.add(where);
  process.emitWarning(`Cache '${where}': ${error.message}`, { code: error.code });
}
