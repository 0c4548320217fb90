import type { Decision, Verdict } from '../policies/decision.ts';
import type { Plan } from '../policies/plan.ts';

/** Counts a decision and applies the limiter's mode; every decision of `consume` passes it once. */
export type Settle = (plan: Plan, key: string, decision: Decision) => Decision;

/** Where a limiter's quotas live and how they are reached. Keys and costs are valid when they come here. */
export interface Backend {
  /** Decides one request, settled. Rejects only with what settling throws. */
  consume(plan: Plan, key: string, cost: number): Decision | Promise<Decision>;
  /** What `consume` would answer, without taking anything. */
  peek(plan: Plan, key: string, cost: number): Promise<Decision>;
  /** Changes the parts that the key names, but never what counts all keys together. */
  adjust(plan: Plan, key: string, adjustment: Adjustment): Promise<void>;
  /** Gives back what an allowed decision of this backend took, once for an `id`, however often it is tried. */
  refund(plan: Plan, key: string, decision: Decision, id: string): Promise<void>;
  /** Keys held in this process's memory. */
  readonly keys: number;
  close(): Promise<void>;
}

/** How long, in ms, Redis at least remembers the id of a credit. */
export const creditMemoryMs = 60_000;

/** A change of a key's state outside a decision. Units are whole and positive. */
export type Adjustment =
  | {
      readonly kind: 'credit';
      readonly units: number;
      /** Names of policies that get none: what they had not been debited. */
      readonly except?: readonly string[];
      /** Of several credits with one id, within {@link creditMemoryMs}, Redis applies the first alone. */
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
