import type { Clock } from '../process/cpu.ts';
import type {
  BenchmarkProgress,
  FailureKind,
  LatencySummary,
  RequestCounts,
  TimelinePoint,
} from '../result/result.ts';
import type { ResolvedScenario } from '../scenario/scenario.ts';
import type { TlsTrust } from '../scenario/target.ts';
import { LatencyHistogram, Timeline } from './histogram.ts';

/** Options of every kind of load. */
export interface LoadOptions {
  readonly scenario: ResolvedScenario;
  readonly trust: TlsTrust | undefined;
  readonly measurement: Measurement;
  /** Monotonic milliseconds. */
  readonly clock: Clock;
  /** Stops the load at once. Requests in flight are not counted. */
  readonly signal: AbortSignal;
  /** Called with the location of every redirect. Redirects are not followed. */
  readonly redirected: (location: string) => void;
}

/** A prepared load, whose feeds are read and whose threads run. The clock starts after that. */
export type ReadyLoad = (options: LoadOptions) => Promise<void>;

const rateWindowMs = 1_000;

/** Times of other threads are sums of large numbers; a microsecond covers their rounding. */
const roundingMs = 0.001;

/**
 * Assigns outcomes to the warm-up or the measured time by the moment a request *began* (in an open loop: was due). So a request that
 * began in the measured time counts once, even when it ends later, and a request that began before does not count. Rates count the answers that
 * *ended* in the measured time: an answer of an overloaded server that comes after it is not throughput.
 * All times are milliseconds of the injected clock.
 */
export class Measurement {
  /** Begin of the warm-up. */
  readonly beginMs: number;
  readonly #measureMs: number;
  /** End of the measured time, unless it is cut short. */
  readonly plannedEndMs: number;
  #endMs: number;

  readonly #warmup = new LatencyHistogram();
  #warmupErrors = 0;
  #warmupAnswered = 0;

  readonly #latency = new LatencyHistogram();
  readonly #timeline: Timeline;
  readonly #statusCodes = new Map<number, number>();
  readonly #failures = new Map<FailureKind, number>();
  #ok = 0;
  #answered = 0;
  #endedWithin = 0;
  #bytesWithin = 0;
  #late = 0;
  #latestMs = 0;

  #rateAnswered = 0;
  #rateFromMs: number;
  #lastRate = 0;

  constructor(beginMs: number, warmupMs: number, durationMs: number) {
    this.beginMs = beginMs;
    this.#measureMs = beginMs + warmupMs;
    this.plannedEndMs = this.#measureMs + durationMs;
    this.#endMs = this.plannedEndMs;
    this.#timeline = new Timeline(this.#measureMs, durationMs);
    this.#rateFromMs = beginMs;
  }

