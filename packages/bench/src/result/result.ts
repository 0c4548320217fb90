import { execFile } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import type { Doubt } from '../compare/doubts.ts';
import type { LatencySummary } from '../load/histogram.ts';
import type { FailureKind } from '../load/measurement.ts';
import type { RateStage } from '../load/open-loop.ts';
import type { CheckCounts, StepSummary } from '../load/run-flows.ts';
import type { ObjectiveOutcome } from './check-objective.ts';
import type { RunConditions } from './doubts.ts';

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

/** What one second of the measured time saw. */
export interface TimelinePoint {
  /** End of the interval, since the measured time began. */
  readonly atMs: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** Where the generator ran. */
export interface BenchmarkEnvironment {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly cpu: string;
  readonly cores: number;
  /** Of the working directory's repository; absent outside of one. */
  readonly commit?: string;
}

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

/** How the requests were sent. */
export type BenchmarkLoad =
  | { readonly mode: 'closed'; readonly connections: number; readonly pipelining: number }
  | {
      readonly mode: 'open';
      /** Requests, or sessions of flows, per second, averaged over the stages. */
      readonly rate: number;
      readonly stages: readonly RateStage[];
      /** At most so many at once. */
      readonly connections: number;
      readonly workers: number;
    };

/** How well an open loop kept its schedule. Arrivals are requests, or with flows sessions, whatever the number of their steps. */
export interface ArrivalCounts {
  /** Arrivals that were due in the measured time. */
  readonly intended: number;
  /** Begun more than a millisecond after they were due, because the generator was busy. */
  readonly late: number;
  /** By how much the latest of them was late. */
  readonly latestMs: number;
  /** Requests never sent: every connection was busy until their timeout. Part of `requests.errors`. */
  readonly dropped: number;
  /**
   * Of those intended, 0 to 1: requests that were answered with any status; sessions that no unanswered step, failed check or missing
   * value ended early.
   */
  readonly achieved: number;
}

/**
 * The outcome of one run; `--json`, the service's history and its web page all use this object. `latencyMs` holds every
 * answer, and every timeout with the time it had waited; other errors have no latency. In an open loop latency counts
 * from the moment a request was due.
 */
export interface BenchmarkResult {
  readonly schemaVersion: 1;
  readonly name: string;
  readonly target: string;
  /** ISO 8601; the measured time's begin. */
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
  /** Reasons not to believe this run; empty for a sound one. */
  readonly doubts: readonly Doubt[];
  readonly conditions?: RunConditions;
  /** Received within the measured time, headers included. */
  readonly bytesPerSecond: number;
  readonly timeline: readonly TimelinePoint[];
  readonly environment: BenchmarkEnvironment;
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
