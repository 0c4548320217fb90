import { createVerdict, decide, VERDICT_FIELDS, type Verdict } from '../decide.ts';
import { keyParts } from '../key-parts.ts';
import type { Plan, PlanPart } from '../plan.ts';
import { MemoryStore, type MemoryStoreOptions } from './memory-store.ts';
import type { Adjustment, SyncStore } from './store.ts';

/**
 * Decides for keys in parts: one memory store a part, whose records are gathered for a decision and put back if it
 * changed them. `maxKeys` holds for each part, `maxBytes` for all together.
 */
export class PartsStore implements SyncStore {
  readonly #stores: readonly MemoryStore[];
  readonly #cells: Float64Array;
  readonly #verdict: Verdict;
  /** The part of each policy. */
  readonly #partOf: readonly number[];

  constructor(options: MemoryStoreOptions) {
    const { parts, width, policies } = options.plan;
    const maxBytes = Math.floor(options.maxBytes / parts.length);
    this.#stores = parts.map((part) => new MemoryStore({ ...options, plan: part.plan, maxBytes }));
    this.#cells = new Float64Array(width);
    this.#verdict = createVerdict(options.plan);
    this.#partOf = policies.map((policy) => parts.findIndex((part) => part.name === policy.key));
  }

  get size(): number {
    return this.#stores.reduce((total, store) => total + store.size, 0);
  }

  decide(plan: Plan, key: string, cost: number, count: number): Verdict {
    const keys = keyParts(key);
    const cells = this.#cells;
    let now = 0;
    for (const [index, store] of this.#stores.entries()) {
      const { at } = plan.parts[index] as PlanPart;
      const read = store.load(keys[index] as string, count > 0, cells, at);
      // The stores' times began within microseconds of each other.
      if (index === 0) now = read;
    }
    const verdict = this.#verdict;
    decide(plan, cells, 0, now, cost, count, verdict);
    for (const [index, part] of this.#partOf.entries()) {
      const taken = verdict.fields[index * VERDICT_FIELDS + 4] as number;
      if (taken > 0) this.#stores[part]?.save(cells, (plan.parts[part] as PlanPart).at);
    }
    return verdict;
  }

  adjust(plan: Plan, key: string, adjustment: Adjustment, shared: boolean): void {
    for (const [index, own] of keyParts(key).entries()) {
      const part = plan.parts[index] as PlanPart;
      if (own === null || (part.name === undefined && !shared)) continue;
      this.#stores[index]?.adjust(part.plan, own, adjustment);
    }
  }
}