  answered(startMs: number, latencyMs: number, endMs: number, status: number, bytes: number): void {
    this.#rateAnswered += 1;
    const isWarmup = startMs < this.#measureMs - roundingMs;
    if (endMs >= this.#measureMs && endMs < this.#endMs) {
      this.#endedWithin += 1;
      this.#bytesWithin += bytes;
      this.#timeline.answered(endMs, isWarmup ? undefined : latencyMs);
    }
    if (isWarmup) {
      this.#warmup.record(latencyMs);
      this.#warmupAnswered += 1;
      return;
    }
    if (startMs >= this.#endMs - roundingMs) return;
    this.#latency.record(latencyMs);
    this.#answered += 1;
    if (status >= 200 && status < 300) this.#ok += 1;
    this.#statusCodes.set(status, (this.#statusCodes.get(status) ?? 0) + 1);
  }

  failed(startMs: number, endMs: number, kind: FailureKind): void {
    if (startMs < this.#measureMs - roundingMs) {
      this.#warmupErrors += 1;
      return;
    }
    if (startMs >= this.#endMs - roundingMs) return;
    this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1);
    // A timeout counts as a latency. A connection lost early does not, since it would lower the percentiles.
    const waitedMs = kind === 'timeout' || kind === 'dropped' ? endMs - startMs : undefined;
    if (waitedMs !== undefined) this.#latency.record(waitedMs);
    if (endMs < this.plannedEndMs) this.#timeline.failed(endMs, waitedMs);
  }

  /** The generator began a request that was due at `dueMs` `byMs` late. */
  late(dueMs: number, byMs: number): void {
    if (dueMs < this.#measureMs - roundingMs || dueMs >= this.#endMs - roundingMs) return;
    this.#late += 1;
    this.#latestMs = Math.max(this.#latestMs, byMs);
  }

  /** A request that begins at this time or later is not counted, so none should begin. */
  get beginBeforeMs(): number {
    return this.plannedEndMs - roundingMs;
  }

  /** Whether a request that begins at this time is counted. */
  measures(startMs: number): boolean {
    return startMs >= this.#measureMs - roundingMs && startMs < this.#endMs - roundingMs;
  }

  /** Cuts the measured time short; requests that begin later no longer count. */
  end(nowMs: number): void {
    this.#endMs = Math.max(this.#measureMs, Math.min(nowMs, this.plannedEndMs));
  }

  progress(nowMs: number): BenchmarkProgress {
    const warm = nowMs < this.#measureMs;
    const latency = warm ? this.#warmup : this.#latency;
    const errors = warm ? this.#warmupErrors : this.#errors();
    return {
      phase: warm ? 'warmup' : 'running',
      elapsedMs: Math.round(Math.min(nowMs, this.plannedEndMs) - this.beginMs),
      totalMs: Math.round(this.plannedEndMs - this.beginMs),
      requests: (warm ? this.#warmupAnswered : this.#answered) + errors,
      errors,
      requestsPerSecond: this.#rate(nowMs),
      p50Ms: latency.percentileMs(50),
      p99Ms: latency.percentileMs(99),
    };
  }

  /** Cut short before its planned end. */
  get partial(): boolean {
    return this.#endMs < this.plannedEndMs;
  }

  get durationMs(): number {
    return Math.round(this.#endMs - this.#measureMs);
  }

  counts(): RequestCounts {
    const errors = this.#errors();
    return {
      total: this.#answered + errors,
      ok: this.#ok,
      non2xx: this.#answered - this.#ok,
      errors,
      timeouts: this.#failures.get('timeout') ?? 0,
      perSecond: this.#perSecond(this.#endedWithin),
    };
  }

  latency(): LatencySummary {
    return this.#latency.summary();
  }

  statusCodes(): Record<string, number> {
    return Object.fromEntries([...this.#statusCodes].sort(([a], [b]) => a - b));
  }

  /** Requests without an answer, by reason. Reasons that did not occur are absent. */
  failures(): Partial<Record<FailureKind, number>> {
    return Object.fromEntries([...this.#failures].sort(([a], [b]) => a.localeCompare(b)));
  }

  /** How many requests the generator began late, and the largest delay. */
  lateness(): { readonly late: number; readonly latestMs: number } {
    return { late: this.#late, latestMs: Math.round(this.#latestMs * 1_000) / 1_000 };
  }

  bytesPerSecond(): number {
    return this.#perSecond(this.#bytesWithin);
  }

  /** Final; call it once, after `end`. */
  timeline(): readonly TimelinePoint[] {
    return this.#timeline.end(this.#endMs);
  }

  #errors(): number {
    let errors = 0;
    for (const count of this.#failures.values()) errors += count;
    return errors;
  }

  #perSecond(count: number): number {
    const seconds = this.durationMs / 1_000;
    return seconds === 0 ? 0 : Math.round((count / seconds) * 100) / 100;
  }

  #rate(nowMs: number): number {
    const span = nowMs - this.#rateFromMs;
    if (span >= rateWindowMs || (this.#lastRate === 0 && span > 0)) {
      this.#lastRate = Math.round((this.#rateAnswered / span) * 1_000);
      this.#rateAnswered = 0;
      this.#rateFromMs = nowMs;
    }
    return this.#lastRate;
  }
}

/** Receives one outcome for every exchange. Latency counts from `dueMs`. */
export interface Outcomes {
  answered(dueMs: number, endMs: number, status: number, bytes: number): void;
  failed(dueMs: number, endMs: number, kind: FailureKind): void;
  /** The generator began the request `byMs` after `dueMs`. */
  late(dueMs: number, byMs: number): void;
  /** An answer was a redirect. It counts like any other answer and is not followed. */
  redirected(location: string): void;
}

/** Records the outcomes of an open loop, whose latencies begin at the due time. */
export function countOutcomes({
  measurement,
  redirected,
}: Pick<LoadOptions, 'measurement' | 'redirected'>): Outcomes {
  return {
    answered: (dueMs, endMs, status, bytes) =>
      measurement.answered(dueMs, endMs - dueMs, endMs, status, bytes),
    failed: (dueMs, endMs, kind) => measurement.failed(dueMs, endMs, kind),
    late: (dueMs, byMs) => measurement.late(dueMs, byMs),
    redirected,
  };
}
