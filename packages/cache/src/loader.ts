import { publishLoad } from './channels.ts';
import type { TagVersion } from './codec/envelope.ts';
import type { Core, Lease, ReadRequest } from './core.ts';
import { bytesOfNew, fieldsOfNew, implicitTags, type NewValue } from './entry-fields.ts';
import { CacheError } from './errors.ts';
import type { Flight } from './flight.ts';
import { createLoadContext, type LoadContext, type LoadDecisions } from './load-context.ts';
import { phaseOf, ttlOf } from './policies/freshness.ts';
import { verify } from './stores/verify.ts';
import { isolate } from './values.ts';

/** How many keys of one definition may be in error backoff; beyond, the oldest may be tried again. */
const maxFailures = 1_000;

// Equal to no version: what was loaded without knowing its tags is checked as soon as they can be read.
const unknownVersion = '';

/** Calls the load and stores what it brings, if its fence and its lease survived. */
export class Loader {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The loaded value, or a stale one that stands in for a failed load. Rejects with the load's own error. */
  async load(request: ReadRequest, flight: Flight, lease: Lease | undefined): Promise<unknown> {
    const { counters, name, now } = this.#core;
    const decisions: LoadDecisions = { ttlMs: undefined, isSkipped: false };
    const { signal } = flight.controller;
    const tags = await this.#tagVersions(request, lease);
    const stopRenewing = this.#keepLease(request, lease);
    const startedAt = now();
    let outcome: 'ok' | 'error' | 'timeout' = 'error';
    let value: unknown;
    counters.loads += 1;
    try {
      const context = createLoadContext(request.key, signal, flight.fallback?.value, decisions);
      value = await unlessAborted(request.load, context);
      outcome = 'ok';
    } catch (error) {
      counters.loadErrors += 1;
      if (signal.aborted) outcome = 'timeout';
      this.#release(request, lease);
      return this.#recover(request, flight, error);
    } finally {
      stopRenewing();
      const durationMs = now() - startedAt;
      const { definition } = request;
      publishLoad(() => ({ cache: name, definition, durationMs, outcome, background: flight.isBackground }));
    }
    const kept = isolate(value, request.policy.values === 'frozen' ? 'frozen' : 'shared');
    await this.#commit(request, flight, lease, { value: kept, loadMs: now() - startedAt, tags }, decisions);
    return kept;
  }

  // Read before the load starts: an invalidation in between then makes the stored entry invalid.
  async #tagVersions(request: ReadRequest, lease: Lease | undefined): Promise<readonly TagVersion[]> {
    const names = lease === undefined ? request.tags : [...implicitTags(request), ...request.tags];
    if (names.length === 0) return [];
    try {
      return await this.#core.tags.versions(names);
    } catch {
      return names.map((name) => [name, unknownVersion] as const);
    }
  }

  // A live load keeps its lease however long it takes; a killed process stops renewing.
  #keepLease({ namespace, key }: ReadRequest, lease: Lease | undefined): () => void {
    const { redis } = this.#core;
    if (lease === undefined || redis === undefined) return () => {};
    const timer = setInterval(async () => {
      try {
        if (!(await redis.renew(namespace.name, key, lease.token))) clearInterval(timer);
      } catch {
        // Counted and published by the gate; the commit will find out whether the lease survived.
      }
    }, redis.leaseMs / 3);
    timer.unref();
    return () => clearInterval(timer);
  }

  /** A failed load: a usable stale value stands in for a while, else the error goes to every caller. */
  #recover(request: ReadRequest, flight: Flight, error: unknown): unknown {
    const { memory, now } = this.#core;
    const { namespace, key, policy } = request;
    const { epoch, fallback, fence } = flight;
    if (fallback !== undefined && fence.isAlive && phaseOf(fallback, now()) !== 'dead') {
      flight.source = 'stale';
      const until = Math.min(now() + policy.graceThrottleMs, fallback.graceUntil);
      const throttled = { ...fallback, freshUntil: until, revalidateUntil: until, earlyFrom: until };
      memory.set(namespace, key, throttled, epoch);
      return fallback.value;
    }
    if (policy.errorBackoffMs > 0 && fence.isAlive) {
      const { failures } = namespace;
      const oldest = failures.size >= maxFailures ? failures.keys().next().value : undefined;
      if (oldest !== undefined) failures.delete(oldest);
      failures.set(key, { error, until: now() + policy.errorBackoffMs });
    }
    throw error;
  }

  async #commit(
    request: ReadRequest,
    flight: Flight,
    lease: Lease | undefined,
    loaded: Pick<NewValue, 'value' | 'loadMs' | 'tags'>,
    decisions: LoadDecisions,
  ): Promise<void> {
    const { memory, random, redis } = this.#core;
    const { namespace, key, policy } = request;
    namespace.failures.delete(key);
    const ttlMs = decisions.isSkipped ? 0 : ttlOf(policy, loaded.value, decisions.ttlMs, random());
    if (ttlMs <= 0) {
      this.#release(request, lease);
      return;
    }
    let stamp: string | undefined;
    if (lease !== undefined && redis !== undefined) {
      try {
        const { bytes, lifeMs } = bytesOfNew(this.#core, request, { ...loaded, ttlMs, stamp: lease.token });
        if (!(await redis.commit(namespace.name, key, lease.token, bytes, lifeMs))) return;
        stamp = lease.token;
      } catch (error) {
        if (error instanceof CacheError && error.code === 'ERR_WEIR_CACHE_UNSUPPORTED_VALUE') {
          this.#release(request, lease);
          warnUnsupported(this.#core.name, request.definition, error);
        }
        // L1 alone then: of this process' own deletes at least its fence knows.
      }
    }
    const { epoch, fence } = flight;
    if (!fence.isAlive) return;
    const entry = memory.set(
      namespace,
      key,
      fieldsOfNew(this.#core, request, { ...loaded, ttlMs, stamp }),
      epoch,
    );
    if (fence.isSuspect && stamp !== undefined && redis !== undefined) void verify(redis, memory, entry);
  }

  #release({ namespace, key }: ReadRequest, lease: Lease | undefined): void {
    if (lease === undefined) return;
    this.#core.redis?.release(namespace.name, key, lease.token).catch(() => {
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
