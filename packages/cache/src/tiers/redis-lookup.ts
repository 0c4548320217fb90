import { verify } from '../coherence/coherence.ts';
import type { LeaseWait } from '../coherence/waits.ts';
import type { Flight } from '../memory/flight.ts';
import type { Entry, EntryFields } from '../memory/memory-store.ts';
import { busKey } from '../names.ts';
import { type Phase, phaseOf } from '../policy.ts';
import type { Lease, Leases } from '../redis/leases.ts';
import type { LeaseWish, RedisName, RedisRead, RedisStore } from '../redis/redis-store.ts';
import type { Core, Target } from './core.ts';
import { coveringNames, fieldsOfRead } from './entry-fields.ts';
import type { ReadRequest } from './load-context.ts';
import { standInFor } from './loader.ts';

/** The value; or the permission to load it, with a lease if Redis granted one. */
export type Lookup = { readonly value: unknown } | { readonly lease: Lease | undefined };

// How often a waiting read asks Redis again: often without a bus, seldom when the holder announces the end of its load.
const pollMs = 20;
const guardMs = 1_000;
const loadWithoutLease: Lookup = Object.freeze({ lease: undefined });

/**
 * The lookup of a flight in Redis: repeated until the flight has the value, holds the lease, or cannot ask Redis. All its
 * commands share one deadline, which starts again after each wait for the load of another process.
 */
export class RedisLookup {
  readonly #core: Core;
  readonly #redis: RedisStore;
  readonly #leases: Leases;

  constructor(core: Core, redis: RedisStore, leases: Leases) {
    this.#core = core;
    this.#redis = redis;
    this.#leases = leases;
  }

