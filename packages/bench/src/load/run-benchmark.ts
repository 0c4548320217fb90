import { setImmediate } from 'node:timers/promises';
import { TargetEndedError } from '../errors.ts';
import { type Clock, snapshotCpu } from '../process/cpu.ts';
import { type StartedTarget, startTarget } from '../process/start-target.ts';
import { checkObjective } from '../result/check-objective.ts';
import { conditionsBetween, doubtRun } from '../result/doubts.ts';
import {
  type ArrivalCounts,
  type BenchmarkEnvironment,
  type BenchmarkLoad,
  type BenchmarkProgress,
  type BenchmarkResult,
  describeEnvironment,
  type RequestCounts,
  type RunConditions,
} from '../result/result.ts';
import { parseObjective } from '../scenario/objective.ts';
import { parseScenario, type RateStage, type ResolvedScenario, type Scenario } from '../scenario/scenario.ts';
import {
  assertTargetAllowed,
  portOf,
  probeTarget,
  readTrust,
  type TlsTrust,
  watchRedirects,
} from '../scenario/target.ts';
import { runClosedLoop } from './closed-loop.ts';
import { authorise, compileFlows, type FlowMix } from './compile-flows.ts';
import { Measurement, type ReadyLoad } from './measurement.ts';
import { stagesOf } from './open-loop.ts';
import { FlowReport, runFlows } from './run-flows.ts';
import { prepareOpenLoop } from './shared-open-loop.ts';

/** Options of {@link runBenchmark}. */
export interface RunBenchmarkOptions {
  /** Ends the run early; the promise then resolves with `partial: true`. */
  readonly signal?: AbortSignal;
  /** Called about twice a second and once at the end. Keep it quick: it runs on the generator's thread. */
  readonly onProgress?: (progress: BenchmarkProgress) => void;
  /** Hosts that may be loaded besides loopback: `host`, `host:port` or `*.domain`. @defaultValue `[]` */
  readonly allowTargets?: readonly string[];
  /** Monotonic milliseconds. @defaultValue `performance` */
  readonly clock?: Clock;
}

const progressMs = 500;

/**
 * Runs a scenario against its target from this process, and resolves with the result. The generator takes up to one core; run it in a
 * process of its own when this one has other work.
 *
 * @throws {@link ScenarioError}, {@link ScenarioFileError}, {@link TargetRefusedError} or {@link StartError} before the target is
 * started, {@link StartError} or {@link TargetUnreachableError} before any load; {@link TargetEndedError} when the started target
 * ends during the run, and {@link RedirectRefusedError} when the target redirects to a host that is not allowed; both end the run
 */
export async function runBenchmark(
  given: Scenario,
  options: RunBenchmarkOptions = {},
): Promise<BenchmarkResult> {
  const scenario = authorise(parseScenario(given));
  const { onProgress, allowTargets = [], clock = performance } = options;
  const signal = options.signal ?? new AbortController().signal;
  assertTargetAllowed(scenario.target, allowTargets);
  const trust = await readTrust(scenario.tls?.ca);
  const mix = scenario.flows === undefined ? undefined : compileFlows(scenario);
  const run = { scenario, trust, mix, allowTargets, clock, signal, onProgress };
  const { start } = scenario;
  if (start === undefined) return measure(run);
  const started = await startTarget({
    start,
    directory: process.cwd(),
    port: portOf(new URL(scenario.target)),
    origin: scenario.target,
    trust,
    signal,
  });
  try {
    return await measureStarted(run, started);
  } finally {
    await started.stop();
  }
}

interface Run extends Required<Pick<RunBenchmarkOptions, 'signal' | 'allowTargets' | 'clock'>> {
  /** With its credentials. */
  readonly scenario: ResolvedScenario;
  readonly trust: TlsTrust | undefined;
  readonly mix: FlowMix | undefined;
  readonly onProgress: RunBenchmarkOptions['onProgress'];
}

/** Measures a started target. A target that ends is an error, since the result would describe a server that was not running. */
async function measureStarted(run: Run, started: StartedTarget): Promise<BenchmarkResult> {
  const stop = new AbortController();
  void started.ended.then(() => stop.abort());
  const beganMs = run.clock.now();
  try {
    const result = await measure({ ...run, signal: AbortSignal.any([run.signal, stop.signal]) });
    // The event of its end may still be queued.
    await setImmediate();
    if (run.signal.aborted || !started.hasEnded()) return result;
  } catch (error) {
    // The target is unreachable because it has just ended.
    if (!started.hasEnded()) throw error;
  }
  throw new TargetEndedError(run.scenario.target, await started.ended, run.clock.now() - beganMs);
}

