import type { Verdict } from '../decide.ts';
import type { Plan } from '../plan.ts';

/** How long, in ms, Redis at least remembers the id of a credit. */
export const CREDIT_MEMORY_MS = 60_000;

/** A change of a key's state outside a decision. Units are whole and positive. */
export type Adjustment =
  | {
      readonly kind: 'credit';
      readonly units: number;
      /** Names of policies that get none: what they had not been debited. */
      readonly except?: readonly string[];
      /** Of several credits with one id, within {@link CREDIT_MEMORY_MS}, Redis applies the first alone. */
      readonly id?: string;
    }
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
