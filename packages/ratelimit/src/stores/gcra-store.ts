import { type Decision, none } from '../decision.ts';
import type { Plan } from '../plan.ts';
import type { CompiledPolicy } from '../policy.ts';
import type { MemoryStore } from './memory-store.ts';

/**
 * Decides for the commonest plan in memory, one enforcing GCRA policy, in one pass from the record to the decision:
 * what `decide` and `decisionOf` do in two, through a verdict, at half the cost. A test holds it to them.
 */
export class GcraStore {
  readonly #store: MemoryStore;
  readonly #policy: CompiledPolicy;
  readonly #intervalUs: number;
  readonly #wholeUs: number;

  constructor(store: MemoryStore, plan: Plan) {
    this.#store = store;
    this.#policy = plan.policies[0] as CompiledPolicy;
    const { capacity, intervalUs } = this.#policy.parameters;
    this.#intervalUs = intervalUs;
    this.#wholeUs = capacity * intervalUs;
  }

  consume(key: string, cost: number): Decision | undefined {
    const store = this.#store;
    const now = store.tick();
    const base = store.table.locate(key, true);
    const { cells } = store.table.segment;
    // A blocked key takes the usual way.
    if ((cells[base] as number) > now) return undefined;
    const intervalUs = this.#intervalUs;
    const wholeUs = this.#wholeUs;
    const { name, limit, windowMs, violation } = this.#policy;
    let behind = (cells[base + 1] as number) - now;
    if (behind < 0) behind = 0;
    else if (behind > 2 * wholeUs) behind = 2 * wholeUs;
    const over = behind + cost * intervalUs - wholeUs;
    const allowed = over <= 0;
    let retryAfterMs = 0;
    let violated: readonly string[] = none;
    if (allowed) {
      behind = wholeUs + over;
      cells[base + 1] = now + behind;
    } else {
      retryAfterMs = Math.ceil(over / 1000);
      violated = violation;
    }
    const freeUs = wholeUs - behind;
    const remaining = freeUs > 0 ? Math.floor(freeUs / intervalUs) : 0;
    const missingUs = (remaining + 1) * intervalUs - freeUs;
    const nextMs = behind > 0 ? Math.ceil(missingUs / 1000) : 0;
    const policies = [{ name, limit, windowMs, remaining, resetMs: Math.ceil(behind / 1000), nextMs }];
    return { allowed, source: 'memory', cost, retryAfterMs, violated, policies };
  }
}
