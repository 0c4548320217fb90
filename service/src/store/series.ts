import type { Labels } from '@weir/promql';
import { ChunkWriter } from './chunk.ts';
import type { ChunkMemory } from './chunk-memory.ts';

/** What series need to open a chunk. */
export interface OpenBlocks {
  readonly blockMs: number;
  readonly memory: ChunkMemory;
}

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
  /** Number of the scrape that last showed it; to tell which series vanished. */
  shownIn = 0;
  /** Open chunks in ascending block order; almost always one. */
  chunks: readonly ChunkWriter[] = none;

  constructor(id: number, labels: Labels) {
    this.id = id;
    this.labels = labels;
  }

  append(timeMs: number, high: number, low: number, { blockMs, memory }: OpenBlocks): void {
    const base = Math.floor(timeMs / blockMs) * blockMs;
    let chunk = this.chunks.at(-1);
    if (chunk === undefined || chunk.baseMs !== base) {
      chunk = new ChunkWriter(base, memory);
      this.chunks = [...this.chunks, chunk];
    }
    chunk.append(timeMs, high, low);
    if (timeMs < this.firstMs) this.firstMs = timeMs;
    this.lastMs = timeMs;
    this.isStale = high === 0x7ff00000 && low === 2;
  }

  /** Whether the newest sample is this one; unknown, and so false, once it is sealed. */
  endsWith(timeMs: number, high: number, low: number): boolean {
    return this.chunks.at(-1)?.endsWith(timeMs, high, low) ?? false;
  }

  /** Forgets the oldest open chunk, which was sealed. */
  dropOldest(): void {
    this.chunks[0]?.release();
    this.chunks = this.chunks.length > 1 ? this.chunks.slice(1) : none;
  }
}

const none: readonly ChunkWriter[] = [];
