import { LatencyHistogram, type LatencySummary } from './latency-histogram.ts';
import type { BenchmarkProgress, RequestCounts, TimelinePoint } from './result.ts';

/** Why a request got no answer. */
export type FailureKind = 'timeout' | 'cut' | 'refused' | 'malformed';

const intervalMs = 1_000;

/**
 * Sorts outcomes into the warm-up and the measured time by the moment a request *began*, so that every request that
 * began in the measured time counts once, even when it ended after it, and none that began before does.
 * All times are of the injected clock, in milliseconds.
 */
export class Measurement {
  readonly #beginMs: number;
  readonly #measureMs: number;
  /** End of the measured time, unless it is cut short. */
  readonly plannedEndMs: number;
  #endMs: number;

  readonly #warmup = new LatencyHistogram();
  #warmupErrors = 0;
  #warmupAnswered = 0;

  readonly #latency = new LatencyHistogram();
  readonly #statusCodes = new Map<number, number>();
  #ok = 0;
  #answered = 0;
  #errors = 0;
  #timeouts = 0;
  #bytes = 0;

  readonly #interval = new LatencyHistogram();
  readonly #timeline: TimelinePoint[] = [];
  #intervalErrors = 0;
  #intervalAnswered = 0;
  #intervalEndMs: number;

  #rateAnswered = 0;
  #rateFromMs: number;
  #lastRate = 0;

  constructor(beginMs: number, warmupMs: number, durationMs: number) {
    this.#beginMs = beginMs;
    this.#measureMs = beginMs + warmupMs;
    this.plannedEndMs = this.#measureMs + durationMs;
    this.#endMs = this.plannedEndMs;
    this.#intervalEndMs = this.#measureMs + intervalMs;
    this.#rateFromMs = beginMs;
  }

  answered(startMs: number, latencyMs: number, endMs: number, status: number, bytes: number): void {
    this.#rateAnswered += 1;
    if (startMs < this.#measureMs) {
      this.#warmup.record(latencyMs);
      this.#warmupAnswered += 1;
      return;
    }
    if (startMs >= this.#endMs) return;
    this.#closeIntervals(endMs);
    this.#latency.record(latencyMs);
    this.#answered += 1;
    this.#bytes += bytes;
    if (status >= 200 && status < 300) this.#ok += 1;
    this.#statusCodes.set(status, (this.#statusCodes.get(status) ?? 0) + 1);
    if (endMs < this.plannedEndMs) {
      this.#interval.record(latencyMs);
      this.#intervalAnswered += 1;
    }
  }

  failed(startMs: number, endMs: number, kind: FailureKind): void {
    if (startMs < this.#measureMs) {
      this.#warmupErrors += 1;
      return;
    }
    if (startMs >= this.#endMs) return;
    this.#closeIntervals(endMs);
    this.#errors += 1;
    if (endMs < this.plannedEndMs) this.#intervalErrors += 1;
    if (kind !== 'timeout') return;
    this.#timeouts += 1;
    this.#latency.record(endMs - startMs);
    if (endMs < this.plannedEndMs) this.#interval.record(endMs - startMs);
  }

  /** Cuts the measured time short; requests that begin later no longer count. */
  end(nowMs: number): void {
    this.#endMs = Math.max(this.#measureMs, Math.min(nowMs, this.plannedEndMs));
    this.#closeIntervals(this.#endMs);
  }

  progress(nowMs: number): BenchmarkProgress {
    const warm = nowMs < this.#measureMs;
    const latency = warm ? this.#warmup : this.#latency;
    const errors = warm ? this.#warmupErrors : this.#errors;
    return {
      phase: warm ? 'warmup' : 'running',
      elapsedMs: Math.round(Math.min(nowMs, this.plannedEndMs) - this.#beginMs),
      totalMs: Math.round(this.plannedEndMs - this.#beginMs),
      requests: (warm ? this.#warmupAnswered : this.#answered) + errors,
      errors,
      requestsPerSecond: this.#rate(nowMs),
      p50Ms: latency.percentileMs(50),
      p99Ms: latency.percentileMs(99),
    };
  }

  get durationMs(): number {
    return Math.round(this.#endMs - this.#measureMs);
  }

  counts(): RequestCounts {
    return {
      total: this.#answered + this.#errors,
      ok: this.#ok,
      non2xx: this.#answered - this.#ok,
      errors: this.#errors,
      timeouts: this.#timeouts,
      perSecond: this.#perSecond(this.#answered),
    };
  }

  latency(): LatencySummary {
    return this.#latency.summary();
  }

  statusCodes(): Record<string, number> {
    return Object.fromEntries([...this.#statusCodes].sort(([a], [b]) => a - b));
  }

  bytesPerSecond(): number {
    return this.#perSecond(this.#bytes);
  }

  timeline(): readonly TimelinePoint[] {
    return this.#timeline;
  }

  #perSecond(count: number): number {
    const seconds = this.durationMs / 1_000;
    return seconds === 0 ? 0 : Math.round((count / seconds) * 100) / 100;
  }

  #rate(nowMs: number): number {
    const span = nowMs - this.#rateFromMs;
    if (span >= intervalMs || (this.#lastRate === 0 && span > 0)) {
      this.#lastRate = Math.round((this.#rateAnswered / span) * 1_000);
      this.#rateAnswered = 0;
      this.#rateFromMs = nowMs;
    }
    return this.#lastRate;
  }

  /** Closes every interval that ended by `nowMs`, empty ones too, so that a stall shows as a gap of zeros. */
  #closeIntervals(nowMs: number): void {
    const until = Math.min(nowMs, this.#endMs);
    while (this.#intervalEndMs <= until) this.#closeInterval(intervalMs);
    const rest = until - (this.#intervalEndMs - intervalMs);
    // A last interval shorter than half a second would be noise, not a point.
    if (until === this.#endMs && rest >= intervalMs / 2) this.#closeInterval(rest);
  }

  #closeInterval(lengthMs: number): void {
    this.#timeline.push({
      atMs: Math.round(this.#intervalEndMs - intervalMs + lengthMs - this.#measureMs),
      requestsPerSecond: Math.round((this.#intervalAnswered / lengthMs) * 1_000),
      p50Ms: this.#interval.percentileMs(50),
      p99Ms: this.#interval.percentileMs(99),
      errors: this.#intervalErrors,
    });
    this.#intervalEndMs += intervalMs;
    this.#interval.reset();
    this.#intervalAnswered = 0;
    this.#intervalErrors = 0;
  }
}
