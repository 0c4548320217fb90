import { type Clock, timeOriginUs } from '../clock.ts';
import { createVerdict, decide, type Verdict, verdictFields } from '../policies/decision.ts';
import { keyParts } from '../policies/limit-key.ts';
import type { Plan, PlanPart } from '../policies/plan.ts';
import type { CompiledPolicy } from '../policies/policy.ts';
import type { Adjustment, SyncStore } from './backend.ts';
import { MemoryTable } from './memory-table.ts';
import type { RecordPolicy } from './named-rows.ts';

/** Options of {@link MemoryStore}. */
export interface MemoryStoreOptions {
  /** The layout of the records; every plan given later must have the same. */
  readonly plan: Plan;
  readonly maxKeys: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Decides in this process's memory. It has no timers: records that no longer matter are evicted on insert. */
export class MemoryStore implements SyncStore, RecordPolicy {
  readonly #plan: Plan;
  readonly #verdict: Verdict;
  /** @internal */
  readonly table: MemoryTable;
  readonly #clock: Clock;
  readonly #startMs: number;
  #now = timeOriginUs;
  /** Where the last `load` found its record. */
  #loaded: Float64Array | undefined;
  #loadedBase = -1;

  constructor({ plan, maxKeys, maxBytes, clock, random }: MemoryStoreOptions) {
    this.#plan = plan;
    this.#verdict = createVerdict(plan);
    this.table = new MemoryTable({ width: plan.width, maxKeys, maxBytes, records: this, random });
    this.#clock = clock;
    this.#startMs = clock.now();
  }

  get size(): number {
    return this.table.size;
  }

  /** Bytes of the table's arrays. */
  get bytes(): number {
    return this.table.bytes;
  }

  /** The most keys it will hold: `maxKeys`, or fewer where `maxBytes` is tighter. */
  get maxKeys(): number {
    return this.table.maxKeys;
  }

  decide(plan: Plan, key: string, cost: number, count: number): Verdict {
    const now = this.tick();
    const table = this.table;
    const verdict = this.#verdict;
    const base = table.locate(key, count > 0);
    if (base < 0) decide(plan, new Float64Array(plan.width), 0, now, cost, count, verdict);
    else decide(plan, table.cells, base, now, cost, count, verdict);
    return verdict;
  }

  adjust(plan: Plan, key: string, adjustment: Adjustment): void {
    const now = this.tick();
    if (adjustment.kind === 'reset') {
      this.table.delete(key);
      return;
    }
    const create = adjustment.kind === 'debit' || adjustment.kind === 'block';
    const base = this.table.locate(key, create);
    if (base < 0) return;
    const { cells } = this.table;
    if (adjustment.kind === 'block') cells[base] = now + adjustment.durationMs * 1000;
    else if (adjustment.kind === 'unblock') {
      if ((cells[base] as number) > now) cells[base] = 0;
    } else {
      const except = adjustment.kind === 'credit' ? adjustment.except : undefined;
      for (const [index, { name, algorithm, parameters }] of plan.policies.entries()) {
        if (except?.includes(name)) continue;
        const at = base + (plan.offsets[index] as number);
        algorithm[adjustment.kind](parameters, cells, at, now, adjustment.units);
      }
    }
  }

  /** Copies a key's record to `cells` at `at`, for `save` to put back. Returns the time it is read at, in µs. */
  load(key: string, create: boolean, cells: Float64Array, at: number): number {
    const now = this.tick();
    const { width } = this.#plan;
    const base = this.table.locate(key, create);
    this.#loadedBase = base;
    this.#loaded = this.table.cells;
    if (base < 0) cells.fill(0, at, at + width);
    else cells.set(this.#loaded.subarray(base, base + width), at);
    return now;
  }

  /** Puts back what the last `load` copied, before anything else is asked of this store. */
  save(cells: Float64Array, at: number): void {
    if (this.#loadedBase >= 0) this.#loaded?.set(cells.subarray(at, at + this.#plan.width), this.#loadedBase);
  }

  /** @internal */
  idle(cells: Float64Array, base: number): boolean {
    if ((cells[base] as number) > this.#now) return false;
    const { policies, offsets } = this.#plan;
    for (let index = 0; index < policies.length; index++) {
      const { algorithm, parameters } = policies[index] as CompiledPolicy;
      if (algorithm.resetUs(parameters, cells, base + (offsets[index] as number), this.#now) > 0)
        return false;
    }
    return true;
  }

  /** @internal */
  usage(cells: Float64Array, base: number): number {
    if ((cells[base] as number) > this.#now) return 1;
    const { policies, offsets } = this.#plan;
    let most = 0;
    for (let index = 0; index < policies.length; index++) {
      const { algorithm, parameters } = policies[index] as CompiledPolicy;
      const available = algorithm.available(parameters, cells, base + (offsets[index] as number), this.#now);
      most = Math.max(most, 1 - available / parameters.capacity);
    }
    return most;
  }

  /** Whole µs above the origin, never less than before, whatever the clock does. */
  tick(): number {
    const now = timeOriginUs + Math.floor((this.#clock.now() - this.#startMs) * 1000);
    if (now > this.#now) this.#now = now;
    return this.#now;
  }
}

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
      const taken = verdict.fields[index * verdictFields + 4] as number;
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
