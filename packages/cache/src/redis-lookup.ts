import { busKey } from './coherence/messages.ts';
import type { Core, Lease, ReadRequest } from './core.ts';
import { fieldsOfRead, implicitTags } from './entry-fields.ts';
import type { Flight } from './flight.ts';
import { phaseOf } from './policies/freshness.ts';
import type { Entry, EntryFields } from './stores/entry.ts';
import type { LeaseWish, RedisRead, RedisStore } from './stores/redis-store.ts';
import { verify } from './stores/verify.ts';

/** The value, or the right to load it: with a lease if Redis granted one. */
export type Lookup = { readonly value: unknown } | { readonly lease: Lease | undefined };

// A waiting read looks again at this pace: often when nobody will tell it, seldom when the holder will.
const pollMs = 20;
const guardMs = 1_000;

/** A flight's way through L2: asks until it has the value, is granted the lease, or cannot ask. */
export class RedisLookup {
  readonly #core: Core;
  readonly #redis: RedisStore;

  constructor(core: Core, redis: RedisStore) {
    this.#core = core;
    this.#redis = redis;
  }

  async find(request: ReadRequest, flight: Flight, wish: LeaseWish): Promise<Lookup> {
    const { coherence, recovery } = this.#core;
    const { namespace, key } = request;
    const subject = busKey(namespace.name, key);
    // What Redis has is older than a delete of ours that it has not taken yet.
    if ([subject, ...implicitTags(request), ...request.tags].some((id) => recovery.owes(id))) {
      return { lease: undefined };
    }
    // Opened before the first read: the holder's notice may overtake Redis' reply.
    const ticket = coherence?.openTicket(subject);
    try {
      return await this.#ask(request, flight, wish, async (leaseMs) => {
        const { signal } = flight.controller;
        if (ticket !== undefined && coherence?.isTrusted) {
          await ticket.wait(Math.min(guardMs, Math.max(leaseMs, 1)), signal);
        } else {
          await pause(Math.min(pollMs, Math.max(leaseMs, 1)));
          signal.throwIfAborted();
        }
      });
    } finally {
      ticket?.close();
    }
  }

  async #ask(
    request: ReadRequest,
    flight: Flight,
    firstWish: LeaseWish,
    wait: (leaseMs: number) => Promise<void>,
  ): Promise<Lookup> {
    const { now } = this.#core;
    const { namespace, key } = request;
    const token = this.#redis.stamp();
    const known = flight.fallback;
    let wish = firstWish;
    let hasWaited = false;
    for (;;) {
      const readAt = now();
      let read: RedisRead;
      let found: EntryFields | undefined;
      try {
        read = await this.#redis.read(namespace.name, key, token, wish);
        found = await fieldsOfRead(this.#core, request, read, readAt);
      } catch {
        return this.#withoutRedis(flight, known);
      }
      const phase = found === undefined ? 'dead' : phaseOf(found, now());
      // An early refresh looks for something newer than what it already has.
      if (found !== undefined && phase === 'fresh' && !(wish === 'always' && found.stamp === known?.stamp)) {
        if (read.lease === 'granted') this.release(request, token);
        flight.source = 'l2';
        this.fill(request, flight, found);
        return { value: found.value };
      }
      if (found === undefined) {
        if (known !== undefined && !this.#outlives(known)) flight.fallback = undefined;
      } else if (phase !== 'dead') {
        flight.fallback = this.fill(request, flight, found) ?? flight.fallback;
      }
      if (read.lease === 'granted') return { lease: { token } };
      if (read.lease === 'none') {
        wish = 'always';
        continue;
      }
      if (flight.fallback !== undefined && phaseOf(flight.fallback, now()) !== 'dead') {
        flight.source = 'stale';
        return { value: flight.fallback.value };
      }
      if (!hasWaited) request.onHeld?.();
      hasWaited = true;
      await wait(read.leaseMs);
    }
  }

  // Redis has lost an entry we hold a copy of. Had it been deleted, we would have been told, if we could be.
  #outlives(known: Entry): boolean {
    return known.epoch === this.#core.memory.epoch && this.#core.tags.check(known.tags) !== false;
  }

  // Nobody can have told us of a change either, so L1 counts until its own expiry.
  #withoutRedis(flight: Flight, known: Entry | undefined): Lookup {
    if (known === undefined || flight.isBackground || phaseOf(known, this.#core.now()) !== 'fresh') {
      return { lease: undefined };
    }
    flight.source = 'l1';
    return { value: known.value };
  }

  /** Writes L1 unless the key was deleted or set since the flight began. */
  fill({ namespace, key }: ReadRequest, flight: Flight, fields: EntryFields): Entry | undefined {
    const { fence, epoch } = flight;
    if (!fence.isAlive) return undefined;
    const entry = this.#core.memory.set(namespace, key, fields, epoch);
    if (fence.isSuspect && fields.stamp !== undefined) void verify(this.#redis, this.#core.memory, entry);
    return entry;
  }

  release({ namespace, key }: ReadRequest, token: string): void {
    this.#redis.release(namespace.name, key, token).catch(() => {
      // Counted and published by the gate; the lease expires by itself.
    });
  }
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}
