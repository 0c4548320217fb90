import type { Core, ReadRequest, Target } from './core.ts';
import { Flight } from './flight.ts';
import { Loader } from './loader.ts';
import { isEarlyRefreshDue, phaseOf } from './policies/freshness.ts';
import { RedisLookup } from './redis-lookup.ts';
import type { Entry } from './stores/entry.ts';
import type { LeaseWish } from './stores/redis-store.ts';
import { handOut } from './values.ts';

/** Everything beyond a hot L1 hit: what an entry is good for, single-flight, then L2 and the load. */
export class ReadThrough {
  readonly #core: Core;
  readonly #loader: Loader;
  readonly #lookup: RedisLookup | undefined;

  constructor(core: Core) {
    this.#core = core;
    this.#loader = new Loader(core);
    const { leases, redis } = core;
    if (redis !== undefined && leases !== undefined) this.#lookup = new RedisLookup(core, redis, leases);
  }

  /** Counts the read in exactly one of the five outcomes. */
  async read(request: ReadRequest): Promise<unknown> {
    const { assertOpen, counters, now, random } = this.#core;
    const { namespace, key, policy } = request;
    assertOpen();
    const entry = this.#candidate(request);
    if (entry !== undefined && this.#isServable(entry)) {
      const phase = phaseOf(entry, now());
      if (phase === 'fresh' || phase === 'revalidate') {
        this.#core.memory.touch(entry, now());
        const { earlyRefresh } = policy;
        const isDue =
          phase === 'revalidate' ||
          isEarlyRefreshDue(earlyRefresh, entry.loadMs, entry.freshUntil, now(), random());
        if (isDue && this.#openFlight(request) === undefined) this.#takeOff(request, entry, true);
        if (phase === 'fresh') counters.l1Hits += 1;
        else counters.staleHits += 1;
        return handOut(entry.value, entry.isCloned);
      }
    }
    const joined = this.#openFlight(request);
    if (joined !== undefined) {
      counters.coalesced += 1;
      const value = await joined.join(policy, request.signal, now, () => {});
      return handOut(value, policy.values === 'cloned');
    }
    const failure = namespace.failures.get(key);
    if (failure !== undefined && now() < failure.until) {
      counters.misses += 1;
      throw failure.error;
    }
    const flight = this.#takeOff(request, entry, false);
    let isStandIn = false;
    try {
      const value = await flight.join(policy, request.signal, now, () => {
        isStandIn = true;
      });
      if (isStandIn || flight.source === 'stale') counters.staleHits += 1;
      else if (flight.source === 'l2') counters.l2Hits += 1;
      else if (flight.source === 'l1') counters.l1Hits += 1;
      else counters.misses += 1;
      return handOut(value, policy.values === 'cloned');
    } catch (error) {
      counters.misses += 1;
      throw error;
    }
  }

  /** What is cached and still fresh, without loading. Counts as a read. */
  async peek(target: Target): Promise<unknown> {
    const { assertOpen, counters, memory, now, recovery } = this.#core;
    const { namespace, key } = target;
    assertOpen();
    const entry = this.#candidate(target);
    if (entry !== undefined && this.#isServable(entry) && phaseOf(entry, now()) === 'fresh') {
      memory.touch(entry, now());
      counters.l1Hits += 1;
      return handOut(entry.value, entry.isCloned);
    }
    if (this.#lookup !== undefined && recovery.size === 0) {
      const fence = namespace.fences.open(key);
      const epoch = memory.fillEpoch;
      try {
        const found = await this.#lookup.peek(target);
        if (found !== undefined && phaseOf(found, now()) === 'fresh') {
          if (fence.isAlive && !fence.isSuspect) memory.set(namespace, key, found, epoch);
          counters.l2Hits += 1;
          return handOut(found.value, found.isCloned);
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

  /** Whether a load or read of the key is in flight that a new caller may join. */
  isInFlight(request: ReadRequest): boolean {
    return this.#openFlight(request) !== undefined;
  }

  /** The L1 entry, unless one of its tags is known to be invalidated: not even grace may bring that back. */
  #candidate({ namespace, key }: Target): Entry | undefined {
    const { memory, recovery, tags } = this.#core;
    const entry = namespace.entries.get(key);
    if (entry === undefined || entry.tags.length === 0) return entry;
    const isOwed = recovery.size > 0 && entry.tags.some(([name]) => recovery.owes(name));
    if (!isOwed && tags.check(entry.tags, entry.tagsAsOf) !== false) return entry;
    memory.delete(namespace, key);
    return undefined;
  }

  /** Whether L1 may answer without asking Redis: nothing was missed, or Redis could not be asked anyway. */
  #isServable(entry: Entry): boolean {
    const { memory, redis, tags } = this.#core;
    if (redis !== undefined && !redis.isUsable) return true;
    return entry.epoch === memory.epoch && tags.check(entry.tags, entry.tagsAsOf) === true;
  }

  #openFlight({ namespace, key }: Target): Flight | undefined {
    const flight = namespace.flights.get(key);
    return flight?.isOpen ? flight : undefined;
  }

  /** Registers the flight before anything is awaited, so that no second one can start beside it. */
  #takeOff(request: ReadRequest, entry: Entry | undefined, isBackground: boolean): Flight {
    const { memory, now } = this.#core;
    const { namespace, key, tags } = request;
    const fence = namespace.fences.open(key);
    const flight = new Flight(fence, { isBackground, startedAt: now(), tags, epoch: memory.fillEpoch });
    namespace.flights.set(key, flight);
    flight.settled = this.#fly(request, flight, entry);
    // Nobody may be waiting; whoever is gets the rejection through `join`.
    flight.settled.catch(() => {});
    return flight;
  }

  async #fly(request: ReadRequest, flight: Flight, entry: Entry | undefined): Promise<unknown> {
    const { memory, now } = this.#core;
    const { namespace, key } = request;
    try {
      if (entry !== undefined && phaseOf(entry, now()) !== 'dead') flight.fallback = entry;
      if (this.#lookup === undefined) return await this.#loader.load(request, flight, undefined);
      const isTrusted = entry !== undefined && entry.epoch === memory.epoch;
      const wish: LeaseWish = flight.isBackground && isTrusted ? 'always' : 'if-stale';
      const found = await this.#lookup.find(request, flight, wish);
      return 'value' in found ? found.value : await this.#loader.load(request, flight, found.lease);
    } finally {
      flight.end();
      namespace.fences.close(key, flight.fence);
      if (namespace.flights.get(key) === flight) namespace.flights.delete(key);
    }
  }
}
