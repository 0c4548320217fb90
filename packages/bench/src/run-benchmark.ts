import type { RateStage } from './arrival-schedule.ts';
import { runClosedLoop } from './closed-loop.ts';
import { probeTarget } from './connect-target.ts';
import { describeEnvironment } from './environment.ts';
import { Measurement } from './measurement.ts';
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
import { assertTargetAllowed } from './target-policy.ts';

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
 * @throws {@link ScenarioError}, {@link TargetRefusedError} or {@link TargetUnreachableError}, all before any load
 */
export async function runBenchmark(
  scenario: Scenario,
  options: RunBenchmarkOptions = {},
): Promise<BenchmarkResult> {
  const resolved = parseScenario(scenario);
  const { onProgress, allowTargets = [], now = () => performance.now() } = options;
  const signal = options.signal ?? new AbortController().signal;
  assertTargetAllowed(resolved.target, allowTargets);
  const { start } = resolved;
  if (start === undefined) return measure(resolved, signal, onProgress, now);
  const { port } = new URL(resolved.target);
  const started = await startTarget({ start, directory: process.cwd(), port: Number(port || 80), signal });
  try {
    return await measure(resolved, signal, onProgress, now);
  } finally {
    await started.stop();
  }
}

async function measure(
  resolved: ResolvedScenario,
  signal: AbortSignal,
  onProgress: RunBenchmarkOptions['onProgress'],
  now: () => number,
): Promise<BenchmarkResult> {
  const environment = await describeEnvironment();
  await probeTarget(new URL(resolved.target), resolved.timeoutMs, signal);

  const measurement = new Measurement(now(), resolved.warmupMs, resolved.durationMs);
  const startedAt = new Date(Date.now() + resolved.warmupMs).toISOString();
  const end = (): void => measurement.end(now());
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  const ticker = setInterval(() => onProgress?.(measurement.progress(now())), progressMs);
  try {
    const load = { scenario: resolved, measurement, now, signal };
    await (stagesOf(resolved) === undefined ? runClosedLoop(load) : runSharedOpenLoop(load));
  } finally {
    clearInterval(ticker);
    signal.removeEventListener('abort', end);
  }
  onProgress?.(measurement.progress(now()));
  return summarise(resolved, measurement, startedAt, environment);
}

function summarise(
  scenario: ResolvedScenario,
  measurement: Measurement,
  startedAt: string,
  environment: BenchmarkEnvironment,
): BenchmarkResult {
  const requests = measurement.counts();
  const failures = measurement.failures();
  const stages = stagesOf(scenario);
  return {
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
    ...(stages === undefined
      ? {}
      : { arrivals: countArrivals(requests, failures.dropped ?? 0, measurement) }),
    bytesPerSecond: measurement.bytesPerSecond(),
    timeline: measurement.timeline(),
    environment,
  };
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
