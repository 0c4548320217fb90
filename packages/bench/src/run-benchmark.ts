import { runClosedLoop } from './closed-loop.ts';
import { probeTarget } from './connect-target.ts';
import { describeEnvironment } from './environment.ts';
import { Measurement } from './measurement.ts';
import type { BenchmarkProgress, BenchmarkResult } from './result.ts';
import { parseScenario, type Scenario } from './scenario.ts';
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
  const environment = await describeEnvironment();
  await probeTarget(new URL(resolved.target), resolved.timeoutMs, signal);

  const begin = now();
  const startedAt = new Date(Date.now() + resolved.warmupMs).toISOString();
  const measurement = new Measurement(begin, resolved.warmupMs, resolved.durationMs);
  const end = (): void => measurement.end(now());
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  const ticker = setInterval(() => onProgress?.(measurement.progress(now())), progressMs);
  try {
    await runClosedLoop({ scenario: resolved, measurement, now, signal });
  } finally {
    clearInterval(ticker);
    signal.removeEventListener('abort', end);
  }
  end();
  onProgress?.(measurement.progress(now()));
  return {
    schemaVersion: 1,
    name: resolved.name,
    target: resolved.target,
    startedAt,
    durationMs: measurement.durationMs,
    partial: measurement.durationMs < resolved.durationMs,
    load: { mode: 'closed', connections: resolved.connections, pipelining: resolved.pipelining },
    requests: measurement.counts(),
    latencyMs: measurement.latency(),
    statusCodes: measurement.statusCodes(),
    bytesPerSecond: measurement.bytesPerSecond(),
    timeline: measurement.timeline(),
    environment,
  };
}
