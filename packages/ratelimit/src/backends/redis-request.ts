import type { Verdict } from '../decide.ts';
import { type Decision, decisionOf } from '../decision.ts';
import type { Plan } from '../plan.ts';
import type { Waiter } from '../stores/redis-batch.ts';

/** What becomes of a request once Redis has answered, or has not. */
export interface RequestEnd {
  decided(request: RedisRequest, decision: Decision): Decision;
  failed(request: RedisRequest): Decision;
}

/** One decision on its way to Redis and back. A class, since closures for each would cost more than the rest. */
export class RedisRequest implements Waiter {
  next: Waiter | undefined = undefined;
  readonly plan: Plan;
  readonly key: string;
  readonly cost: number;
  readonly #end: RequestEnd;
  readonly #fulfil: (decision: Decision) => void;
  readonly #fail: (error: unknown) => void;

  constructor(
    plan: Plan,
    key: string,
    cost: number,
    end: RequestEnd,
    fulfil: (decision: Decision) => void,
    fail: (error: unknown) => void,
  ) {
    this.plan = plan;
    this.key = key;
    this.cost = cost;
    this.#end = end;
    this.#fulfil = fulfil;
    this.#fail = fail;
  }

  resolve(verdict: Verdict, index: number): void {
    try {
      this.#fulfil(this.#end.decided(this, decisionOf(this.plan, verdict, this.cost, index, 'redis')));
    } catch (error) {
      // A decision log that throws fails its own request, not those that travelled along.
      this.#fail(error);
    }
  }

  reject(): void {
    try {
      this.#fulfil(this.#end.failed(this));
    } catch (error) {
      this.#fail(error);
    }
  }
}
