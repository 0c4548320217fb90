import { RateLimitError } from '../errors.ts';
import { createVerdict, decide, type Verdict, verdictFields } from '../policies/decision.ts';
import { keyParts } from '../policies/limit-key.ts';
import type { Plan } from '../policies/plan.ts';
import { type Adjustment, creditMemoryMs } from './backend.ts';
import { type RedisScripts, scriptsFor } from './redis-scripts.ts';

/** Cells of the widest plan whose answers hold state: 16 policies of 4 cells, each with a record of its own. */
const maxCells = 80;

/**
 * Decides on Redis. Requests of one turn of the event loop travel together: up to 64 keys an EVALSHA, and equal
 * requests for one key as one entry that Redis grants in part. On Cluster a key travels alone, since keys of one
 * call must share a slot; the records of a key in parts do, all of a limiter's.
 *
 * Redis answers with the state it decided in, and `decide` works the rest out here: both decide alike to the last bit.
 */
export class RedisStore {
  readonly #scripts: RedisScripts;
  readonly #prefix: string;
  /** How long, in ms, the mark of a credit lasts: a try that begins within {@link creditMemoryMs} still finds it. */
  readonly #markMs: string;
  #batches = new Map<Plan, Batch>();
  #batch: Batch | undefined;
  readonly #cells = new Float64Array(maxCells);
  readonly #verdicts = new WeakMap<Plan, Verdict>();

  constructor(scripts: RedisScripts, prefix: string, deadlineMs: number) {
    this.#scripts = scripts;
    this.#prefix = prefix;
    this.#markMs = String(creditMemoryMs + deadlineMs);
  }

