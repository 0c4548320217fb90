import { Family, type Series } from './family.ts';

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
