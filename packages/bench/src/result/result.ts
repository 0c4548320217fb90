import { execFile } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import type { RateStage } from '../scenario/scenario.ts';

/**
 * The outcome of one run; `--json`, the service's history and its web page all use this object. `latencyMs` holds every
 * answer, and every timeout with the time it had waited; other errors have no latency. In an open loop latency counts
 * from the moment a request was due.
 */
export interface BenchmarkResult {
  readonly schemaVersion: 1;
  readonly name: string;
  readonly target: string;
  /** Begin of the measured time, ISO 8601. */
  readonly startedAt: string;
  /** Measured time, warm-up excluded. */
  readonly durationMs: number;
  /** Aborted before its planned end. */
  readonly partial: boolean;
  readonly load: BenchmarkLoad;
  readonly requests: RequestCounts;
  readonly latencyMs: LatencySummary;
  readonly statusCodes: Readonly<Record<string, number>>;
  /** `requests.errors` by reason. */
  readonly failures: Readonly<Partial<Record<FailureKind, number>>>;
  /** Of an open loop only. */
  readonly arrivals?: ArrivalCounts;
  /** Of a run with flows. */
  readonly checks?: CheckCounts;
  readonly steps?: readonly StepSummary[];
  readonly objectives: readonly ObjectiveOutcome[];
  /** Reasons not to rely on this run; empty for a reliable one. */
  readonly doubts: readonly Doubt[];
  readonly conditions?: RunConditions;
  /** Received within the measured time, headers included. */
  readonly bytesPerSecond: number;
  readonly timeline: readonly TimelinePoint[];
  readonly environment: BenchmarkEnvironment;
}

/** How the requests were sent. */
export type BenchmarkLoad =
  | { readonly mode: 'closed'; readonly connections: number; readonly pipelining: number }
  | {
      readonly mode: 'open';
      /** Requests, or sessions of flows, per second, averaged over the stages. */
      readonly rate: number;
      readonly stages: readonly RateStage[];
      /** Largest number of connections. */
      readonly connections: number;
      readonly workers: number;
    };

/**
 * Requests that were sent in the measured time. Each counts exactly once:
 * `total = ok + non2xx + errors`, and `timeouts` is part of `errors`.
 */
export interface RequestCounts {
  readonly total: number;
  /** Answered with 2xx. */
  readonly ok: number;
  /** Answered with any other status; redirects are not followed. */
  readonly non2xx: number;
  /** Not answered: timed out, cut off, refused, malformed, dropped, unsent. */
  readonly errors: number;
  readonly timeouts: number;
  /** Answers that ended within the measured time, per second of it. */
  readonly perSecond: number;
}

/**
 * Why a request got no answer. `dropped`: no connection was free until its timeout. `unsent`: a value of its template was
 * missing.
 */
export type FailureKind = 'timeout' | 'cut' | 'refused' | 'malformed' | 'dropped' | 'unsent';

/** The percentiles a result reports, in milliseconds. All zero when nothing was recorded. */
export interface LatencySummary {
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** How well an open loop kept its schedule. Arrivals are requests, or with flows sessions, whatever the number of their steps. */
export interface ArrivalCounts {
  /** Arrivals that were due in the measured time. */
  readonly intended: number;
  /** Begun more than 1 ms after they were due, because the generator was busy. */
  readonly late: number;
  /** Delay of the latest of them. */
  readonly latestMs: number;
  /** Requests that were not sent, since every connection was busy until their timeout. Part of `requests.errors`. */
  readonly dropped: number;
  /**
   * Of those intended, 0 to 1: requests that were answered with any status; sessions that no unanswered step, failed check or missing
   * value ended early.
   */
  readonly achieved: number;
}

/** Checks of the steps that were due in the measured time. */
export interface CheckCounts {
  readonly passed: number;
  /** A step without an answer, or one that could not be sent, counts as failed. */
  readonly failed: number;
  /** Number of failures by `step: reason`. At most 100 different keys; the rest counts under `other`. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Answers and latencies of one step of a flow. */
export interface StepSummary {
  /** `flow / step`. */
  readonly name: string;
  readonly answered: number;
  readonly latencyMs: LatencySummary;
}

/** Whether a result met an objective. */
export interface ObjectiveOutcome {
  readonly expression: string;
  readonly met: boolean;
  /** In the metric's unit; `null` when the run has no such value. */
  readonly actual: number | null;
}

/** A reason not to rely on a run, a pair or a comparison. */
export interface Doubt {
  readonly code:
    | 'generator-saturated'
    | 'generator-starved'
    | 'generator-late'
    | 'cpu-steal'
    | 'errors'
    | 'target-ended';
  readonly message: string;
}

/** Conditions of the measured time, as shares of it from 0 to 1. Absent where the kernel does not report them. */
export interface RunConditions {
  /** Processor time of this process; above 1 with several threads. */
  readonly generatorBusy: number;
  /** Time in which threads of this process were runnable, but waited for a processor. */
  readonly generatorWaited?: number;
  readonly steal?: number;
}

/** One second of the measured time. */
export interface TimelinePoint {
  /** End of the interval, since the measured time began. */
  readonly atMs: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** Reported while a benchmark runs, about twice a second and once at its end. */
export interface BenchmarkProgress {
  readonly phase: 'warmup' | 'running';
  /** Since the load began, warm-up included. */
  readonly elapsedMs: number;
  readonly totalMs: number;
  /** Of this phase, answered or failed. */
  readonly requests: number;
  readonly errors: number;
  /** Answered in the last second. */
  readonly requestsPerSecond: number;
  /** Of this phase. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The machine and the Node version of the generator. */
export interface BenchmarkEnvironment {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly cpu: string;
  readonly cores: number;
  /** Commit of the working directory's repository; absent outside of a repository. */
  readonly commit?: string;
}

/** Describes this machine and, inside a git repository, the commit that is checked out. */
export async function describeEnvironment(): Promise<BenchmarkEnvironment> {
  const commit = await currentCommit();
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    ...(commit === undefined ? {} : { commit }),
  };
}

function currentCommit(): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('git', ['rev-parse', 'HEAD'], { timeout: 2_000 }, (error, stdout) => {
      resolve(error === null ? stdout.trim() : undefined);
    });
  });
}
