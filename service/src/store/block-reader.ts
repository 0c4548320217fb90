import { PromqlError } from '../promql/errors.ts';
import type { Series } from '../promql/queryable.ts';
import { type ChunkWriter, readChunk } from './chunk.ts';
import type { MetricDatabase } from './metric-database.ts';
import { readSealedChunk } from './sealed-chunk.ts';
import type { MemorySeries } from './series.ts';

interface Piece {
  readonly baseMs: number;
  readonly samples: number;
  readonly data: Uint8Array;
  readonly read: typeof readChunk | typeof readSealedChunk;
}

interface SealedBlock {
  readonly startMs: number;
  readonly samples: number;
}

/** Reads series across sealed blocks and open chunks. */
export class BlockReader {
  readonly #database: MetricDatabase;
  readonly #blockMs: number;
  #blocks: readonly SealedBlock[];

  constructor(database: MetricDatabase, blocks: readonly SealedBlock[], blockMs: number) {
    this.#database = database;
    this.#blocks = blocks;
    this.#blockMs = blockMs;
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

  read(found: readonly MemorySeries[], startMs: number, endMs: number, maxSamples: number): Series[] {
    const pieces = new Map<number, Piece[]>();
    let total = 0;
    const take = (id: number, piece: Piece): void => {
      total += piece.samples;
      if (total > maxSamples) {
        throw new PromqlError('execution', `query would load more than the limit of ${maxSamples} samples`);
      }
      const list = pieces.get(id);
      if (list === undefined) pieces.set(id, [piece]);
      else list.push(piece);
    };
    const blocks = this.#overlapping(startMs, endMs);
    if (blocks.length > 0 && found.length > 0) {
      const ids = found.map((series) => series.id).sort((a, b) => a - b);
      for (const block of blocks)
        for (const { seriesId, samples, data } of this.#database.chunks(block.startMs, ids))
          take(seriesId, { baseMs: block.startMs, samples, data, read: readSealedChunk });
    }
    const result: Series[] = [];
    for (const series of found) {
      for (const chunk of series.chunks) if (overlaps(chunk, startMs, endMs)) take(series.id, pieceOf(chunk));
      const list = pieces.get(series.id);
      if (list !== undefined) result.push(assemble(series, list, startMs, endMs));
    }
    return result;
  }

  #overlapping(startMs: number, endMs: number): readonly SealedBlock[] {
    return this.#blocks.filter((block) => block.startMs <= endMs && block.startMs + this.#blockMs > startMs);
  }
}

function overlaps(chunk: ChunkWriter, startMs: number, endMs: number): boolean {
  return chunk.baseMs <= endMs && chunk.lastMs >= startMs;
}

function pieceOf(chunk: ChunkWriter): Piece {
  return { baseMs: chunk.baseMs, samples: chunk.count, data: chunk.bytes(), read: readChunk };
}

function assemble(series: MemorySeries, pieces: readonly Piece[], startMs: number, endMs: number): Series {
  const total = pieces.reduce((sum, { samples }) => sum + samples, 0);
  const timestamps = new Float64Array(total);
  const values = new Float64Array(total);
  let offset = 0;
  for (const { data, samples, baseMs, read } of pieces) {
    read(data, samples, baseMs, timestamps, values, offset);
    offset += samples;
  }
  const from = lowerBound(timestamps, startMs);
  const to = lowerBound(timestamps, endMs + 1);
  return {
    labels: series.labels,
    timestamps: timestamps.subarray(from, to),
    values: values.subarray(from, to),
  };
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
