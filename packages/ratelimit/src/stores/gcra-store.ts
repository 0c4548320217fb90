import { type Decision, none, type PolicyState } from '../decision.ts';
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

  /** Undefined for a key that is blocked or was last decided under other limits: it takes the usual way. Short enough (460 bytecodes) to be compiled into its caller. */
  consume(key: string, cost: number): Decision | undefined {
    const store = this.#store;
    const now = store.tick();
    const base = store.table.locate(key, true);
    const { cells } = store.table;
    const intervalUs = this.#intervalUs;
    const written = cells[base] as number;
    if (written !== intervalUs && written !== 0) return undefined;
    const wholeUs = this.#wholeUs;
    let behind = (cells[base + 1] as number) - now;
    if (behind < 0) behind = 0;
    else if (behind > 2 * wholeUs) behind = 2 * wholeUs;
    const over = behind + cost * intervalUs - wholeUs;
    const allowed = over <= 0;
    if (allowed) {
      behind = Math.ceil((wholeUs + over) * 16) / 16;
      cells[base] = intervalUs;
      cells[base + 1] = now + behind;
    }
    const policies = [this.#state(wholeUs - behind, behind)];
    const retryAfterMs = allowed ? 0 : Math.ceil(over / 1000);
    const violated = allowed ? none : this.#policy.violation;
    return { allowed, source: 'memory', cost, retryAfterMs, violated, policies };
  }

  /** What a decision leaves: something to come back, at least what it took or what it lacked. */
  #state(freeUs: number, behindUs: number): PolicyState {
    const { name, limit, windowMs } = this.#policy;
    const intervalUs = this.#intervalUs;
    const remaining = freeUs >= intervalUs ? Math.floor(freeUs / intervalUs) : 0;
    const nextMs = Math.ceil(((remaining + 1) * intervalUs - freeUs) / 1000);
    return { name, limit, windowMs, remaining, resetMs: Math.ceil(behindUs / 1000), nextMs };
  }
}
