import type { Decision } from '../decision.ts';
import type { Plan } from '../plan.ts';
import type { Adjustment } from '../stores/store.ts';

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
