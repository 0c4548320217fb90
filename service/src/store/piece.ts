import type { Labels, Series } from '@weir/promql';
import { readChunk } from './chunk.ts';
import { readSealedChunk } from './sealed-chunk.ts';

/** One series' samples within one block, compressed. */
export interface Piece {
  readonly baseMs: number;
  readonly samples: number;
  readonly data: Uint8Array;
  readonly isSealed: boolean;
}

/**
 * Decompresses a series' pieces, in ascending time, and cuts them to `startMs ≤ t ≤ endMs`. A piece that is damaged or of a
 * format no longer known is left out and told to `onDamage`: the rest of the series is still worth an answer.
 */
export function assemble(
  labels: Labels,
  pieces: readonly Piece[],
  startMs: number,
  endMs: number,
  onDamage: (piece: Piece) => void,
): Series {
  const total = pieces.reduce((sum, { samples }) => sum + samples, 0);
  const timestamps = new Float64Array(total);
  const values = new Float64Array(total);
  let end = 0;
  for (const piece of pieces) {
    const { data, samples, baseMs, isSealed } = piece;
    try {
      (isSealed ? readSealedChunk : readChunk)(data, samples, baseMs, timestamps, values, end);
      end += samples;
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
      onDamage(piece);
    }
  }
  const whole = timestamps.subarray(0, end);
  const from = lowerBound(whole, startMs);
  const to = lowerBound(whole, endMs + 1);
  return { labels, timestamps: timestamps.subarray(from, to), values: values.subarray(from, to) };
}

/** Index of the first element not below `bound`. */
function lowerBound(sorted: Float64Array, bound: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What a query is told about a chunk that was left out of its answer. */
export function damageWarning(baseMs: number): string {
  return `samples of the block of ${new Date(baseMs).toISOString()} are damaged and left out`;
}
