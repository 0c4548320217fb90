import { busKey } from '../names.ts';

import type { RedisName, RedisStore } from './redis-store.ts';

/** A lease on a key that this process may commit under. */
export interface Lease {
  readonly name: RedisName;
  readonly token: string;
}

/** How many leases of unknown fate are remembered; those beyond end by themselves, after the lease time. */
const maxDoubtful = 1_000;

/**
 * The leases of one process. Those of running loads are renewed, all on one timer: a live load keeps its lease however long
 * it takes, a killed process stops renewing. Those whose grant or end was asked for without an answer are doubtful:
 * Redis may hold them for nobody. They are given back as soon as Redis answers, or taken up again by the key's next load.
 */
export class Leases {
  readonly #redis: RedisStore;
  readonly #kept = new Set<Lease>();
  readonly #doubtful = new Map<string, { readonly lease: Lease; readonly isUnused: boolean }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(redis: RedisStore) {
    this.#redis = redis;
  }

  /** The token to ask for a lease with: one that Redis may hold for us already, else a new one. */
  tokenFor(name: RedisName): string {
    const subject = busKey(name.namespace, name.key);
    const doubtful = this.#doubtful.size === 0 ? undefined : this.#doubtful.get(subject);
    // A commit under a used token may still be on its way: it must not find the token alive again.
    if (doubtful === undefined || !doubtful.isUnused) return this.#redis.stamp();
    this.#doubtful.delete(subject);
    return doubtful.lease.token;
  }

  /** Renews the lease until `letGo`. */
  keep(lease: Lease): void {
    this.#kept.add(lease);
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#renew(), this.#redis.leaseMs / 3);
    this.#timer.unref();
  }

  letGo(lease: Lease): void {
    this.#kept.delete(lease);
  }

  /** Gives a lease back, or makes sure that it is gone. `hasFailed`: its load did, which whoever waits for it is told. */
  release(lease: Lease, hasFailed: boolean = false): void {
    this.#giveBack(lease, false, hasFailed);
  }

  /** As `release`, for a lease that was asked for in vain: nothing was, or ever is, sent under its token. */
  doubt(lease: Lease): void {
    this.#giveBack(lease, true);
  }

  /** Redis answers again. */
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
        // Counted and published by the gate; tried again when Redis answers.
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
          // Counted and published by the gate; the commit will find out whether the lease survived.
        },
      );
    }
  }
}
