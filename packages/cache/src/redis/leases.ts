import { busKey } from '../names.ts';

import type { RedisName, RedisStore } from './redis-store.ts';

/** A lease on a key that this process may commit under. */
export interface Lease {
  readonly name: RedisName;
  readonly token: string;
}

/** The largest number of doubtful leases remembered. Further ones end after the lease time. */
const maxDoubtful = 1_000;

/**
 * The leases of one process. One timer renews the leases of running loads: a running load keeps its lease, a killed process stops
 * renewing. A lease is doubtful if its request or its release had no answer: Redis may keep it although no load needs it. A
 * doubtful lease is released when Redis answers again, or used by the next load of the key.
 */
export class Leases {
  readonly #redis: RedisStore;
  readonly #kept = new Set<Lease>();
  readonly #doubtful = new Map<string, { readonly lease: Lease; readonly isUnused: boolean }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(redis: RedisStore) {
    this.#redis = redis;
  }

  /** The token to request a lease with: one that Redis may hold for this process already, else a new one. */
  tokenFor(name: RedisName): string {
    const subject = busKey(name.namespace, name.key);
    const doubtful = this.#doubtful.size === 0 ? undefined : this.#doubtful.get(subject);
    // A commit under a used token may still be in flight: it must not find the token valid again.
    if (doubtful === undefined || !doubtful.isUnused) return this.#redis.stamp();
    this.#doubtful.delete(subject);
    return doubtful.lease.token;
  }

  /** Renews the lease regularly until `letGo`. */
  keep(lease: Lease): void {
    this.#kept.add(lease);
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#renew(), this.#redis.leaseMs / 3);
    this.#timer.unref();
  }

  letGo(lease: Lease): void {
    this.#kept.delete(lease);
  }

  /** Ends a lease. `hasFailed`: its load has failed, which waiting processes are told. */
  release(lease: Lease, hasFailed: boolean = false): void {
    this.#giveBack(lease, false, hasFailed);
  }

  /** As `release`, for a lease whose request failed: no commit is ever sent under its token. */
  doubt(lease: Lease): void {
    this.#giveBack(lease, true);
  }

  /** Releases all doubtful leases: Redis answers again. */
  drain(): void {
    for (const { isUnused, lease } of [...this.#doubtful.values()]) this.#giveBack(lease, isUnused);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#kept.clear();
    this.#doubtful.clear();
  }

  #giveBack(lease: Lease, isUnused: boolean, hasFailed: boolean = false): void {
    const subject = busKey(lease.name.namespace, lease.name.key);
    const doubtful = { lease, isUnused };
    this.#doubtful.set(subject, doubtful);
    if (this.#doubtful.size > maxDoubtful) {
      const oldest = this.#doubtful.keys().next().value;
      if (oldest !== undefined) this.#doubtful.delete(oldest);
    }
    this.#redis.release(lease.name, lease.token, hasFailed).then(
      () => {
        if (this.#doubtful.get(subject) === doubtful) this.#doubtful.delete(subject);
      },
      () => {
        // Counted and published by `RedisCommands`; repeated when Redis answers.
      },
    );
  }

  #renew(): void {
    if (this.#kept.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    for (const lease of this.#kept) {
      this.#redis.renew(lease.name, lease.token).then(
        (isOurs) => {
          if (!isOurs) this.#kept.delete(lease);
        },
        () => {
          // Counted and published by `RedisCommands`; the commit checks whether the lease still exists.
        },
      );
    }
  }
}
