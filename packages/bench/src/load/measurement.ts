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

/** What every kind of load is given. */
export interface LoadOptions {
  readonly scenario: ResolvedScenario;
  readonly trust: TlsTrust | undefined;
  readonly measurement: Measurement;
  /** Monotonic milliseconds. */
  readonly clock: Clock;
  /** Stops at once: what is in flight is dropped uncounted. */
  readonly signal: AbortSignal;
  /** Told of every answer that points elsewhere. Nothing follows it. */
  readonly redirected: (location: string) => void;
}

/** A load that needs no more time to begin: its feeds are read, its threads run. Only then does the clock start. */
export type ReadyLoad = (options: LoadOptions) => Promise<void>;

const rateWindowMs = 1_000;

/** Clocks of threads are compared through sums of large numbers; a microsecond covers their rounding. */
const roundingMs = 0.001;

/**
 * Sorts outcomes into the warm-up and the measured time by the moment a request *began* (in an open loop: was due), so that every
 * request that began in the measured time counts once, even when it ended after it, and none that began before does. Rates alone count
 * what *ended* in the measured time, whenever it began: answers that come after it, of an overloaded server, are no throughput of it.
 * All times are of the injected clock, in milliseconds.
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
    // A request that waited until its timeout is a latency; one that was cut off early would flatter the percentiles.
    const waitedMs = kind === 'timeout' || kind === 'dropped' ? endMs - startMs : undefined;
    if (waitedMs !== undefined) this.#latency.record(waitedMs);
    if (endMs < this.plannedEndMs) this.#timeline.failed(endMs, waitedMs);
  }

  /** The generator itself was `byMs` late with a request that was due at `dueMs`. */
  late(dueMs: number, byMs: number): void {
    if (dueMs < this.#measureMs - roundingMs || dueMs >= this.#endMs - roundingMs) return;
    this.#late += 1;
    this.#latestMs = Math.max(this.#latestMs, byMs);
  }

  /** Nothing should begin at this time or later: it would not be counted. */
  get beginBeforeMs(): number {
    return this.plannedEndMs - roundingMs;
  }

  /** Whether a request that begins then is counted. */
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

  /** Requests without an answer by reason; reasons that did not occur are left out. */
  failures(): Partial<Record<FailureKind, number>> {
    return Object.fromEntries([...this.#failures].sort(([a], [b]) => a.localeCompare(b)));
  }

  /** Requests that the generator sent late, and by how much at most. */
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

/** Told once for every exchange; latency counts from `dueMs`. */
export interface Outcomes {
  answered(dueMs: number, endMs: number, status: number, bytes: number): void;
  failed(dueMs: number, endMs: number, kind: FailureKind): void;
  /** The generator began `byMs` after `dueMs`, for reasons of its own. */
  late(dueMs: number, byMs: number): void;
  /** An answer pointed elsewhere; it is counted like any other and never followed. */
  redirected(location: string): void;
}

/** Counts an open loop's outcomes, whose latency begins when a request was due. */
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
