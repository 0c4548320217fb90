/**
 * Native (exponential) buckets. With schema s the bucket of index i holds (2^((i-1)/2^s), 2^(i/2^s)], so every value is known within a factor of
 * 2^(2^-s): 9 % for s = 3. Past `maxBuckets` the schema falls by one and neighbours merge pairwise, which loses only resolution.
 *
 * Source: Prometheus' native histograms, schemas -4 … 8.
 */

/** One side of the buckets in the form of the exposition: runs of indices, and counts as differences. */
export interface NativeSpans {
  readonly spans: readonly { readonly offset: number; readonly length: number }[];
  readonly deltas: readonly number[];
}

/** The default bound of buckets per series. */
const defaultMaxBuckets = 160;
const defaultSchema = 3;
const minSchema = -4;

/** The native side of one series. */
export class NativeBuckets {
  /** Values nearer to 0 than this count as 0. */
  readonly zeroThreshold: number = 2 ** -128;
  readonly #maxBuckets: number;
  #schema = defaultSchema;
  #factor = 2 ** defaultSchema;
  #zeroCount = 0;
  #positive = new Map<number, number>();
  #negative = new Map<number, number>();

  constructor(maxBuckets: number = defaultMaxBuckets) {
    this.#maxBuckets = maxBuckets;
  }

  get schema(): number {
    return this.#schema;
  }

  get zeroCount(): number {
    return this.#zeroCount;
  }

  add(value: number): void {
    const magnitude = Math.abs(value);
    if (magnitude <= this.zeroThreshold) {
      this.#zeroCount += 1;
      return;
    }
    const buckets = value > 0 ? this.#positive : this.#negative;
    const index = this.#indexOf(magnitude);
    buckets.set(index, (buckets.get(index) ?? 0) + 1);
    // One step may merge nothing if the values are far apart.
    while (this.#positive.size + this.#negative.size > this.#maxBuckets && this.#schema > minSchema) {
      this.#coarsen();
    }
  }

  reset(): void {
    this.#zeroCount = 0;
    this.#positive.clear();
    this.#negative.clear();
  }

  positive(): NativeSpans {
    return toSpans(this.#positive);
  }

  negative(): NativeSpans {
    return toSpans(this.#negative);
  }

  // Rounding may put an exact power of the base just above its index; powers of two are frequent bounds.
  #indexOf(magnitude: number): number {
    const exact = Math.log2(magnitude) * this.#factor;
    const nearest = Math.round(exact);
    return Math.abs(exact - nearest) < 1e-11 * Math.max(1, Math.abs(exact)) ? nearest : Math.ceil(exact);
  }

  #coarsen(): void {
    this.#schema -= 1;
    this.#factor = 2 ** this.#schema;
    this.#positive = halve(this.#positive);
    this.#negative = halve(this.#negative);
  }
}

function halve(buckets: ReadonlyMap<number, number>): Map<number, number> {
  const merged = new Map<number, number>();
  for (const [index, count] of buckets) {
    const half = Math.ceil(index / 2);
    merged.set(half, (merged.get(half) ?? 0) + count);
  }
  return merged;
}

function toSpans(buckets: ReadonlyMap<number, number>): NativeSpans {
  const spans: { offset: number; length: number }[] = [];
  const deltas: number[] = [];
  let next = 0;
  let before = 0;
  for (const index of [...buckets.keys()].sort((a, b) => a - b)) {
    const count = buckets.get(index) as number;
    const last = spans[spans.length - 1];
    if (last !== undefined && index === next) last.length += 1;
    // The first offset counts from 0, the others from the end of the span before.
    else spans.push({ offset: index - (last === undefined ? 0 : next), length: 1 });
    deltas.push(count - before);
    before = count;
    next = index + 1;
  }
  return { spans, deltas };
}
