import type { RateStage } from './arrival-schedule.ts';
import { runClosedLoop } from './closed-loop.ts';
import { doubtRun, type RunConditions, watchConditions } from './conditions.ts';
import { probeTarget } from './connect-target.ts';
import { describeEnvironment } from './environment.ts';
import { authorise } from './flow/auth.ts';
import { FlowReport } from './flow/flow-report.ts';
import { runFlows } from './flow/run-flows.ts';
import type { LoadOptions } from './load-options.ts';
import { Measurement } from './measurement.ts';
import { checkObjective, parseObjective } from './objective.ts';
import { startTarget } from './process/start-target.ts';
import type {
  ArrivalCounts,
  BenchmarkEnvironment,
  BenchmarkLoad,
  BenchmarkProgress,
  BenchmarkResult,
  RequestCounts,
} from './result.ts';
import { parseScenario, type ResolvedScenario, type Scenario, stagesOf } from './scenario.ts';
import { runSharedOpenLoop } from './shared-open-loop.ts';
import { assertTargetAllowed, watchRedirects } from './target-policy.ts';
import { readTrust } from './tls-trust.ts';

/** Options of {@link runBenchmark}. */
export interface RunBenchmarkOptions {
  /** Ends the run early; the promise then resolves with `partial: true`. */
  readonly signal?: AbortSignal;
  /** Called about twice a second and once at the end. Keep it quick: it runs on the generator's thread. */
  readonly onProgress?: (progress: BenchmarkProgress) => void;
  /** Hosts that may be loaded besides loopback: `host`, `host:port` or `*.domain`. @defaultValue `[]` */
  readonly allowTargets?: readonly string[];
  /** Monotonic milliseconds. @defaultValue `performance.now` */
  readonly now?: () => number;
}

const progressMs = 500;

/**
 * Runs a scenario against its target from this process and resolves with what was measured. The generator takes up to
 * one core; run it in a process of its own when this one has other work.
 *
 * @throws {@link ScenarioError}, {@link TargetRefusedError} or {@link TargetUnreachableError}, before any load; the second also when
 * the target redirects to where no load is allowed, which ends the run
 */
export async function runBenchmark(
  scenario: Scenario,
  options: RunBenchmarkOptions = {},
): Promise<BenchmarkResult> {
  const resolved = parseScenario(scenario);
  const { onProgress, allowTargets = [], now = () => performance.now() } = options;
  const signal = options.signal ?? new AbortController().signal;
  assertTargetAllowed(resolved.target, allowTargets);
  const run = { allowTargets, now, signal, onProgress };
  const { start } = resolved;
  if (start === undefined) return measure(resolved, run);
  const { port } = new URL(resolved.target);
  const started = await startTarget({ start, directory: process.cwd(), port: Number(port || 80), signal });
  try {
    return await measure(resolved, run);
  } finally {
    await started.stop();
  }
}

interface Run extends Required<Pick<RunBenchmarkOptions, 'signal' | 'allowTargets' | 'now'>> {
  readonly onProgress: RunBenchmarkOptions['onProgress'];
}

async function measure(resolved: ResolvedScenario, run: Run): Promise<BenchmarkResult> {
  const { signal, onProgress, now } = run;
  const environment = await describeEnvironment();
  const trust = await readTrust(resolved.tls?.ca);
  await probeTarget(new URL(resolved.target), trust, resolved.timeoutMs, signal);

  const authorised = authorise(resolved);
  const measurement = new Measurement(now(), resolved.warmupMs, resolved.durationMs);
  const startedAt = new Date(Date.now() + resolved.warmupMs).toISOString();
  const watch = watchConditions(now);
  const report = new FlowReport();
  const redirects = watchRedirects(resolved.target, run.allowTargets);
  const stop = AbortSignal.any([signal, redirects.refused]);
  const end = (): void => measurement.end(now());
  if (stop.aborted) end();
  stop.addEventListener('abort', end, { once: true });
  const ticker = setInterval(() => onProgress?.(measurement.progress(now())), progressMs);
  const warm = setTimeout(() => watch.begin(), resolved.warmupMs);
  try {
    const load: LoadOptions = {
      scenario: authorised,
      trust,
      measurement,
      now,
      signal: stop,
      redirected: redirects.check,
    };
    if (resolved.flows !== undefined) await runFlows({ ...load, report });
    else if (stagesOf(resolved) === undefined) await runClosedLoop(load);
    else await runSharedOpenLoop(load);
  } finally {
    clearInterval(ticker);
    clearTimeout(warm);
    stop.removeEventListener('abort', end);
  }
  redirects.refused.throwIfAborted();
  onProgress?.(measurement.progress(now()));
  const conditions = watch.end();
  return summarise(resolved, measurement, { startedAt, environment, conditions, report });
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
  const arrivals =
    stages === undefined ? undefined : countArrivals(requests, failures.dropped ?? 0, measurement);
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

function countArrivals(requests: RequestCounts, dropped: number, measurement: Measurement): ArrivalCounts {
  const achieved = requests.total === 0 ? 0 : (requests.ok + requests.non2xx) / requests.total;
  return { intended: requests.total, ...measurement.lateness(), dropped, achieved };
}
