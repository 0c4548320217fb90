import type { Flight } from '../flight.ts';
import { ChangeOrder } from './change-order.ts';
import type { Entry } from './entry.ts';
import { FenceTable } from './fence-table.ts';
import { MissForecast } from './miss-forecast.ts';
import { namespaceName } from './names.ts';

/**
 * One definition's share of the process: its index of L1 entries, its fences and its loads in flight. Loads live
 * outside the LRU, so that eviction can neither abort nor forget one.
 */
export class Namespace {
  readonly name: string;
  /** The names whose versions cover all its entries: its own, and the whole cache's. */
  readonly coveringNames: readonly string[];
  /** Whether reads that L1 cannot answer have lately missed in Redis as well. */
  readonly forecast: MissForecast = new MissForecast();
  readonly entries: Map<string, Entry> = new Map();
  readonly fences: FenceTable = new FenceTable();
  readonly flights: Map<string, Flight> = new Map();
  readonly changes: ChangeOrder = new ChangeOrder();
  /** Loads that failed lately, with the moment from which they may be tried again. Bounded by the flights' error path. */
  readonly failures: Map<string, { readonly error: unknown; readonly until: number }> = new Map();

  constructor(name: string) {
    this.name = name;
    this.coveringNames = Object.freeze([namespaceName(name), namespaceName('*')]);
  }

  /** Keeps whatever is in flight for `key` out of the cache; callers that wait for it still get their value. */
  cut(key: string): void {
    this.fences.cut(key);
    this.flights.delete(key);
    this.failures.delete(key);
  }

  cutAll(): void {
    this.fences.cutAll();
    this.flights.clear();
    this.failures.clear();
  }
}
