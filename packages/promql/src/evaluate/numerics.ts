/** A running sum with Neumaier's correction: `sum + correction` is the better sum. */
export class CompensatedSum {
  sum = 0;
  correction = 0;

  reset(sum = 0, correction = 0): void {
    this.sum = sum;
    this.correction = correction;
  }

  add(value: number): void {
    const total = this.sum + value;
    if (total === Number.POSITIVE_INFINITY || total === Number.NEGATIVE_INFINITY) this.correction = 0;
    else if (Math.abs(this.sum) >= Math.abs(value)) this.correction += this.sum - total + value;
    else this.correction += value - total + this.sum;
    this.sum = total;
  }

  get total(): number {
    return Number.isFinite(this.sum) || Number.isNaN(this.sum) ? this.sum + this.correction : this.sum;
  }
}

/**
 * The mean by a compensated sum; where that would overflow, by the incremental mean from there on, as Prometheus does.
 */
export class CompensatedMean {
  readonly #state = new CompensatedSum();
  #incremental = false;
  #count = 0;

  reset(): void {
    this.#state.reset();
    this.#incremental = false;
    this.#count = 0;
  }

  add(value: number): void {
    const state = this.#state;
    const count = ++this.#count;
    if (count === 1) {
      state.reset(value);
      return;
    }
    if (!this.#incremental) {
      const { sum, correction } = state;
      state.add(value);
      if (state.sum !== Number.POSITIVE_INFINITY && state.sum !== Number.NEGATIVE_INFINITY) return;
      this.#incremental = true;
      state.reset(sum / (count - 1), correction / (count - 1));
    }
    const share = (count - 1) / count;
    state.reset(share * state.sum, share * state.correction);
    state.add(value / count);
  }

  get mean(): number {
    const { sum, correction } = this.#state;
    return this.#incremental ? sum + correction : sum / this.#count + correction / this.#count;
  }
}

/** The φ-quantile of values, which it sorts: between two ranks their weighted mean. NaN sorts first. */
export function quantile(phi: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(phi)) return Number.NaN;
  if (phi < 0) return Number.NEGATIVE_INFINITY;
  if (phi > 1) return Number.POSITIVE_INFINITY;
  // A typed array sorts NaN last; Prometheus has it first.
  values.sort();
  let nans = 0;
  while (nans < values.length && Number.isNaN(values[values.length - 1 - nans])) nans++;
  const at = (index: number): number => (index < nans ? Number.NaN : (values[index - nans] as number));
  const rank = phi * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return at(lower) * (1 - weight) + at(upper) * weight;
}

/** As Go's `math.Pow`, which unlike JavaScript's has 1 for 1^NaN, 1^±Inf and (-1)^±Inf. */
export function power(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && (exponent === Number.POSITIVE_INFINITY || exponent === Number.NEGATIVE_INFINITY))
    return 1;
  return base ** exponent;
}
