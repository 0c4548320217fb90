import { type Decision, type DecisionSource, decisionOf } from '../decision.ts';
import { isLoneGcra, type Plan } from '../plan.ts';
import { GcraStore } from '../stores/gcra-store.ts';
import { MemoryStore, type MemoryStoreOptions } from '../stores/memory-store.ts';
import { PartsStore } from '../stores/parts-store.ts';
import type { Adjustment, SyncStore } from '../stores/store.ts';
import type { Backend, Settle } from './backend.ts';

/** Quotas in this process. */
export class MemoryBackend implements Backend {
  readonly #store: SyncStore;
  readonly #plan: Plan;
  readonly #gcra: GcraStore | undefined;
  readonly #settle: Settle;
  readonly #source: DecisionSource;

  constructor(options: MemoryStoreOptions, settle: Settle, source: DecisionSource = 'memory') {
    const { plan } = options;
    this.#plan = plan;
    if (plan.keyed) this.#store = new PartsStore(options);
    else {
      const store = new MemoryStore(options);
      this.#store = store;
      if (isLoneGcra(plan) && source === 'memory') this.#gcra = new GcraStore(store, plan);
    }
    this.#settle = settle;
    this.#source = source;
  }

  get keys(): number {
    return this.#store.size;
  }

  consume(plan: Plan, key: string, cost: number): Decision {
    if (this.#gcra !== undefined && plan === this.#plan) {
      const decision = this.#gcra.consume(key, cost);
      if (decision !== undefined) return this.#settle(plan, key, decision);
    }
    const verdict = this.#store.decide(plan, key, cost, 1);
    return this.#settle(plan, key, decisionOf(plan, verdict, cost, 0, this.#source));
  }

  peek(plan: Plan, key: string, cost: number): Promise<Decision> {
    return Promise.resolve(
      peeked(plan, decisionOf(plan, this.#store.decide(plan, key, cost, 0), cost, 0, this.#source)),
    );
  }

  adjust(plan: Plan, key: string, adjustment: Adjustment): Promise<void> {
    this.#store.adjust(plan, key, adjustment, false);
    return Promise.resolve();
  }

  refund(plan: Plan, key: string, { cost, violated }: Decision): Promise<void> {
    // A shadow policy that an allowed decision violated was not debited.
    this.#store.adjust(plan, key, { kind: 'credit', units: cost, except: violated }, true);
    return Promise.resolve();
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
