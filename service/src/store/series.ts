import type { Labels } from '../promql/labels.ts';
import { ChunkWriter } from './chunk.ts';

/** One series in memory: its identity and the samples of the blocks not yet sealed. */
export class MemorySeries {
  readonly id: number;
  readonly labels: Labels;
  /** Time of the oldest sample, or the start of its block. */
  firstMs: number = Number.POSITIVE_INFINITY;
  /** Time of the newest sample, sealed or not; a sample has to be later to be accepted. */
  lastMs: number = Number.NEGATIVE_INFINITY;
  /** Whether the newest sample is a stale marker. */
  isStale = false;
  /** Set when retention took the series; a holder of this object resolves its labels anew. */
  isRemoved = false;
  /** Open chunks in ascending block order; almost always one. */
  chunks: ChunkWriter[] = [];

  constructor(id: number, labels: Labels) {
    this.id = id;
    this.labels = labels;
  }

  append(timeMs: number, high: number, low: number, blockMs: number): void {
    const base = Math.floor(timeMs / blockMs) * blockMs;
    let chunk = this.chunks.at(-1);
    if (chunk === undefined || chunk.baseMs !== base) {
      chunk = new ChunkWriter(base);
      this.chunks.push(chunk);
    }
    chunk.append(timeMs, high, low);
    if (timeMs < this.firstMs) this.firstMs = timeMs;
    this.lastMs = timeMs;
    this.isStale = high === 0x7ff00000 && low === 2;
  }
}
