import type { Decision } from '../decision.ts';
import type { Plan } from '../plan.ts';
import type { Adjustment } from '../stores/store.ts';

/** Where a limiter's quotas live and how they are reached. Keys and costs are valid when they come here. */
export interface Backend {
  /** Decides one request. Never rejects. */
  consume(plan: Plan, key: string, cost: number): Decision | Promise<Decision>;
  /** What `consume` would answer, without taking anything. */
  peek(plan: Plan, key: string, cost: number): Promise<Decision>;
  adjust(plan: Plan, key: string, adjustment: Adjustment): Promise<void>;
  /** Gives back what an allowed decision of this backend took. */
  refund(plan: Plan, key: string, decision: Decision): Promise<void>;
  /** Keys held in this process's memory. */
  readonly keys: number;
  close(): Promise<void>;
}
