import type { Verdict } from '../decide.ts';
import type { Plan } from '../plan.ts';

/** A change of a key's state outside a decision. Units are whole and positive. */
export type Adjustment =
  | { readonly kind: 'credit'; readonly units: number }
  | { readonly kind: 'debit'; readonly units: number }
  | { readonly kind: 'block'; readonly durationMs: number }
  | { readonly kind: 'unblock' }
  | { readonly kind: 'reset' };

/** A store that answers at once. Its verdict is scratch: read it before the next call. */
export interface SyncStore {
  decide(plan: Plan, key: string, cost: number, count: number): Verdict;
  /** With `shared` also what counts all keys together, where keys have parts. */
  adjust(plan: Plan, key: string, adjustment: Adjustment, shared: boolean): void;
  /** Keys held in this process's memory. */
  readonly size: number;
}
