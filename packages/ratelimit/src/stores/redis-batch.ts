import type { Verdict } from '../decide.ts';
import type { Plan } from '../plan.ts';

/** Entries one EVALSHA may carry: enough to spread its cost, too few to hold Redis up. */
const MAX_ENTRIES = 64;

/** A request waiting for its share of a verdict. */
export interface Waiter {
  /** The next waiter of the same entry. Owned by the batch. */
  next: Waiter | undefined;
  /** It is number `index` of the equal requests that the verdict covers. The verdict is scratch: read it at once. */
  resolve(verdict: Verdict, index: number): void;
  reject(error: unknown): void;
}

/** Takes requests beyond those that wait: what a trip brings ahead. */
export interface Tail {
  /** How many to ask for; called when a trip begins, and `resolve` or `reject` when it ends. −1: none, and no call. */
  open(): number;
  /** Numbers `index` and on of the verdict's requests are its. The verdict is scratch. */
  resolve(verdict: Verdict, index: number): void;
  reject(): void;
}

/** Equal requests of one tick: same plan, key and cost. */
export interface Entry {
  readonly key: string;
  readonly cost: number;
  count: number;
  readonly first: Waiter;
  last: Waiter;
  tail: Tail | undefined;
}

/** Entries of one EVALSHA. */
export interface Load {
  readonly entries: readonly Entry[];
  /** True when no two of them are of one key. */
  readonly distinct: boolean;
}

/** What one turn of the event loop asks under one plan, equal requests merged. */
export class Batch {
  readonly plan: Plan;
  readonly #cost: number;
  /** Entries of the first cost by key, and of all other costs by cost and key. */
  readonly #first = new Map<string, Entry>();
  #others: Map<string, Entry> | undefined;
  readonly #list: Entry[] = [];

  constructor(plan: Plan, cost: number) {
    this.plan = plan;
    this.#cost = cost;
  }

  add(key: string, cost: number, waiter: Waiter, tail: Tail | undefined): void {
    let entries = this.#first;
    let id = key;
    if (cost !== this.#cost) {
      this.#others ??= new Map();
      entries = this.#others;
      id = `${cost}:${key}`;
    }
    const entry = entries.get(id);
    if (entry === undefined) {
      const added = { key, cost, count: 1, first: waiter, last: waiter, tail };
      entries.set(id, added);
      this.#list.push(added);
    } else {
      entry.last.next = waiter;
      entry.last = waiter;
      entry.count++;
    }
  }

  /** At most 64 entries each, or `most`. */
  loads(most: number = MAX_ENTRIES): Load[] {
    const distinct = this.#others === undefined && !this.plan.keyed;
    const list = this.#list;
    if (list.length <= most) return [{ entries: list, distinct }];
    const loads: Load[] = [];
    for (let from = 0; from < list.length; from += most) {
      loads.push({ entries: list.slice(from, from + most), distinct });
    }
    return loads;
  }
}
