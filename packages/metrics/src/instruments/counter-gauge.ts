/** Counters and gauges: families whose series hold one number. */
import { metricsError } from '../errors.ts';
import { Family, type Series } from './family.ts';

/** A family of counters. */
export class Counter extends Family<CounterSeries> {
  /** Adds to the series without labels. */
  inc(amount?: number): void {
    this.labels().inc(amount);
  }

  protected override create(
    labelValues: readonly string[],
    onObserve: (() => void) | undefined,
  ): CounterSeries {
    return new CounterSeries(this.definition.name, labelValues, onObserve);
  }
}

/** A number that only grows. */
export class CounterSeries implements Series {
  readonly labelValues: readonly string[];
  rendered: Series['rendered'];
  readonly #name: string;
  readonly #onObserve: (() => void) | undefined;
  readonly #cell = new Float64Array(1);
  /** The external total at the last reset. */
  #base = 0;

  constructor(name: string, labelValues: readonly string[], onObserve: (() => void) | undefined) {
    this.#name = name;
    this.labelValues = labelValues;
    this.#onObserve = onObserve;
  }

  get value(): number {
    return this.#cell[0] as number;
  }

  reset(): void {
    this.#base += this.value;
    this.#cell[0] = 0;
  }

  /** Adds `amount`, by default 1. Throws ERR_WEIR_METRICS_INVALID_VALUE below 0 and for a number that is not finite. */
  inc(amount = 1): void {
    if (!(amount >= 0 && amount < Infinity))
      throw metricsError('ERR_WEIR_METRICS_INVALID_VALUE', this.#name, amount);
    (this.#cell[0] as number) += amount;
    this.#onObserve?.();
  }

  /** Sets it to a total kept elsewhere, such as a cache's own counter, minus that total at the last reset. */
  setTotal(total: number): void {
    this.#cell[0] = total - this.#base;
  }
}

/** A family of gauges. */
export class Gauge extends Family<GaugeSeries> {
  /** Sets the series without labels. */
  set(value: number): void {
    this.labels().set(value);
  }

  protected override create(
    labelValues: readonly string[],
    onObserve: (() => void) | undefined,
  ): GaugeSeries {
    return new GaugeSeries(labelValues, onObserve);
  }
}

/** A number that goes up and down. */
export class GaugeSeries implements Series {
  readonly labelValues: readonly string[];
  rendered: Series['rendered'];
  readonly #onObserve: (() => void) | undefined;
  readonly #cell = new Float64Array(1);

  constructor(labelValues: readonly string[], onObserve: (() => void) | undefined) {
    this.labelValues = labelValues;
    this.#onObserve = onObserve;
  }

  get value(): number {
    return this.#cell[0] as number;
  }

  reset(): void {
    this.#cell[0] = 0;
  }

  set(value: number): void {
    this.#cell[0] = value;
    this.#onObserve?.();
  }

  inc(amount = 1): void {
    (this.#cell[0] as number) += amount;
    this.#onObserve?.();
  }

  dec(amount = 1): void {
    (this.#cell[0] as number) -= amount;
  }
}
