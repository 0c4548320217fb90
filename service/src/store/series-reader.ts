import {
  type Labels,
  type Matcher,
  PromqlError,
  type Queryable,
  type SelectLimits,
  type Series,
} from '@weir/promql';
import { type ChunkWriter, readChunk } from './chunk.ts';
import type { ChunkRow, MetricDatabase } from './metric-database.ts';
import { readSealedChunk } from './sealed-chunk.ts';
import type { MemorySeries } from './series.ts';
import type { SeriesIndex } from './series-index.ts';

interface SealedBlock {
  readonly startMs: number;
  readonly samples: number;
}

/** Above this many series to decompress, {@link SeriesReader.seriesBetween} judges a range by blocks. */
const exactUpTo = 20_000;

/** Reads series across sealed blocks and open chunks. */
export class SeriesReader implements Queryable {
  readonly #index: SeriesIndex;
  readonly #database: MetricDatabase;
  readonly #blockMs: number;
  #blocks: readonly SealedBlock[];

  constructor(index: SeriesIndex, database: MetricDatabase, blocks: readonly SealedBlock[], blockMs: number) {
    this.#index = index;
    this.#database = database;
    this.#blocks = blocks;
    this.#blockMs = blockMs;
  }

  /**
   * Matching series with their samples of `startMs ≤ t ≤ endMs`. Damaged chunks are left out and reported to `limits.warn`.
   * @throws PromqlError `execution` when more series or samples are selected than `limits` allows.
   */
  select(
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
    limits?: SelectLimits,
  ): readonly Series[] {
    const found = this.#index.select(matchers);
    if (limits !== undefined && found.length > limits.maxSeries)
      throw tooManySeries(found.length, limits.maxSeries);
    return this.#read(found, startMs, endMs, {
      maxSamples: limits?.maxSamples ?? Number.POSITIVE_INFINITY,
      onDamage: ({ baseMs }) => limits?.warn?.(damageWarning(baseMs)),
    });
  }

  /**
   * Matching series that have samples within the range. Exact, unless more than 20,000 series would have to be decompressed:
   * those are judged to the precision of a block.
   */
  seriesBetween(matchers: readonly Matcher[], startMs: number, endMs: number): MemorySeries[] {
    const near = this.#index
      .select(matchers)
      .filter((series) => series.firstMs <= endMs && series.lastMs >= startMs - this.#blockMs);
    if (startMs === Number.NEGATIVE_INFINITY && endMs === Number.POSITIVE_INFINITY) return near;
    // The newest sample's time is known to the millisecond while its chunk is open.
    const isSure = ({ chunks, lastMs }: MemorySeries): boolean =>
      chunks.length > 0 && lastMs >= startMs && lastMs <= endMs;
    const unsure = near.filter((series) => !isSure(series));
    if (unsure.length === 0 || unsure.length > exactUpTo) return near;
    const read = this.#read(unsure, startMs, endMs, { maxSamples: Number.POSITIVE_INFINITY });
    const found = new Set(read.filter(({ timestamps }) => timestamps.length > 0).map(({ labels }) => labels));
    return near.filter((series) => isSure(series) || found.has(series.labels));
  }

  get oldestMs(): number | undefined {
    return this.#blocks[0]?.startMs;
  }

  get blocks(): readonly SealedBlock[] {
    return this.#blocks;
  }

  addBlock(block: SealedBlock): void {
    this.#blocks = [...this.#blocks.filter(({ startMs }) => startMs !== block.startMs), block].sort(
      (a, b) => a.startMs - b.startMs,
    );
  }

  removeBlock(startMs: number): void {
    this.#blocks = this.#blocks.filter((block) => block.startMs !== startMs);
  }

  /** Sealed blocks that may hold samples between two times. */
  overlapping(startMs: number, endMs: number): readonly SealedBlock[] {
    return this.#blocks.filter((block) => block.startMs <= endMs && block.startMs + this.#blockMs > startMs);
  }

  /** The sealed chunks of some series within one block. */
  sealed(blockMs: number, seriesIds: readonly number[]): ChunkRow[] {
    return this.#database.chunks(blockMs, seriesIds);
  }

  /** @throws PromqlError `execution` when there are more than `maxSamples`. */
  #read(found: readonly MemorySeries[], startMs: number, endMs: number, limits: ReadLimits): Series[] {
    const pieces = new Map<number, Piece[]>();
    let total = 0;
    const take = (id: number, piece: Piece): void => {
      total += piece.samples;
      if (total > limits.maxSamples) throw tooManySamples(limits.maxSamples);
      const list = pieces.get(id);
      if (list === undefined) pieces.set(id, [piece]);
      else list.push(piece);
    };
    const blocks = this.overlapping(startMs, endMs);
    if (blocks.length > 0 && found.length > 0) {
      const ids = found.map((series) => series.id).sort((a, b) => a - b);
      for (const { startMs: baseMs } of blocks)
        for (const { seriesId, samples, data } of this.sealed(baseMs, ids))
          take(seriesId, { baseMs, samples, data, isSealed: true });
    }
    const result: Series[] = [];
    for (const series of found) {
      for (const chunk of series.chunks)
        if (overlaps(chunk, startMs, endMs))
          take(series.id, {
            baseMs: chunk.baseMs,
            samples: chunk.count,
            data: chunk.bytes(),
            isSealed: false,
          });
      const list = pieces.get(series.id);
      if (list !== undefined)
        result.push(assemble(series.labels, list, startMs, endMs, limits.onDamage ?? (() => {})));
    }
    return result;
  }
}

interface ReadLimits {
  readonly maxSamples: number;
  /** Called for a chunk that cannot be read and is left out. */
  readonly onDamage?: (piece: Piece) => void;
}

/** Whether an open chunk may hold samples between two times. */
export function overlaps(chunk: ChunkWriter, startMs: number, endMs: number): boolean {
  return chunk.baseMs <= endMs && chunk.lastMs >= startMs;
}

export function tooManySeries(count: number, limit: number): PromqlError {
  return new PromqlError('execution', `query selects ${count} series, more than the limit of ${limit}`);
}

export function tooManySamples(limit: number): PromqlError {
  return new PromqlError('execution', `query would load more than the limit of ${limit} samples`);
}

/** One series' samples within one block, compressed. */
export interface Piece {
  readonly baseMs: number;
  readonly samples: number;
  readonly data: Uint8Array;
  readonly isSealed: boolean;
}

/**
 * Decompresses a series' pieces, in ascending time, and cuts them to `startMs ≤ t ≤ endMs`. A piece that is damaged or of a
 * unknown format is left out and passed to `onDamage`; the rest of the series is returned.
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

/** The warning of a query whose answer lacks a damaged chunk. */
export function damageWarning(baseMs: number): string {
  return `samples of the block of ${new Date(baseMs).toISOString()} are damaged and left out`;
}
