import type { Clock } from '../process/cpu.ts';
import type { RateStage, ResolvedRequest, ResolvedScenario } from '../scenario/scenario.ts';
import type { TlsTrust } from '../scenario/target.ts';
import { toWire, type WireRequest } from './connection.ts';
import { Dispatcher } from './dispatcher.ts';
import type { Outcomes } from './measurement.ts';

/** A request that the generator begins more than this after its due time counts as late. */
export const lateMs = 1;

/** One thread's share of an open loop. Plain data, so that it can be sent to a worker. */
export interface OpenLoopPlan {
  readonly target: string;
  readonly requests: readonly ResolvedRequest[];
  readonly stages: readonly RateStage[];
  readonly maxConnections: number;
  readonly timeoutMs: number;
  readonly trust?: TlsTrust;
  /** This thread sends the arrivals whose index is `share` modulo `shares`, so the threads together keep even intervals. */
  readonly share: number;
  readonly shares: number;
}

/**
 * Sends each request when it is due, whether or not earlier ones were answered. Resolves when the last request has its outcome.
 *
 * @param beginMs when the schedule begins, on `clock`
 */
export function runOpenLoop(
  plan: OpenLoopPlan,
  beginMs: number,
  outcomes: Outcomes,
  clock: Clock,
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
      clock,
      outcomes,
      onIdle: () => {
        if (!sending) finish();
      },
    });
    signal.addEventListener('abort', finish, { once: true });
    const globalIndex = (index: number): number => index * plan.shares + plan.share;
    const stopPacer = startPacer({
      clock,
      dueMs: (index) => beginMs + schedule.dueMs(globalIndex(index)),
      onDue: (index, dueMs) => {
        const request = wires[globalIndex(index) % wires.length] as WireRequest;
        dispatcher.begin({ dueMs, request });
        // Measured after the write, so a stall before it counts as lateness.
        const byMs = clock.now() - dueMs;
        if (byMs > lateMs) outcomes.late(dueMs, byMs);
      },
      onEnd: () => {
        sending = false;
        if (dispatcher.pending === 0) finish();
      },
    });
  });
}

/** The stages of an open loop, a constant rate among them; `undefined` for a closed loop. */
export function stagesOf(scenario: ResolvedScenario): readonly RateStage[] | undefined {
  if (scenario.stages !== undefined) return scenario.stages;
  return scenario.rate === undefined ? undefined : [{ durationMs: scenario.durationMs, rate: scenario.rate }];
}

/** The stages with the warm-up before them, at the rate with which the first stage begins; `undefined` for a closed loop. */
export function arrivalStages(scenario: ResolvedScenario): readonly RateStage[] | undefined {
  const stages = stagesOf(scenario);
  const first = stages?.[0];
  if (stages === undefined || first === undefined || scenario.warmupMs === 0) return stages;
  return [{ durationMs: scenario.warmupMs, rate: first.from ?? first.rate }, ...stages];
}

/** Arrival times in milliseconds since the load began. Ask for them with increasing indices. */
interface ArrivalSchedule {
  /** `Infinity` past the last arrival. */
  dueMs(index: number): number;
}

/**
 * When the requests of an open loop are due. With N(t) = ∫ rate dt, arrival k is due where N(t) = k: evenly spaced at a constant
 * rate, and along a ramp from a to b in T at t = 2n / (a + √(a² + 2sn)), s = (b − a) / T, n = k − N(stage begin). Stages follow one another
 * without a gap.
 */
export function createArrivalSchedule(stages: readonly RateStage[]): ArrivalSchedule {
  let beginMs = 0;
  let beginCount = 0;
  const parts = stages.map(({ durationMs, rate, from = rate }) => {
    const part = { beginMs, beginCount, from: from / 1_000, slope: (rate - from) / 1_000 / durationMs };
    beginMs += durationMs;
    beginCount += ((from + rate) / 2_000) * durationMs;
    return { ...part, endCount: beginCount };
  });
  let current = 0;
  return {
    dueMs(index) {
      // The tolerance keeps the sum of many stages' fractions from adding a last arrival at the very end.
      while (current < parts.length && index >= (parts[current]?.endCount ?? 0) - 1e-9) current += 1;
      const part = parts[current];
      if (part === undefined) return Number.POSITIVE_INFINITY;
      const count = index - part.beginCount;
      if (count <= 0) return part.beginMs;
      const root = Math.sqrt(Math.max(part.from * part.from + 2 * part.slope * count, 0));
      return part.beginMs + (2 * count) / (part.from + root);
    },
  };
}

/** Options of {@link startPacer}. */
interface PacerOptions {
  /** When event `index` (0, 1, 2 …) is due on `clock`; `Infinity` past the last. */
  readonly dueMs: (index: number) => number;
  /** Called for each event, in order, never before it is due. */
  readonly onDue: (index: number, dueMs: number) => void;
  readonly onEnd: () => void;
  readonly clock: Clock;
}

// A timer fires up to about a millisecond late.
const spinMs = 2;

/**
 * Calls back at times a fraction of a millisecond apart. Within 2 ms of a due time it polls the event loop without sleeping, which keeps
 * one core busy above about 500 events per second. Otherwise it sleeps on a timer.
 *
 * @returns a function that stops the pacer
 */
export function startPacer({ dueMs, onDue, onEnd, clock }: PacerOptions): () => void {
  let index = 0;
  let nextMs = dueMs(0);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const tick = (): void => {
    if (stopped) return;
    // Batches are bounded, so that answers are read between the late requests after a stall.
    for (let batch = 0; batch < 64 && nextMs <= clock.now(); batch += 1) {
      onDue(index, nextMs);
      if (stopped) return;
      index += 1;
      nextMs = dueMs(index);
    }
    if (nextMs === Number.POSITIVE_INFINITY) {
      onEnd();
      return;
    }
    const waitMs = nextMs - clock.now();
    if (waitMs > spinMs) timer = setTimeout(tick, Math.min(waitMs - spinMs, 1_000));
    else setImmediate(tick);
  };
  tick();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
