/**
 * Totals over all instances of one name, past and present. The counts of an instance stay in the total after it is closed or garbage-collected,
 * so that a counter never goes down.
 */

/** Counters of one instance at one moment, by series. */
export type Reading = ReadonlyMap<string, number>;

interface Instance<T extends object> {
  readonly name: string;
  readonly ref: WeakRef<T>;
  last: Reading;
}

/** Follows instances of `T` without keeping them alive. */
export class InstanceTotals<T extends object> {
  readonly #read: (instance: T) => Reading;
  readonly #instances = new Map<WeakRef<T>, Instance<T>>();
  readonly #known = new WeakMap<T, Instance<T>>();
  readonly #retired = new Map<string, Map<string, number>>();

  constructor(read: (instance: T) => Reading) {
    this.#read = read;
  }

  add(name: string, instance: T): void {
    if (this.#known.has(instance)) return;
    const entry: Instance<T> = { name, ref: new WeakRef(instance), last: new Map() };
    this.#known.set(instance, entry);
    this.#instances.set(entry.ref, entry);
  }

  close(instance: T): void {
    const entry = this.#known.get(instance);
    if (entry === undefined || !this.#instances.has(entry.ref)) return;
    entry.last = this.#read(instance);
    this.#retire(entry);
  }

  /** Live instances by name. */
  live(): { readonly name: string; readonly instance: T }[] {
    const found: { name: string; instance: T }[] = [];
    for (const { name, ref } of this.#instances.values()) {
      const instance = ref.deref();
      if (instance !== undefined) found.push({ name, instance });
    }
    return found;
  }

  /** The current totals of every name. */
  totals(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    for (const entry of [...this.#instances.values()]) {
      const instance = entry.ref.deref();
      if (instance === undefined) this.#retire(entry);
      else entry.last = this.#read(instance);
    }
    const totals = new Map<string, Map<string, number>>();
    for (const [name, reading] of this.#retired) totals.set(name, new Map(reading));
    for (const { name, last } of this.#instances.values()) addTo(totals, name, last);
    return totals;
  }

  #retire(entry: Instance<T>): void {
    this.#instances.delete(entry.ref);
    addTo(this.#retired, entry.name, entry.last);
  }
}

function addTo(totals: Map<string, Map<string, number>>, name: string, reading: Reading): void {
  const total = totals.get(name) ?? new Map<string, number>();
  totals.set(name, total);
  for (const [series, value] of reading) total.set(series, (total.get(series) ?? 0) + value);
}
