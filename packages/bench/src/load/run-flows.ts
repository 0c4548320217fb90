import type { CheckCounts, StepSummary } from '../result/result.ts';
import { readPath, type SaveSource, type StepCheck } from '../scenario/flow.ts';
import type { ResolvedScenario } from '../scenario/scenario.ts';
import { type CompiledStep, compileFlows, type FlowMix } from './compile-flows.ts';
import { toWire } from './connection.ts';
import { type Answer, Dispatcher } from './dispatcher.ts';
import { LatencyHistogram } from './histogram.ts';
import { countOutcomes, type LoadOptions } from './measurement.ts';
import { arrivalStages, createArrivalSchedule, lateMs, startPacer } from './open-loop.ts';

/** Loads one build with sessions. @returns the number of checks that failed in the measured time */
export type FlowLoad = (options: LoadOptions) => Promise<number>;

/** Compiles the flows and reads their feeds, so that the clock can start. */
export function prepareFlowLoad(scenario: ResolvedScenario): FlowLoad {
  const mix = compileFlows(scenario);
  return async (options) => {
    const report = new FlowReport();
    await runFlows({ ...options, mix, report });
    return report.checks().failed;
  };
}

/** Options of {@link runFlows}. */
interface RunFlowsOptions extends LoadOptions {
  /** Compiled before the clock of `measurement` starts, since feeds may take seconds to read. */
  readonly mix: FlowMix;
  readonly report: FlowReport;
}

/**
 * Runs sessions. A closed loop runs one session per connection at a time, an open loop begins each session when it is due. After the measured
 * time no further step begins, and requests in flight are awaited. A session that is due in the measured time begins even when the
 * generator is late.
 */
export function runFlows(options: RunFlowsOptions): Promise<void> {
  const { scenario, trust, measurement, mix, report, clock, signal } = options;
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
      clock,
      outcomes,
      onIdle: finishWhenDone,
    });
    const deadline = setTimeout(
      () => {
        over = true;
        finishWhenDone();
      },
      measurement.plannedEndMs - clock.now() + 1,
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
          outcomes.failed(stepDueMs, clock.now(), 'unsent');
          if (counts) report.failed(`${step.name}: ${(error as Error).message}`);
          // Without a pause the loop would spin, since nothing was awaited.
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
            else if (step.thinkMs > 0) later(step.thinkMs, () => runStep(index + 1, clock.now()));
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
        if (!over) runSession(clock.now(), again);
      };
      for (let user = 0; user < scenario.connections; user += 1) again();
      return;
    }
    const schedule = createArrivalSchedule(stages);
    stopPacer = startPacer({
      clock,
      dueMs: (index) => measurement.beginMs + schedule.dueMs(index),
      onDue: (_index, dueMs) => {
        runSession(dueMs, () => {});
        const byMs = clock.now() - dueMs;
        if (byMs > lateMs) measurement.late(dueMs, byMs);
      },
      onEnd: () => {
        arriving = false;
        finishWhenDone();
      },
    });
  });
}

/** Checks an answer and saves the step's values. @returns why the session ends, or `undefined` */
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

/** The reason of the first failed check, or `undefined`. */
function failedCheck(check: StepCheck, answer: Answer): string | undefined {
  const { status } = answer.head;
  const expected = check.status;
  const fits =
    expected === undefined
      ? status >= 200 && status < 400
      : typeof expected === 'number'
        ? status === expected
        : expected.includes(status);
  if (!fits) return `status ${status}`;
  if (check.maxMs !== undefined && answer.latencyMs > check.maxMs) return `slower than ${check.maxMs} ms`;
  if (check.contains !== undefined && !answer.body.includes(check.contains))
    return `body without ${JSON.stringify(check.contains)}`;
  if (check.json === undefined) return undefined;
  const body = parseBody(answer);
  for (const [path, value] of Object.entries(check.json)) {
    if (readPath(body, path) !== value) return `json ${path} is not ${JSON.stringify(value)}`;
  }
  return undefined;
}

/** Reads a value to save from an answer; `undefined` when it is missing. */
function readSaved(source: SaveSource, answer: Answer): unknown {
  if ('json' in source) return readPath(parseBody(answer), source.json) ?? undefined;
  if ('header' in source) return readHeader(answer.head.text, source.header);
  const match = new RegExp(source.regex).exec(answer.body.toString('utf8'));
  return match?.[1] ?? match?.[0];
}

function readHeader(head: string, name: string): string | undefined {
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (line.slice(0, colon).toLowerCase() === name.toLowerCase()) return line.slice(colon + 1).trim();
  }
  return undefined;
}

function parseBody(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body.toString('utf8'));
  } catch {
    return undefined;
  }
}

const maxReasons = 100;

/** Counts the sessions, steps and checks of flows. Its memory is bounded. */
export class FlowReport {
  readonly #steps = new Map<string, LatencyHistogram>();
  readonly #failures = new Map<string, number>();
  #passed = 0;
  #failed = 0;
  #sessions = 0;
  #broken = 0;

  step(name: string, latencyMs: number): void {
    let histogram = this.#steps.get(name);
    if (histogram === undefined) {
      histogram = new LatencyHistogram();
      this.#steps.set(name, histogram);
    }
    histogram.record(latencyMs);
  }

  passed(): void {
    this.#passed += 1;
  }

  failed(reason: string): void {
    this.#failed += 1;
    const key = this.#failures.has(reason) || this.#failures.size < maxReasons ? reason : 'other';
    this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1);
  }

  /** A session was due in the measured time. */
  sessionBegan(): void {
    this.#sessions += 1;
  }

  /** An unanswered step, a failed check or a missing value ended such a session early. */
  sessionBroke(): void {
    this.#broken += 1;
  }

  sessions(): { readonly begun: number; readonly broken: number } {
    return { begun: this.#sessions, broken: this.#broken };
  }

  checks(): CheckCounts {
    return { passed: this.#passed, failed: this.#failed, failures: Object.fromEntries(this.#failures) };
  }

  steps(): StepSummary[] {
    return [...this.#steps].map(([name, histogram]) => ({
      name,
      answered: histogram.count,
      latencyMs: histogram.summary(),
    }));
  }
}
