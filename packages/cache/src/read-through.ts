import { publishLoad } from './channels.ts';
import { type CodecOptions, decode, encode } from './codec/envelope.ts';
import { CacheError } from './errors.ts';
import { Flight } from './flight.ts';
import type { LoadContext, LoadDecisions } from './load-context.ts';
import { createLoadContext } from './load-context.ts';
import { earlyFrom, isEarlyRefreshDue, phaseOf, staleMsOf, ttlOf } from './policies/freshness.ts';
import type { Policy } from './policies/policy.ts';
import type { Counters } from './stats.ts';
import type { Entry, EntryFields } from './stores/entry.ts';
import type { Fence } from './stores/fence-table.ts';
import type { MemoryStore } from './stores/memory-store.ts';
import type { Namespace } from './stores/namespace.ts';
import type { LeaseWish, RedisRead, RedisStore } from './stores/redis-store.ts';
import { sizeOf } from './stores/size-of.ts';
import { isolate } from './values.ts';

/** What the parts of one cache share. */
export interface Core {
  readonly name: string;
  readonly memory: MemoryStore;
  readonly redis: RedisStore | undefined;
  readonly counters: Counters;
  readonly codec: CodecOptions;
  readonly measuresBytes: boolean;
  readonly now: () => number;
  readonly random: () => number;
  /** Throws `ERR_WEIR_CACHE_CLOSED` after `close()`. */
  readonly assertOpen: () => void;
}

/** One read with the means to answer it. */
export interface ReadRequest {
  readonly namespace: Namespace;
  readonly key: string;
  readonly definition: string | undefined;
  readonly policy: Policy;
  readonly load: (context: LoadContext) => unknown;
  readonly signal: AbortSignal | undefined;
}

/** A lease on a key that this process may commit under. */
interface Lease {
  readonly token: string;
}

// Without a notice from the holder, a waiting process looks again at this pace.
const pollMs = 20;

/**
 * Everything beyond a hot L1 hit: what a stale entry is good for, single-flight, L2, the lease, the load and its commit.
 */
export class ReadThrough {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Counts the read in exactly one of the five outcomes. */
  async read(request: ReadRequest): Promise<unknown> {
    const { counters, memory, now, random } = this.#core;
    const { namespace, key, policy } = request;
    this.#core.assertOpen();
    const entry = namespace.entries.get(key);
    if (entry !== undefined && entry.epoch === memory.epoch) {
      const phase = phaseOf(entry, now());
      if (phase === 'fresh' || phase === 'revalidate') {
        memory.touch(entry);
        if (phase === 'fresh') counters.l1Hits += 1;
        else counters.staleHits += 1;
        const isDue =
          phase === 'revalidate' ||
          isEarlyRefreshDue(policy.earlyRefresh, entry.loadMs, entry.freshUntil, now(), random());
        if (isDue && !this.#openFlight(request)) this.#takeOff(request, entry, true);
        return isolate(entry.value, policy.values);
      }
    }
    const joined = this.#openFlight(request);
    if (joined !== undefined) {
      counters.coalesced += 1;
      return isolate(
        await joined.join({ ...policy, signal: request.signal }, now(), () => {}),
        policy.values,
      );
    }
    const failure = namespace.failures.get(key);
    if (failure !== undefined && now() < failure.until) {
      counters.misses += 1;
      throw failure.error;
    }
    return await this.#lead(request, entry);
  }

  /** What is cached and still fresh, without loading. Counts as a read. */
  async peek(request: Omit<ReadRequest, 'load'>): Promise<unknown> {
    const { counters, memory, now, redis } = this.#core;
    const { namespace, key, policy } = request;
    this.#core.assertOpen();
    const entry = namespace.entries.get(key);
    if (entry !== undefined && entry.epoch === memory.epoch && phaseOf(entry, now()) === 'fresh') {
      memory.touch(entry);
      counters.l1Hits += 1;
      return isolate(entry.value, policy.values);
    }
    if (redis !== undefined) {
      const fence = namespace.fences.open(key);
      try {
        const startedAt = now();
        const read = await redis.read(namespace.name, key, redis.stamp(), 'none');
        const found = this.#fieldsOf(read, policy, startedAt);
        if (found !== undefined && phaseOf(found, now()) === 'fresh') {
          this.#fill(request, fence, found);
          counters.l2Hits += 1;
          return isolate(found.value, policy.values);
        }
      } catch {
        // Counted and published by the gate; a cache that cannot answer is a miss.
      } finally {
        namespace.fences.close(key, fence);
      }
    }
    counters.misses += 1;
    return undefined;
  }

  #openFlight({ namespace, key }: ReadRequest): Flight | undefined {
    const flight = namespace.flights.get(key);
    return flight?.isOpen ? flight : undefined;
  }

