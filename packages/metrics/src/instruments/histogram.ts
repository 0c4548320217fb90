/**
 * Classic histograms: `cells[i]` counts the values in (bound[i-1], bound[i]], `cells[n]` those above all bounds, and
 * `cells[n + 1]` is their sum. Counts become cumulative only when they are exported.
 */
import type { MetricDefinition } from '../catalogue.ts';
import { metricsError } from '../errors.ts';
import { Family, type Series } from './family.ts';
import { NativeBuckets } from './native-buckets.ts';

/** A single observation with its trace, as OpenMetrics exports it. */
export interface Exemplar {
  readonly traceId: string;
  readonly spanId: string;
  readonly value: number;
  /** Unix time in seconds. */
  readonly timestamp: number;
}

/** The distribution of one label set. */
export class HistogramSeries implements Series {
  readonly labelValues: readonly string[];
  rendered: Series['rendered'];
  readonly bounds: Float64Array;
  /** Exponential buckets beside the classic ones, if the family has them. */
  readonly native: NativeBuckets | undefined;
  readonly #name: string;
  readonly #cells: Float64Array;
  readonly #onObserve: (() => void) | undefined;
  #exemplars: (Exemplar | undefined)[] | undefined;

  constructor(
    name: string,
    bounds: Float64Array,
    labelValues: readonly string[],
    onObserve: (() => void) | undefined,
    native?: NativeBuckets,
  ) {
    this.native = native;
    this.#name = name;
    this.bounds = bounds;
    this.#cells = new Float64Array(bounds.length + 2);
    this.labelValues = labelValues;
    this.#onObserve = onObserve;
  }

  /** Records one value in the metric's unit. Throws ERR_WEIR_METRICS_INVALID_VALUE for a value that is not a finite number. */
  observe(value: number): void {
    if (!(value > -Infinity && value < Infinity))
      throw metricsError('ERR_WEIR_METRICS_INVALID_VALUE', this.#name, value);
    const { bounds } = this;
    const length = bounds.length;
    const cells = this.#cells;
    let index = 0;
    while (index < length && value > (bounds[index] as number)) index += 1;
    (cells[index] as number) += 1;
    (cells[length + 1] as number) += value;
    if (this.native !== undefined) this.native.add(value);
    if (this.#onObserve !== undefined) this.#onObserve();
  }

  /** Keeps `exemplar` as the latest of its value's bucket. */
  setExemplar(exemplar: Exemplar): void {
    this.#exemplars ??= new Array(this.bounds.length + 1).fill(undefined);
    this.#exemplars[this.#bucketOf(exemplar.value)] = exemplar;
  }

  reset(): void {
    this.#cells.fill(0);
    this.#exemplars = undefined;
    this.native?.reset();
  }

  /** Adds `count` values of one bucket at once, for distributions kept elsewhere. `bounds.length` is the +Inf bucket. */
  addToBucket(index: number, count: number): void {
    (this.#cells[index] as number) += count;
  }

  /** Adds to the sum alone; the counterpart of `addToBucket`. */
  addToSum(sum: number): void {
    (this.#cells[this.bounds.length + 1] as number) += sum;
  }

  get sum(): number {
    return this.#cells[this.bounds.length + 1] as number;
  }

  get count(): number {
    let count = 0;
    for (let index = 0; index <= this.bounds.length; index += 1) count += this.#cells[index] as number;
    return count;
  }

  /** Values in the bucket alone, not cumulative. */
  bucketCount(index: number): number {
    return this.#cells[index] as number;
  }

  exemplarOf(index: number): Exemplar | undefined {
    return this.#exemplars?.[index];
  }

  #bucketOf(value: number): number {
    let index = 0;
    while (index < this.bounds.length && value > (this.bounds[index] as number)) index += 1;
    return index;
  }
}

/** A family of histograms with the same bounds. */
export class Histogram extends Family<HistogramSeries> {
  readonly bounds: Float64Array;
  readonly #isNative: boolean;

  /** `isNative` adds exponential buckets, which only the protobuf format carries. */
  constructor(definition: MetricDefinition, maxSeries?: number, isNative = false) {
    super(definition, maxSeries);
    this.#isNative = isNative;
    const buckets = definition.buckets ?? [];
    const ascending = buckets.every(
      (bound, index) => Number.isFinite(bound) && (index === 0 || bound > (buckets[index - 1] as number)),
    );
    if (buckets.length === 0 || !ascending) {
      throw metricsError(
        'ERR_WEIR_METRICS_INVALID_OPTION',
        'buckets',
        'a non-empty ascending list of finite numbers',
        buckets,
      );
    }
    this.bounds = Float64Array.from(buckets);
  }

  /** Observes into the series without labels. */
  observe(value: number): void {
    this.labels().observe(value);
  }

  protected override create(
    labelValues: readonly string[],
    onObserve: (() => void) | undefined,
  ): HistogramSeries {
    const native = this.#isNative ? new NativeBuckets() : undefined;
    return new HistogramSeries(this.definition.name, this.bounds, labelValues, onObserve, native);
  }
}
