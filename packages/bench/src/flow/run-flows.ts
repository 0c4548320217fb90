import { createArrivalSchedule } from '../arrival-schedule.ts';
import { type Answer, Dispatcher } from '../dispatcher.ts';
import { toWire } from '../http/request-bytes.ts';
import { countOutcomes, type LoadOptions } from '../load-options.ts';
import { lateMs } from '../open-loop.ts';
import { startPacer } from '../pacer.ts';
import { arrivalStages } from '../scenario.ts';
import { failedCheck, readSaved } from './checks.ts';
import type { CompiledStep, FlowMix } from './compile-flows.ts';
import type { FlowReport } from './flow-report.ts';

/** Options of {@link runFlows}. */
export interface RunFlowsOptions extends LoadOptions {
  /** Compiled before the clock of `measurement` starts: feeds may take seconds to read. */
  readonly mix: FlowMix;
  readonly report: FlowReport;
}

/**
 * Runs sessions: in a closed loop as many at a time as there are connections, each followed by the next; in an open loop each
 * begins when it is due. When the measured time is over no further step begins, and what is in flight is awaited. A session that
 * was due in the measured time begins even when the generator is late.
 */
export function runFlows(options: RunFlowsOptions): Promise<void> {
  const { scenario, trust, measurement, mix, report, now, signal } = options;
  if (signal.aborted) return Promise.resolve();
  const target = new URL(scenario.target);
  const stages = arrivalStages(scenario);
  const outcomes = countOutcomes(options);

  return new Promise((resolve) => {
    let over = false;
    /** Sessions of an open loop are still due. */
    let arriving = stages !== undefined;
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
    const finishWhenDone = (): void => {
      if (over && !arriving && dispatcher.pending === 0) finish();
    };
    const dispatcher = new Dispatcher({
      target,
      trust,
      maxConnections: scenario.connections,
      timeoutMs: scenario.timeoutMs,
      now,
      outcomes,
      onIdle: finishWhenDone,
    });
    const deadline = setTimeout(
      () => {
        over = true;
        finishWhenDone();
      },
      measurement.plannedEndMs - now() + 1,
    );
    signal.addEventListener('abort', finish, { once: true });

    const runSession = (dueMs: number, onEnd: () => void): void => {
      const session = mix.begin();
      const isCounted = measurement.measures(dueMs);
      if (isCounted) report.sessionBegan();
      const breakOff = (pauseMs: number): void => {
        if (isCounted) report.sessionBroke();
        later(pauseMs, onEnd);
      };
      const runStep = (index: number, stepDueMs: number): void => {
        const step = session.steps[index];
        if (step === undefined) onEnd();
        else if ((index === 0 || !over) && stepDueMs < measurement.beginBeforeMs)
          send(step, index, stepDueMs);
      };
      const send = (step: CompiledStep, index: number, stepDueMs: number): void => {
        const counts = measurement.measures(stepDueMs);
        let request: ReturnType<typeof toWire>;
        try {
          request = toWire(step.render(session.scope), target.host);
        } catch (error) {
          outcomes.failed(stepDueMs, now(), 'unsent');
          if (counts) report.failed(`${step.name}: ${(error as Error).message}`);
          // Nothing was awaited, so the loop would spin.
          breakOff(10);
          return;
        }
        dispatcher.begin({
          dueMs: stepDueMs,
          request,
          keepBody: step.readsBody,
          onEnd: (answer, endMs) => {
            const failure =
              typeof answer === 'string' ? `no answer (${answer})` : accept(step, session.scope, answer);
            if (counts && typeof answer !== 'string') report.step(step.name, answer.latencyMs);
            if (counts && failure === undefined) report.passed();
            else if (counts) report.failed(`${step.name}: ${failure}`);
            if (failure !== undefined) breakOff(0);
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
        runSession(dueMs, () => {});
        const byMs = now() - dueMs;
        if (byMs > lateMs) measurement.late(dueMs, byMs);
      },
      onEnd: () => {
        arriving = false;
        finishWhenDone();
      },
    });
  });
}

/** Checks an answer and saves what the step asks for. @returns why the session cannot go on, or `undefined` */
function accept(step: CompiledStep, scope: Record<string, unknown>, answer: Answer): string | undefined {
  const failure = failedCheck(step.check, answer);
  if (failure !== undefined) return failure;
  for (const [name, source] of step.save) {
    const value = readSaved(source, answer);
    if (value === undefined) return `no ${name} to save`;
    scope[name] = value;
  }
  return undefined;
}
