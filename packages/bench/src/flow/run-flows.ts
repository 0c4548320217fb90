import { createArrivalSchedule } from '../arrival-schedule.ts';
import { type Answer, Dispatcher } from '../dispatcher.ts';
import { toWire } from '../http/request-bytes.ts';
import { countOutcomes, type LoadOptions } from '../load-options.ts';
import { lateMs } from '../open-loop.ts';
import { startPacer } from '../pacer.ts';
import { arrivalStages } from '../scenario.ts';
import { failedCheck, readSaved } from './checks.ts';
import { type CompiledStep, compileFlows } from './compile-flows.ts';
import type { FlowReport } from './flow-report.ts';

/** Options of {@link runFlows}. */
export interface RunFlowsOptions extends LoadOptions {
  readonly report: FlowReport;
}

/**
 * Runs sessions: in a closed loop as many at a time as there are connections, each followed by the next; in an open loop each
 * begins when it is due. When the measured time is over no step begins, and what is in flight is awaited.
 */
export function runFlows(options: RunFlowsOptions): Promise<void> {
  const { scenario, trust, measurement, report, now, signal } = options;
  if (signal.aborted) return Promise.resolve();
  const target = new URL(scenario.target);
  const mix = compileFlows(scenario);
  const stages = arrivalStages(scenario);
  const outcomes = countOutcomes(options);

  return new Promise((resolve) => {
    let over = false;
    const thinking = new Set<NodeJS.Timeout>();
    let stopPacer = (): void => {};
    const finish = (): void => {
      over = true;
      stopPacer();
      clearTimeout(deadline);
      for (const timer of thinking) clearTimeout(timer);
      dispatcher.close();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const dispatcher = new Dispatcher({
      target,
      trust,
      maxConnections: scenario.connections,
      timeoutMs: scenario.timeoutMs,
      now,
      outcomes,
      keepBodies: true,
      onIdle: () => {
        if (over) finish();
      },
    });
    const deadline = setTimeout(
      () => {
        over = true;
        if (dispatcher.pending === 0) finish();
      },
      measurement.plannedEndMs - now() + 1,
    );
    signal.addEventListener('abort', finish, { once: true });

    const runSession = (dueMs: number, onEnd: () => void): void => {
      const session = mix.begin();
      const runStep = (index: number, stepDueMs: number): void => {
        const step = session.steps[index];
        if (step === undefined) onEnd();
        else if (!over && stepDueMs < measurement.beginBeforeMs) send(step, index, stepDueMs);
      };
      const send = (step: CompiledStep, index: number, stepDueMs: number): void => {
        let request: ReturnType<typeof toWire>;
        try {
          request = toWire(step.render(session.scope), target.host);
        } catch (error) {
          report.failed(`${step.name}: ${(error as Error).message}`);
          // A session that cannot go on leaves the loop for a moment, so that it does not spin.
          later(10, () => onEnd());
          return;
        }
        dispatcher.begin({
          dueMs: stepDueMs,
          request,
          onEnd: (answer, endMs) => {
            if (!accept(step, session.scope, answer, measurement.measures(stepDueMs))) later(0, onEnd);
            else if (step.thinkMs > 0) later(step.thinkMs, () => runStep(index + 1, now()));
            else runStep(index + 1, endMs);
          },
        });
      };
      runStep(0, dueMs);
    };
    const later = (delayMs: number, task: () => void): void => {
      if (over) return;
      const timer = setTimeout(() => {
        thinking.delete(timer);
        if (!over) task();
      }, delayMs);
      thinking.add(timer);
    };
    /** @returns whether the session goes on */
    const accept = (
      step: CompiledStep,
      scope: Record<string, unknown>,
      answer: Answer | undefined,
      counts: boolean,
    ): boolean => {
      if (answer === undefined) return false;
      if (counts) report.step(step.name, answer.latencyMs);
      let failure = failedCheck(step.check, answer);
      for (const [name, source] of step.save) {
        if (failure !== undefined) break;
        scope[name] = readSaved(source, answer);
        if (scope[name] === undefined) failure = `no ${name} to save`;
      }
      if (counts && failure !== undefined) report.failed(`${step.name}: ${failure}`);
      else if (counts) report.passed();
      return failure === undefined;
    };

    if (stages === undefined) {
      const again = (): void => {
        if (!over) runSession(now(), again);
      };
      for (let user = 0; user < scenario.connections; user += 1) again();
      return;
    }
    const schedule = createArrivalSchedule(stages);
    stopPacer = startPacer({
      now,
      dueMs: (index) => measurement.beginMs + schedule.dueMs(index),
      onDue: (_index, dueMs) => {
        const byMs = now() - dueMs;
        if (byMs > lateMs) measurement.late(dueMs, byMs);
        runSession(dueMs, () => {});
      },
      onEnd: () => {},
    });
  });
}
