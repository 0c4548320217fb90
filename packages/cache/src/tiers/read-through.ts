import { Flight } from '../memory/flight.ts';
import type { Entry } from '../memory/memory-store.ts';
import { isEarlyRefreshDue, phaseOf } from '../policy.ts';
import type { LeaseWish } from '../redis/redis-store.ts';
import { handOut } from '../values/value.ts';
import type { Core, Target } from './core.ts';
import type { ReadRequest } from './load-context.ts';
import { Loader } from './loader.ts';
import { RedisLookup } from './redis-lookup.ts';

/** A read that is no hot hit: the entry in L1, a flight to join, then a new flight over Redis and the load. */
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

  /** Returns the value, loaded if needed. Counts the read in exactly one of the five outcomes. */
  async read(request: ReadRequest): Promise<unknown> {
    const { assertOpen, counters, clock, random } = this.#core;
    const { namespace, key, policy } = request;
    assertOpen();
    const found = namespace.entries.get(key);
    const standing = found === undefined ? 'invalid' : this.#standingOf(found);
    const entry = standing === 'invalid' ? undefined : found;
    if (entry !== undefined && standing === 'servable') {
      const phase = phaseOf(entry, clock.now());
      if (phase === 'fresh' || phase === 'revalidate') {
        this.#core.memory.touch(entry, clock.now());
        const { earlyRefresh } = policy;
        const isDue =
          phase === 'revalidate' ||
          isEarlyRefreshDue(earlyRefresh, entry.loadMs, entry.freshUntil, clock.now(), random());
        if (isDue && this.#openFlight(request) === undefined) this.#takeOff(request, entry, true);
        if (phase === 'fresh') counters.l1Hits += 1;
        else counters.staleHits += 1;
        return handOut(entry.value, entry.isCloned);
      }
    }
    const joined = this.#openFlight(request);
    if (joined !== undefined) {
      counters.coalesced += 1;
      const value = await joined.join(policy, request.signal, clock, () => {});
      return handOut(value, policy.values === 'cloned');
    }
    const failure = namespace.failures.get(key);
    if (failure !== undefined && clock.now() < failure.until) {
      counters.misses += 1;
      throw failure.error;
    }
    const flight = this.#takeOff(request, entry, false);
    let isStandIn = false;
    try {
      const value = await flight.join(policy, request.signal, clock, () => {
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

  /** Returns the fresh value if one is cached, else `undefined`. Never loads. Counts as a read. */
  async peek(target: Target): Promise<unknown> {
    const { assertOpen, counters, memory, clock } = this.#core;
    const { namespace, key } = target;
    assertOpen();
    const entry = namespace.entries.get(key);
    if (
      entry !== undefined &&
      this.#standingOf(entry) === 'servable' &&
      phaseOf(entry, clock.now()) === 'fresh'
    ) {
      memory.touch(entry, clock.now());
      counters.l1Hits += 1;
      return handOut(entry.value, entry.isCloned);
    }
    if (this.#lookup !== undefined) {
      const fence = namespace.fences.open(key);
      const epoch = memory.fillEpoch;
      try {
        const found = await this.#lookup.peek(target);
        if (found !== undefined && phaseOf(found, clock.now()) === 'fresh') {
          if (fence.isAlive && !fence.isSuspect) memory.set(namespace, key, found, epoch);
          counters.l2Hits += 1;
          return handOut(found.value, found.isCloned);
        }
      } catch {
        // Counted and published by `RedisCommands`; a cache that cannot answer is a miss.
      } finally {
        namespace.fences.close(key, fence);
      }
    }
    counters.misses += 1;
    return undefined;
  }

  /** Whether a new caller may join a read or load of the key. */
  isInFlight(request: ReadRequest): boolean {
    return this.#openFlight(request) !== undefined;
  }

  /**
   * Whether an entry of L1 may be served. `invalid`: one of its tags was invalidated; it is dropped, also for grace. `servable`: no
   * change was missed, or Redis cannot be asked. `unsure`: Redis must be asked first.
   */
  #standingOf(entry: Entry): 'invalid' | 'servable' | 'unsure' {
    const { memory, recovery, redis, tags } = this.#core;
    const isOwed = recovery.size > 0 && entry.tags.some(([name]) => recovery.owes(name));
    const areCurrent = !isOwed && (entry.tags.length === 0 || tags.check(entry.tags, entry.tagsAsOf));
    if (areCurrent === false) {
      memory.delete(entry.namespace, entry.key);
      return 'invalid';
    }
    if (redis !== undefined && !redis.isUsable({ namespace: entry.namespace.name, key: entry.key })) {
      return 'servable';
    }
    return entry.epoch === memory.epoch && areCurrent === true ? 'servable' : 'unsure';
  }

  #openFlight({ namespace, key }: Target): Flight | undefined {
    const flight = namespace.flights.get(key);
    return flight?.isOpen ? flight : undefined;
  }

  /** Starts a flight. It is registered before anything is awaited, so that no second flight of the key can start. */
  #takeOff(request: ReadRequest, entry: Entry | undefined, isBackground: boolean): Flight {
    const { memory, clock } = this.#core;
    const { namespace, key, tags } = request;
    const fence = namespace.fences.open(key);
    const flight = new Flight(fence, { isBackground, startedAt: clock.now(), tags, epoch: memory.fillEpoch });
    namespace.flights.set(key, flight);
    flight.settled = this.#fly(request, flight, entry);
    // Callers get the rejection through `join`; a background flight has none.
    flight.settled.catch(() => {});
    return flight;
  }

  async #fly(request: ReadRequest, flight: Flight, entry: Entry | undefined): Promise<unknown> {
    const { memory, clock } = this.#core;
    const { namespace, key } = request;
    try {
      if (entry !== undefined && phaseOf(entry, clock.now()) !== 'dead') flight.fallback = entry;
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
