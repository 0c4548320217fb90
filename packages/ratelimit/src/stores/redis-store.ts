import { VERDICT_FIELDS, type Verdict } from '../decide.ts';
import type { Plan } from '../plan.ts';
import type { RedisScripts } from './redis-client.ts';
import { scriptsFor } from './redis-scripts.ts';
import type { Adjustment } from './store.ts';

/** Entries one EVALSHA may carry: enough to spread its cost, too few to hold Redis up. */
const MAX_ENTRIES = 64;

/** Requests waiting for their share of a verdict: they are number `index` and on of the equal ones it covers. */
export interface Waiter {
  /** How many equal requests it stands for. */
  readonly count: number;
  resolve(verdict: Verdict, index: number): void;
  reject(error: unknown): void;
}

/** Equal requests of one tick: same plan, key and cost. */
interface Entry {
  readonly key: string;
  readonly cost: number;
  readonly waiters: Waiter[];
  count: number;
}

/**
 * Decides on Redis. Requests of one turn of the event loop travel together: up to 64 keys an EVALSHA, and equal
 * requests for one key as one entry that Redis grants in part. On Cluster every key travels alone, since keys of one
 * call must share a slot.
 */
export class RedisStore {
  readonly #scripts: RedisScripts;
  readonly #prefix: string;
  #pending = new Map<Plan, Map<string, Entry>>();
  #scheduled = false;

  constructor(scripts: RedisScripts, prefix: string) {
    this.#scripts = scripts;
    this.#prefix = prefix;
  }

  /** Asks for `waiter.count` requests of `cost`; `waiter` hears exactly once. */
  decide(plan: Plan, key: string, cost: number, waiter: Waiter): void {
    let entries = this.#pending.get(plan);
    if (entries === undefined) {
      entries = new Map();
      this.#pending.set(plan, entries);
    }
    const id = `${cost}:${key}`;
    const entry = entries.get(id);
    if (entry === undefined) entries.set(id, { key, cost, waiters: [waiter], count: waiter.count });
    else {
      entry.waiters.push(waiter);
      entry.count += waiter.count;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  /** What a request of `cost` would meet now. Debits nothing. */
  async look(plan: Plan, key: string, cost: number): Promise<Verdict> {
    const reply = await this.#scripts.run(
      scriptsFor(plan).decide,
      [this.#record(plan, key)],
      [...plan.argv, cost, 0],
    );
    return verdictAt(plan, reply, 0);
  }

  async adjust(plan: Plan, key: string, adjustment: Adjustment): Promise<void> {
    let amount = 0;
    if ('units' in adjustment) amount = adjustment.units;
    if ('durationMs' in adjustment) amount = adjustment.durationMs * 1000;
    await this.#scripts.run(
      scriptsFor(plan).adjust,
      [this.#record(plan, key)],
      [adjustment.kind, amount, ...plan.argv],
    );
  }

  #flush(): void {
    this.#scheduled = false;
    const pending = this.#pending;
    this.#pending = new Map();
    const most = this.#scripts.isCluster ? 1 : MAX_ENTRIES;
    for (const [plan, entries] of pending) {
      const list = [...entries.values()];
      for (let from = 0; from < list.length; from += most)
        void this.#send(plan, list.slice(from, from + most));
    }
  }

  async #send(plan: Plan, entries: readonly Entry[]): Promise<void> {
    const keys = entries.map((entry) => this.#record(plan, entry.key));
    const argv: (string | number)[] = [...plan.argv];
    for (const { cost, count } of entries) argv.push(cost, count);
    let reply: number[];
    try {
      reply = await this.#scripts.run(scriptsFor(plan).decide, keys, argv);
    } catch (error) {
      for (const { waiters } of entries) for (const waiter of waiters) waiter.reject(error);
      return;
    }
    for (const [number, { waiters }] of entries.entries()) {
      const verdict = verdictAt(plan, reply, number);
      let index = 0;
      for (const waiter of waiters) {
        waiter.resolve(verdict, index);
        index += waiter.count;
      }
    }
  }

  /** One hash tag a key: the record lies on one slot, and braces inside the key cannot move it. */
  #record(plan: Plan, key: string): string {
    return `${this.#prefix}:${plan.layout}:{${key.replaceAll(/[%}]/g, encodeURIComponent)}}`;
  }
}

function verdictAt(plan: Plan, reply: readonly number[], entry: number): Verdict {
  const size = plan.policies.length * VERDICT_FIELDS;
  const from = 1 + entry * (2 + size);
  return {
    granted: reply[from] as number,
    blockedUs: reply[from + 1] as number,
    fields: Float64Array.from(reply.slice(from + 2, from + 2 + size)),
  };
}
