import { build, type Histogram } from 'hdr-histogram-js';
import type { LatencySummary, TimelinePoint } from '../result/result.ts';

const highestUs = 3_600_000_000;

/**
 * HDR histogram of latencies: microseconds, three significant digits (each value is within 0.1 %), up to one hour.
 * Longer latencies are recorded as one hour. Constant memory (about 190 kB), whatever the number of values.
 */
export class LatencyHistogram {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: highestUs,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
  });

  get count(): number {
    return this.#histogram.totalCount;
  }

  record(latencyMs: number): void {
    this.#histogram.recordValue(Math.min(Math.max(Math.round(latencyMs * 1_000), 1), highestUs));
  }

  /** Adds every value of `other`. */
  add(other: LatencyHistogram): void {
    this.#histogram.add(other.#histogram);
  }

  reset(): void {
    this.#histogram.reset();
  }

  /** @param percent in (0, 100] */
  percentileMs(percent: number): number {
    if (this.count === 0) return 0;
    return Math.min(this.#histogram.getValueAtPercentile(percent), this.#histogram.maxValue) / 1_000;
  }

  summary(): LatencySummary {
    const empty = this.count === 0;
    return {
      min: empty ? 0 : this.#histogram.minNonZeroValue / 1_000,
      mean: empty ? 0 : Math.round(this.#histogram.mean) / 1_000,
      p50: this.percentileMs(50),
      p90: this.percentileMs(90),
      p95: this.percentileMs(95),
      p99: this.percentileMs(99),
      p999: this.percentileMs(99.9),
      max: empty ? 0 : this.#histogram.maxValue / 1_000,
    };
  }
}

interface Interval {
  readonly latency: LatencyHistogram;
  answered: number;
  errors: number;
}

/** An interval stays open this long after its end, since worker threads send their outcomes in batches. */
const graceMs = 2_000;

const maxPoints = 3_600;

/**
 * One point for each second of the measured time, or for longer intervals when the run is longer than an hour. Empty
 * intervals are points too, so that a stall shows as zeros. Outcomes belong to the interval in which they ended.
 */
export class Timeline {
  readonly #startMs: number;
  readonly #intervalMs: number;
  readonly #open = new Map<number, Interval>();
  readonly #spare: LatencyHistogram[] = [];
  readonly #points: TimelinePoint[] = [];

  constructor(startMs: number, durationMs: number) {
    this.#startMs = startMs;
    this.#intervalMs = Math.max(1, Math.ceil(durationMs / 1_000 / maxPoints)) * 1_000;
  }

  /** @param latencyMs `undefined` for a request that began before the measured time */
  answered(endMs: number, latencyMs?: number): void {
    const interval = this.#interval(endMs);
    interval.answered += 1;
    if (latencyMs !== undefined) interval.latency.record(latencyMs);
  }

  /** @param waitedMs of a timeout, whose wait counts as a latency */
  failed(endMs: number, waitedMs?: number): void {
    const interval = this.#interval(endMs);
    interval.errors += 1;
    if (waitedMs !== undefined) interval.latency.record(waitedMs);
  }

  /** Closes the open intervals and returns the points. A last interval of less than half the length is dropped as noise. */
  end(endMs: number): readonly TimelinePoint[] {
    this.#closeUntil(endMs);
    const restMs = endMs - this.#endOf(this.#points.length - 1);
    if (restMs >= this.#intervalMs / 2 && restMs < this.#intervalMs) this.#close(restMs);
    return this.#points;
  }

  #interval(endMs: number): Interval {
    this.#closeUntil(endMs - graceMs);
    const index = Math.max(Math.floor((endMs - this.#startMs) / this.#intervalMs), this.#points.length);
    let interval = this.#open.get(index);
    if (interval === undefined) {
      interval = { latency: this.#spare.pop() ?? new LatencyHistogram(), answered: 0, errors: 0 };
      this.#open.set(index, interval);
    }
    return interval;
  }

  #endOf(index: number): number {
    return this.#startMs + (index + 1) * this.#intervalMs;
  }

  #closeUntil(nowMs: number): void {
    while (this.#endOf(this.#points.length) <= nowMs) this.#close(this.#intervalMs);
  }

  #close(lengthMs: number): void {
    const index = this.#points.length;
    const interval = this.#open.get(index);
    this.#points.push({
      atMs: Math.round(index * this.#intervalMs + lengthMs),
      requestsPerSecond: Math.round(((interval?.answered ?? 0) / lengthMs) * 1_000),
      p50Ms: interval?.latency.percentileMs(50) ?? 0,
      p99Ms: interval?.latency.percentileMs(99) ?? 0,
      errors: interval?.errors ?? 0,
    });
    if (interval === undefined) return;
    this.#open.delete(index);
    interval.latency.reset();
    this.#spare.push(interval.latency);
  }
}
