import { build, type Histogram } from 'hdr-histogram-js';

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

  /** Adds every value of `other`, as if it had been recorded here. */
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