  /** Reads an entry without asking for a lease. Rejects when Redis cannot be asked. */
  async peek(target: Target): Promise<EntryFields | undefined> {
    if (this.#isOwed(target)) return undefined;
    const until = this.#redis.deadline();
    const name = nameOf(target);
    const read = this.#redis.knowsTime
      ? await this.#redis.peek(name)
      : await this.#redis.read(name, this.#redis.stamp(), 'none', until);
    return await fieldsOfRead(this.#core, target, read, until);
  }

  async find(request: ReadRequest, flight: Flight, wish: LeaseWish): Promise<Lookup> {
    const { clock } = this.#core;
    const { namespace } = request;
    if (this.#isOwed(request)) return loadWithoutLease;
    const known = flight.fallback;
    flight.redisUntil = this.#redis.deadline();
    try {
      if (wish === 'if-stale' && !namespace.forecast.isMissLikely && this.#redis.knowsTime) {
        const read = await this.#redis.peek(nameOf(request));
        const found = await fieldsOfRead(this.#core, request, read, flight.redisUntil);
        if (found !== undefined && phaseOf(found, clock.now()) === 'fresh') {
          namespace.forecast.note(true);
          return this.#hit(request, flight, found);
        }
      }
      return await this.#ask(request, flight, wish);
    } catch (error) {
      if (flight.isAborted) throw error;
      return this.#withoutRedis(flight, known);
    }
  }

  // Redis has not received a delete of ours yet: its entry is older than that.
  #isOwed(target: Target): boolean {
    const { recovery } = this.#core;
    if (recovery.size === 0) return false;
    const { key, namespace } = target;
    return (
      recovery.owes(busKey(namespace.name, key)) || coveringNames(target).some((name) => recovery.owes(name))
    );
  }

  async #ask(request: ReadRequest, flight: Flight, firstWish: LeaseWish): Promise<Lookup> {
    const { clock } = this.#core;
    const { forecast } = request.namespace;
    const name = nameOf(request);
    const lease: Lease = { name, token: this.#leases.tokenFor(name) };
    const known = flight.fallback;
    let leaseWait: LeaseWait | undefined;
    let wish = firstWish;
    try {
      for (let round = 0; ; round += 1) {
        const read = await this.#read(lease, wish, flight);
        const found = await this.#fieldsOf(request, read, lease, flight);
        const phase = found === undefined ? 'dead' : phaseOf(found, clock.now());
        if (round === 0) forecast.note(phase === 'fresh');
        // An early refresh needs a newer value than the one in L1.
        if (
          found !== undefined &&
          phase === 'fresh' &&
          !(wish === 'always' && found.stamp === known?.stamp)
        ) {
          if (read.lease === 'granted') this.#leases.release(lease);
          return this.#hit(request, flight, found);
        }
        if (found === undefined) {
          if (known !== undefined && !this.#outlives(known)) flight.fallback = undefined;
        } else if (phase !== 'dead') {
          flight.fallback = this.#fill(request, flight, found) ?? flight.fallback;
        }
        if (read.lease === 'granted') return { lease };
        if (read.lease === 'none') {
          wish = 'always';
          continue;
        }
        // A value within its stale-while-revalidate is served while another process loads; one within its grace is not.
        if (flight.fallback !== undefined && isServedMeanwhile(phaseOf(flight.fallback, clock.now()))) {
          flight.source = 'stale';
          return { value: flight.fallback.value };
        }
        if (leaseWait === undefined) {
          // The holder may have finished before the wait was open: ask once more.
          leaseWait = this.#core.coherence?.waitForLease(busKey(name.namespace, name.key));
          request.onHeld?.();
          flight.limitAge(request.policy.maxFlightMs);
          if (leaseWait !== undefined) continue;
        }
        const hasFailed = await this.#wait(leaseWait, read.leaseMs, flight);
        const standIn = hasFailed ? standInFor(this.#core, request, flight) : undefined;
        if (standIn !== undefined) return { value: standIn.value };
        flight.redisUntil = this.#redis.deadline();
      }
    } finally {
      leaseWait?.close();
    }
  }

  async #read(lease: Lease, wish: LeaseWish, flight: Flight): Promise<RedisRead> {
    try {
      return await this.#redis.read(lease.name, lease.token, wish, flight.redisUntil as number);
    } catch (error) {
      // Redis may have granted the lease although its reply is missing.
      this.#leases.doubt(lease);
      throw error;
    }
  }

  async #fieldsOf(
    request: ReadRequest,
    read: RedisRead,
    lease: Lease,
    flight: Flight,
  ): Promise<EntryFields | undefined> {
    try {
      return await fieldsOfRead(this.#core, request, read, flight.redisUntil as number);
    } catch (error) {
      if (read.lease === 'granted') this.#leases.release(lease);
      throw error;
    }
  }

  /** Waits for the load of another process. Resolves with whether that load is known to have failed. */
  async #wait(leaseWait: LeaseWait | undefined, leaseMs: number, flight: Flight): Promise<boolean> {
    if (leaseWait !== undefined && this.#core.coherence?.isTrusted) {
      return await leaseWait.wait(Math.min(guardMs, Math.max(leaseMs, 1)), flight.signal);
    }
    await pause(Math.min(pollMs, Math.max(leaseMs, 1)));
    if (flight.isAborted) flight.signal.throwIfAborted();
    return false;
  }

  // Redis has lost an entry that L1 still has. A delete would have reached L1, if messages arrive.
  #outlives(known: Entry): boolean {
    return (
      known.epoch === this.#core.memory.epoch && this.#core.tags.check(known.tags, known.tagsAsOf) !== false
    );
  }

  // No change can have reached this process either, so L1 serves until the entry's own expiry.
  #withoutRedis(flight: Flight, known: Entry | undefined): Lookup {
    if (known === undefined || flight.isBackground || phaseOf(known, this.#core.clock.now()) !== 'fresh') {
      return loadWithoutLease;
    }
    flight.source = 'l1';
    return { value: known.value };
  }

  #hit(request: ReadRequest, flight: Flight, found: EntryFields): Lookup {
    flight.source = 'l2';
    this.#fill(request, flight, found);
    return { value: found.value };
  }

  /** Writes L1 unless the key was deleted or set since the flight began. */
  #fill({ namespace, key }: ReadRequest, flight: Flight, fields: EntryFields): Entry | undefined {
    const { fence, epoch } = flight;
    if (!fence.isAlive) return undefined;
    const entry = this.#core.memory.set(namespace, key, fields, epoch);
    if (fence.isSuspect && fields.stamp !== undefined) void verify(this.#redis, this.#core.memory, entry);
    return entry;
  }
}

function isServedMeanwhile(phase: Phase): boolean {
  return phase === 'fresh' || phase === 'revalidate';
}

function nameOf({ key, namespace }: Target): RedisName {
  return { namespace: namespace.name, key };
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}