  /** Asks for a request of `cost`; `waiter` hears exactly once. `tail` may take more on the same trip. */
  decide(plan: Plan, key: string, cost: number, waiter: Waiter, tail?: Tail): void {
    let batch = this.#batch;
    if (batch?.plan !== plan) {
      if (this.#batches.size === 0) setImmediate(() => this.#flush());
      batch = this.#batches.get(plan) ?? new Batch(plan, cost);
      this.#batches.set(plan, batch);
      this.#batch = batch;
    }
    batch.add(key, cost, waiter, tail);
  }

  /** Reads what a request of `cost` would meet now. Debits nothing. Rejects with `ERR_WEIR_RATELIMIT_STORE`. */
  async look<Found>(
    plan: Plan,
    key: string,
    cost: number,
    read: (verdict: Verdict) => Found,
  ): Promise<Found> {
    const args = ['1', '1', String(cost), '0', ...plan.argv];
    const reply = await this.#scripts
      .run(scriptsFor(plan).decide, this.#records(plan, key), args)
      .catch(throwStoreError);
    return read(this.#verdictAt(plan, reply, 8, cost, 0));
  }

  /**
   * Changes the records of the parts that the key names. With `shared` also the record that counts all keys. Rejects with
   * `ERR_WEIR_RATELIMIT_STORE`.
   */
  async adjust(plan: Plan, key: string, adjustment: Adjustment, shared: boolean): Promise<void> {
    let amount = 0;
    if ('units' in adjustment) amount = adjustment.units;
    if ('durationMs' in adjustment) amount = adjustment.durationMs * 1000;
    const { except = [], id = undefined } = adjustment.kind === 'credit' ? adjustment : {};
    const keys = plan.keyed ? keyParts(key) : [key];
    await Promise.all(
      plan.parts.map(async (part, index) => {
        const own = keys[index];
        if (typeof own !== 'string' || (plan.keyed && part.name === undefined && !shared)) return;
        const concerned = part.plan.policies.map(({ name }) => (except.includes(name) ? '0' : '1')).join('');
        const record = this.#record(plan, index, own);
        const records = id === undefined ? [record] : [record, `${record}:${id}`];
        const args = [adjustment.kind, String(amount), concerned, this.#markMs, ...part.plan.argv];
        await this.#scripts.run(scriptsFor(part.plan).adjust, records, args).catch(throwStoreError);
      }),
    );
  }

  #flush(): void {
    // A new map: a cleared one's old table leads to its next, and so, once promoted, keeps all later turns' requests
    // alive until a full collection.
    const batches = this.#batches.values();
    this.#batches = new Map();
    this.#batch = undefined;
    for (const batch of batches) {
      const alone = this.#scripts.isCluster && !batch.plan.keyed;
      for (const load of batch.loads(alone ? 1 : undefined)) this.#send(batch.plan, load);
    }
  }

  #send(plan: Plan, { entries, distinct }: Load): void {
    const keys: string[] = [];
    const runs: number[] = [];
    for (const entry of entries) {
      const { key, cost, tail } = entry;
      const ahead = tail === undefined ? -1 : tail.open();
      if (ahead < 0) entry.tail = undefined;
      else entry.count += ahead;
      const { count } = entry;
      if (plan.keyed) keys.push(...this.#records(plan, key));
      else keys.push(this.#record(plan, 0, key));
      const last = runs.length - 3;
      if (last >= 0 && runs[last + 1] === cost && runs[last + 2] === count) (runs[last] as number)++;
      else runs.push(1, cost, count);
    }
    const scripts = scriptsFor(plan);
    const script = distinct ? scripts.decide : scripts.decideShared;
    this.#scripts.run(script, keys, [String(runs.length / 3), ...runs.map(String), ...plan.argv]).then(
      (reply) => this.#share(plan, entries, reply),
      (error: unknown) => {
        for (const { first, tail } of entries) {
          tail?.reject();
          for (let waiter: Waiter | undefined = first; waiter !== undefined; waiter = waiter.next) {
            waiter.reject(error);
          }
        }
      },
    );
  }

  #share(plan: Plan, entries: readonly Entry[], reply: DataView): void {
    // `now`, then as much for each entry.
    const size = (reply.byteLength - 8) / entries.length;
    for (let number = 0; number < entries.length; number++) {
      const { cost, count, first, tail } = entries[number] as Entry;
      const verdict = this.#verdictAt(plan, reply, 8 + number * size, cost, count);
      let index = 0;
      for (let waiter: Waiter | undefined = first; waiter !== undefined; waiter = waiter.next) {
        waiter.resolve(verdict, index++);
      }
      tail?.resolve(verdict, index);
    }
  }

  #verdictAt(plan: Plan, reply: DataView, at: number, cost: number, count: number): Verdict {
    let verdict = this.#verdicts.get(plan);
    if (verdict === undefined) {
      verdict = createVerdict(plan);
      this.#verdicts.set(plan, verdict);
    }
    if (!plan.hasLog) {
      const cells = this.#cells;
      for (let cell = 0; cell < plan.width; cell++) cells[cell] = reply.getFloat64(at + cell * 8, true);
      decide(plan, cells, 0, reply.getFloat64(0, true), cost, count, verdict);
      return verdict;
    }
    verdict.granted = reply.getFloat64(at, true);
    verdict.blockedUs = reply.getFloat64(at + 8, true);
    const fields = plan.policies.length * verdictFields;
    for (let field = 0; field < fields; field++)
      verdict.fields[field] = reply.getFloat64(at + 16 + field * 8, true);
    return verdict;
  }

  #records(plan: Plan, key: string): string[] {
    if (!plan.keyed) return [this.#record(plan, 0, key)];
    return keyParts(key).map((own, index) => this.#record(plan, index, own as string));
  }

  /**
   * One hash tag a key: the record lies on one slot, and braces inside the key cannot move it. Keys in parts are decided
   * together with what other keys share with them, so all of a limiter's have one.
   */
  #record(plan: Plan, part: number, key: string): string {
    const { name = '', plan: own } = plan.parts[part] as (typeof plan.parts)[number];
    if (plan.keyed) return `{${this.#prefix}}:${own.layout}:${name}:${key}`;
    const escaped =
      key.includes('}') || key.includes('%') ? key.replaceAll(/[%}]/g, encodeURIComponent) : key;
    return `${this.#prefix}:${own.layout}:{${escaped}}`;
  }
}

function throwStoreError(error: Error): never {
  throw new RateLimitError('ERR_WEIR_RATELIMIT_STORE', error.message, { cause: error });
}

/** Entries one EVALSHA may carry: enough to spread its cost, too few to hold Redis up. */
const maxEntries = 64;

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

/** The requests of one turn of the event loop under one plan, equal ones merged. */
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
  loads(most: number = maxEntries): Load[] {
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