/** Prepares the load, so that the clock can start. */
async function prepareLoad({ scenario, trust, mix, signal }: Run, report: FlowReport): Promise<ReadyLoad> {
  if (mix !== undefined) return (options) => runFlows({ ...options, mix, report });
  return stagesOf(scenario) === undefined ? runClosedLoop : prepareOpenLoop(scenario, trust, signal);
}

async function measure(run: Run): Promise<BenchmarkResult> {
  const { scenario, trust, signal, onProgress, clock } = run;
  const environment = await describeEnvironment();
  await probeTarget(new URL(scenario.target), trust, scenario.timeoutMs, signal);
  const report = new FlowReport();
  const load = await prepareLoad(run, report);

  const measurement = new Measurement(clock.now(), scenario.warmupMs, scenario.durationMs);
  const startedAt = new Date(Date.now() + scenario.warmupMs).toISOString();
  let before = snapshotCpu(clock);
  const redirects = watchRedirects(scenario.target, run.allowTargets);
  const stop = AbortSignal.any([signal, redirects.refused]);
  const end = (): void => measurement.end(clock.now());
  if (stop.aborted) end();
  stop.addEventListener('abort', end, { once: true });
  const ticker = setInterval(() => onProgress?.(measurement.progress(clock.now())), progressMs);
  const warm = setTimeout(() => {
    before = snapshotCpu(clock);
  }, scenario.warmupMs);
  try {
    await load({ scenario, trust, measurement, clock, signal: stop, redirected: redirects.check });
  } finally {
    clearInterval(ticker);
    clearTimeout(warm);
    stop.removeEventListener('abort', end);
  }
  redirects.refused.throwIfAborted();
  onProgress?.(measurement.progress(clock.now()));
  const conditions = conditionsBetween(before, snapshotCpu(clock));
  return summarise(scenario, measurement, { startedAt, environment, conditions, report });
}

interface Surroundings {
  readonly startedAt: string;
  readonly environment: BenchmarkEnvironment;
  readonly conditions: RunConditions;
  readonly report: FlowReport;
}

function summarise(
  scenario: ResolvedScenario,
  measurement: Measurement,
  around: Surroundings,
): BenchmarkResult {
  const { startedAt, environment, conditions, report } = around;
  const requests = measurement.counts();
  const failures = measurement.failures();
  const stages = stagesOf(scenario);
  const sessions = scenario.flows === undefined ? undefined : report.sessions();
  const arrivals =
    stages === undefined
      ? undefined
      : {
          ...(sessions === undefined ? countRequests(requests) : countSessions(sessions)),
          ...measurement.lateness(),
          dropped: failures.dropped ?? 0,
        };
  const result: BenchmarkResult = {
    schemaVersion: 1,
    name: scenario.name,
    target: scenario.target,
    startedAt,
    durationMs: measurement.durationMs,
    partial: measurement.partial,
    load: describeLoad(scenario, stages),
    requests,
    latencyMs: measurement.latency(),
    statusCodes: measurement.statusCodes(),
    failures,
    ...(arrivals === undefined ? {} : { arrivals }),
    ...(scenario.flows === undefined ? {} : { checks: report.checks(), steps: report.steps() }),
    objectives: [],
    doubts: doubtRun(conditions, arrivals),
    conditions,
    bytesPerSecond: measurement.bytesPerSecond(),
    timeline: measurement.timeline(),
    environment,
  };
  const objectives = scenario.objectives.map((text) => checkObjective(parseObjective(text), result));
  return { ...result, objectives };
}

function describeLoad(scenario: ResolvedScenario, stages: readonly RateStage[] | undefined): BenchmarkLoad {
  const { connections, pipelining, workers } = scenario;
  if (stages === undefined) return { mode: 'closed', connections, pipelining };
  const due = stages.reduce(
    (sum, { from, rate, durationMs }) => sum + (((from ?? rate) + rate) / 2) * durationMs,
    0,
  );
  return {
    mode: 'open',
    rate: Math.round((due / scenario.durationMs) * 100) / 100,
    stages,
    connections,
    workers,
  };
}

type Achieved = Pick<ArrivalCounts, 'intended' | 'achieved'>;

function countRequests({ total, errors }: RequestCounts): Achieved {
  return { intended: total, achieved: total === 0 ? 0 : 1 - errors / total };
}

function countSessions({ begun, broken }: ReturnType<FlowReport['sessions']>): Achieved {
  return { intended: begun, achieved: begun === 0 ? 0 : 1 - broken / begun };
}
