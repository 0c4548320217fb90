import { createArrivalSchedule, type RateStage } from './arrival-schedule.ts';
import { Dispatcher, type Outcomes } from './dispatcher.ts';
import { toWire, type WireRequest } from './http/request-bytes.ts';
import { startPacer } from './pacer.ts';
import type { ResolvedRequest } from './scenario.ts';
import type { TlsTrust } from './tls-trust.ts';

/** A request that the generator has begun later than this after it was due counts as late. */
export const lateMs = 1;

/** A share of an open loop: what one thread does. Plain data, so that it can be sent to a worker. */
export interface OpenLoopPlan {
  readonly target: string;
  readonly requests: readonly ResolvedRequest[];
  readonly stages: readonly RateStage[];
  readonly maxConnections: number;
  readonly timeoutMs: number;
  readonly trust?: TlsTrust;
  /** This thread sends every arrival whose index is `share` modulo `shares`, so that together they stay even. */
  readonly share: number;
  readonly shares: number;
}

/**
 * Sends each request when it is due, whether or not earlier ones were answered, and resolves when the last has its outcome.
 *
 * @param beginMs when the schedule begins, on the clock of `now`
 */
export function runOpenLoop(
  plan: OpenLoopPlan,
  beginMs: number,
  outcomes: Outcomes,
  now: () => number,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const target = new URL(plan.target);
  const wires = plan.requests.map((request) => toWire(request, target.host));
  const schedule = createArrivalSchedule(plan.stages);
  return new Promise((resolve) => {
    let sending = true;
    const finish = (): void => {
      stopPacer();
      dispatcher.close();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const dispatcher = new Dispatcher({
      target,
      trust: plan.trust,
      maxConnections: plan.maxConnections,
      timeoutMs: plan.timeoutMs,
      now,
      outcomes,
      onIdle: () => {
        if (!sending) finish();
      },
    });
    signal.addEventListener('abort', finish, { once: true });
    const globalIndex = (index: number): number => index * plan.shares + plan.share;
    const stopPacer = startPacer({
      now,
      dueMs: (index) => beginMs + schedule.dueMs(globalIndex(index)),
      onDue: (index, dueMs) => {
        const request = wires[globalIndex(index) % wires.length] as WireRequest;
        dispatcher.begin({ dueMs, request });
        // Asked when its bytes are with the kernel: what held the process up in between is told too.
        const byMs = now() - dueMs;
        if (byMs > lateMs) outcomes.late(dueMs, byMs);
      },
      onEnd: () => {
        sending = false;
        if (dispatcher.pending === 0) finish();
      },
    });
  });
}
