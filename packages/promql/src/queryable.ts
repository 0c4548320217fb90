import type { Labels } from './labels.ts';
import type { Matcher } from './syntax/matcher.ts';

/**
 * One series' samples in ascending time, timestamps in Unix milliseconds and strictly increasing. The engine reads
 * the arrays and never writes to them, so a store may hand out its own memory or views of it.
 *
 * A stale marker is the NaN with exactly the bits 0x7ff0000000000002. JavaScript keeps a NaN's bits in typed-array
 * copies (`set`, `slice`, `subarray`) but may lose them in a number variable: copy arrays, not numbers.
 */
export interface Series {
  readonly labels: Labels;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** What a query may still take in; a store that sees more coming may stop early by throwing `PromqlError`. */
export interface SelectLimits {
  readonly maxSeries: number;
  readonly maxSamples: number;
  /** Takes what the query's answer has to say about the samples. */
  readonly warn?: (text: string) => void;
}

/** What the engine asks of a store. Synchronous: the engine waits for its samples. */
export interface Queryable {
  /**
   * All series for which every matcher passes, with their samples of `startMs ≤ t ≤ endMs`. More samples than asked
   * do no harm, nor do series without samples; the order of the series is free, and no two have equal labels.
   */
  select(
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
    limits?: SelectLimits,
  ): readonly Series[];
}

const staleHigh = 0x7ff00000;
const staleLow = 0x00000002;
const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Writes the stale marker at `index`, bit for bit. */
export function writeStale(values: Float64Array, index: number): void {
  const words = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  words[littleEndian ? 1 : 0] = staleHigh;
  words[littleEndian ? 0 : 1] = staleLow;
}

/** Whether `values[index]` is the stale marker, not any other NaN. */
export function isStale(values: Float64Array, index: number): boolean {
  const value = values[index] as number;
  if (!Number.isNaN(value)) return false;
  const words = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  return words[littleEndian ? 1 : 0] === staleHigh && words[littleEndian ? 0 : 1] === staleLow;
}