  async #lead(request: ReadRequest, entry: Entry | undefined): Promise<unknown> {
    const { counters, now } = this.#core;
    const flight = this.#takeOff(request, entry, false);
    let isStandIn = false;
    try {
      const patience = { ...request.policy, signal: request.signal };
      const value = await flight.join(patience, now(), () => {
        isStandIn = true;
      });
      if (isStandIn || flight.source === 'stale') counters.staleHits += 1;
      else if (flight.source === 'l2') counters.l2Hits += 1;
      else if (flight.source === 'l1') counters.l1Hits += 1;
      else counters.misses += 1;
      return isolate(value, request.policy.values);
    } catch (error) {
      counters.misses += 1;
      throw error;
    }
  }

  /** Registers the flight before anything is awaited, so that no second one can start beside it. */
  #takeOff(request: ReadRequest, entry: Entry | undefined, isBackground: boolean): Flight {
    const { namespace, key, policy } = request;
    const fence = namespace.fences.open(key);
    const flight = new Flight(fence, isBackground, this.#core.now());
    namespace.flights.set(key, flight);
    const { signal } = flight.controller;
    const timer = setTimeout(() => {
      const message = `The load of a key ran for \`maxFlightMs\` (${policy.maxFlightMs} ms) and was given up. Make the load honour its \`signal\`, or raise \`maxFlightMs\`.`;
      flight.controller.abort(new CacheError('ERR_WEIR_CACHE_FLIGHT_EXPIRED', message));
    }, policy.maxFlightMs);
    timer.unref();
    // What an abandoned load still brings may be older than what its successor stored.
    const onAbort = () => {
      fence.isAlive = false;
      if (namespace.flights.get(key) === flight) namespace.cut(key);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    flight.settled = this.#fly(request, flight, entry).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      namespace.fences.close(key, fence);
      if (namespace.flights.get(key) === flight) namespace.flights.delete(key);
    });
    // Nobody may be waiting; whoever is gets the rejection through `join`.
    flight.settled.catch(() => {});
    return flight;
  }

  async #fly(request: ReadRequest, flight: Flight, entry: Entry | undefined): Promise<unknown> {
    const { memory, now, redis } = this.#core;
    const isTrusted = entry !== undefined && entry.epoch === memory.epoch;
    if (entry !== undefined && phaseOf(entry, now()) !== 'dead') flight.fallback = entry;
    let lease: Lease | undefined;
    if (redis !== undefined) {
      const wish: LeaseWish = flight.isBackground && isTrusted ? 'always' : 'if-stale';
      const found = await this.#readRedis(request, flight, redis, wish);
      if ('value' in found) return found.value;
      lease = found.lease;
    }
    return await this.#load(request, flight, lease);
  }

  /** Asks L2 until it has the value, grants the lease, or cannot be asked. */
  async #readRedis(
    request: ReadRequest,
    flight: Flight,
    redis: RedisStore,
    wish: LeaseWish,
  ): Promise<{ readonly value: unknown } | { readonly lease: Lease | undefined }> {
    const { memory, now } = this.#core;
    const { namespace, key, policy } = request;
    const token = redis.stamp();
    const known = flight.fallback;
    for (;;) {
      const startedAt = now();
      let read: RedisRead;
      try {
        read = await redis.read(namespace.name, key, token, wish);
      } catch {
        // Unreachable: nobody can have told us of a change either, so L1 counts until its own expiry.
        if (known !== undefined && phaseOf(known, now()) === 'fresh' && known.epoch !== memory.epoch) {
          flight.source = 'l1';
          return { value: known.value };
        }
        return { lease: undefined };
      }
      const found = this.#fieldsOf(read, policy, startedAt);
      const phase = found === undefined ? 'dead' : phaseOf(found, now());
      if (found !== undefined && phase === 'fresh' && !(wish === 'always' && found.stamp === known?.stamp)) {
        if (read.lease === 'granted') this.#release(redis, namespace, key, token);
        flight.source = 'l2';
        this.#fill(request, flight.fence, found);
        return { value: found.value };
      }
      if (found !== undefined && phase !== 'dead') this.#fill(request, flight.fence, found, flight);
      if (read.lease === 'granted') return { lease: { token } };
      if (read.lease === 'none') {
        // Undecodable though Redis calls it fresh: ask again for the lease that replaces it.
        wish = 'always';
        continue;
      }
      if (
        flight.fallback !== undefined &&
        (flight.isBackground || phaseOf(flight.fallback, now()) !== 'dead')
      ) {
        flight.source = 'stale';
        return { value: flight.fallback.value };
      }
      await this.#waitForHolder(read.leaseMs, flight.controller.signal);
    }
  }

  #waitForHolder(leaseMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      setTimeout(resolve, Math.min(pollMs, Math.max(leaseMs, 1)));
    });
  }

  async #load(request: ReadRequest, flight: Flight, lease: Lease | undefined): Promise<unknown> {
    const { counters, name, now, redis } = this.#core;
    const { namespace, key, policy } = request;
    const startedAt = now();
    const decisions: LoadDecisions = { ttlMs: undefined, isSkipped: false };
    let outcome: 'ok' | 'error' | 'timeout' = 'error';
    counters.loads += 1;
    try {
      const context = createLoadContext(key, flight.controller.signal, flight.fallback?.value, decisions);
      const value = isolate(
        await unlessAborted(request.load, context),
        policy.values === 'frozen' ? 'frozen' : 'shared',
      );
      outcome = 'ok';
      await this.#commit(request, flight, lease, value, now() - startedAt, decisions);
      return value;
    } catch (error) {
      counters.loadErrors += 1;
      if (flight.controller.signal.aborted) outcome = 'timeout';
      if (lease !== undefined && redis !== undefined) this.#release(redis, namespace, key, lease.token);
      return this.#recover(request, flight, error);
    } finally {
      const event = { cache: name, definition: request.definition, durationMs: now() - startedAt, outcome };
      publishLoad(() => ({ ...event, background: flight.isBackground }));
    }
  }

  /** A failed load: a usable stale value stands in for a while, else the error goes to every caller. */
  #recover(request: ReadRequest, flight: Flight, error: unknown): unknown {
    const { memory, now } = this.#core;
    const { namespace, key, policy } = request;
    const { fallback, fence } = flight;
    if (fallback !== undefined && fence.isAlive && phaseOf(fallback, now()) !== 'dead') {
      flight.source = 'stale';
      const until = Math.min(now() + policy.graceThrottleMs, fallback.graceUntil);
      const throttled = { ...fallback, freshUntil: until, revalidateUntil: until, earlyFrom: until };
      memory.set(namespace, key, throttled);
      return fallback.value;
    }
    if (policy.errorBackoffMs > 0 && fence.isAlive) {
      const { failures } = namespace;
      const oldest = failures.size >= 1_000 ? failures.keys().next().value : undefined;
      if (oldest !== undefined) failures.delete(oldest);
      failures.set(key, { error, until: now() + policy.errorBackoffMs });
    }
    throw error;
  }

  async #commit(
    request: ReadRequest,
    flight: Flight,
    lease: Lease | undefined,
    value: unknown,
    loadMs: number,
    decisions: LoadDecisions,
  ): Promise<void> {
    const { codec, now, random, redis } = this.#core;
    const { namespace, key, policy } = request;
    namespace.failures.delete(key);
    const ttlMs = decisions.isSkipped ? 0 : ttlOf(policy, value, decisions.ttlMs, random());
    if (ttlMs <= 0) {
      if (lease !== undefined && redis !== undefined) this.#release(redis, namespace, key, lease.token);
      return;
    }
    const fields = this.#freshFields(value, ttlMs, loadMs, lease?.token, policy, now());
    if (lease !== undefined && redis !== undefined) {
      const staleMs = staleMsOf(policy);
      try {
        const envelope = { value, stamp: lease.token, freshMs: ttlMs, staleMs, loadMs, tags: [] };
        const bytes = encode(envelope, codec);
        if (!(await redis.commit(namespace.name, key, lease.token, bytes, ttlMs + staleMs))) return;
      } catch (error) {
        // Not in L2 for now, but L1 may have it: only a live fence in this process can be known.
        if (error instanceof CacheError && error.code === 'ERR_WEIR_CACHE_UNSUPPORTED_VALUE') {
          this.#release(redis, namespace, key, lease.token);
          warnUnsupported(this.#core.name, request.definition, error);
        }
      }
    }
    this.#fill(request, flight.fence, fields);
  }

  #freshFields(
    value: unknown,
    ttlMs: number,
    loadMs: number,
    stamp: string | undefined,
    policy: Policy,
    now: number,
  ): EntryFields {
    const freshUntil = now + ttlMs;
    return {
      value,
      stamp,
      freshUntil,
      revalidateUntil: freshUntil + policy.staleWhileRevalidateMs,
      graceUntil: freshUntil + staleMsOf(policy),
      loadMs,
      earlyFrom: earlyFrom(policy.earlyRefresh, loadMs, freshUntil),
      tags: [],
      sizeBytes: this.#core.measuresBytes ? sizeOf(value) : 1,
      isCloned: policy.values === 'cloned',
    };
  }

  /** The entry that was read, or `undefined` for none, or for one that cannot be decoded. */
  #fieldsOf(read: RedisRead, policy: Policy, now: number): EntryFields | undefined {
    if (read.bytes === undefined) return undefined;
    try {
      const envelope = decode(read.bytes, this.#core.codec);
      const freshUntil = now + read.remainingMs - envelope.staleMs;
      const value = isolate(envelope.value, policy.values === 'frozen' ? 'frozen' : 'shared');
      return {
        value,
        stamp: envelope.stamp,
        freshUntil,
        revalidateUntil: freshUntil + Math.min(policy.staleWhileRevalidateMs, envelope.staleMs),
        graceUntil: freshUntil + envelope.staleMs,
        loadMs: envelope.loadMs,
        earlyFrom: earlyFrom(policy.earlyRefresh, envelope.loadMs, freshUntil),
        tags: envelope.tags,
        sizeBytes: this.#core.measuresBytes ? sizeOf(value) : 1,
        isCloned: policy.values === 'cloned',
      };
    } catch {
      return undefined;
    }
  }

  /** Writes L1 unless the key was deleted or set since the fence was opened. */
  #fill(
    { namespace, key }: Pick<ReadRequest, 'namespace' | 'key'>,
    fence: Fence,
    fields: EntryFields,
    flight?: Flight,
  ): void {
    if (!fence.isAlive) return;
    const entry = this.#core.memory.set(namespace, key, fields);
    if (flight !== undefined) flight.fallback = entry;
  }

  #release(redis: RedisStore, namespace: Namespace, key: string, token: string): void {
    redis.release(namespace.name, key, token).catch(() => {
      // Counted and published by the gate; the lease expires by itself.
    });
  }
}

// A load that ignores its signal must not hold up those who wait for it.
function unlessAborted(load: ReadRequest['load'], context: LoadContext): Promise<unknown> {
  const { signal } = context;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    Promise.resolve(load(context))
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}

const warned = new Set<string>();

/** Tells once for each definition that its values stay in memory. */
export function warnUnsupported(cache: string, definition: string | undefined, error: CacheError): void {
  const where = `${cache}${definition === undefined ? '' : `.${definition}`}`;
  if (warned.has(where)) return;
  warned.add(where);
  process.emitWarning(`Cache '${where}': ${error.message}`, { code: error.code });
}
