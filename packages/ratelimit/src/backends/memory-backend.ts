import { type Decision, type DecisionSource, decisionOf } from '../decision.ts';
import type { Plan } from '../plan.ts';
import { MemoryStore, type MemoryStoreOptions } from '../stores/memory-store.ts';
import type { Adjustment } from '../stores/store.ts';
import type { Backend } from './backend.ts';

/** Quotas in this process. */
export class MemoryBackend implements Backend {
  readonly #store: MemoryStore;
  readonly #source: DecisionSource;

  constructor(options: MemoryStoreOptions, source: DecisionSource = 'memory') {
    this.#store = new MemoryStore(options);
    this.#source = source;
  }

  get keys(): number {
    return this.#store.size;
  }

  consume(plan: Plan, key: string, cost: number): Decision {
    return decisionOf(plan, this.#store.decide(plan, key, cost, 1), cost, 0, this.#source);
  }

  peek(plan: Plan, key: string, cost: number): Promise<Decision> {
    return Promise.resolve(
      peeked(plan, decisionOf(plan, this.#store.decide(plan, key, cost, 0), cost, 0, this.#source)),
    );
  }

  adjust(plan: Plan, key: string, adjustment: Adjustment): Promise<void> {
    this.#store.adjust(plan, key, adjustment);
    return Promise.resolve();
  }

  refund(plan: Plan, key: string, { cost }: Decision): Promise<void> {
    return this.adjust(plan, key, { kind: 'credit', units: cost });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A verdict on no request grants none: what it would have granted follows from what it found. */
export function peeked(plan: Plan, decision: Decision): Decision {
  const blocked = decision.retryAfterMs > 0;
  const short = decision.violated.some((name) =>
    plan.policies.some((policy) => policy.name === name && !policy.shadow),
  );
  return blocked || short ? decision : { ...decision, allowed: true };
}
