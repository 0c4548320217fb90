import type { Labels } from '@weir/promql';
import { ChunkWriter, highWord, lowWord } from './chunk.ts';
import type { ChunkMemory } from './chunk-memory.ts';

/** What a series needs to open a chunk. */
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
  /** Set when retention removed the series. A holder of this object has to resolve the labels anew. */
  isRemoved = false;
  /** Number of the last scrape that contained the series; finds the series that vanished. */
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

  /** Whether the newest sample is this one. Always false once that sample is sealed. */
  endsWith(timeMs: number, high: number, low: number): boolean {
    return this.chunks.at(-1)?.endsWith(timeMs, high, low) ?? false;
  }

  /** Drops the oldest open chunk after it was sealed. */
  dropOldest(): void {
    this.chunks[0]?.release();
    this.chunks = this.chunks.length > 1 ? this.chunks.slice(1) : none;
  }
}

const none: readonly ChunkWriter[] = [];

const staleHigh = 0x7ff00000;
const staleLow = 2;

/**
 * Samples for the store, as columns. Values are kept in a typed array: a stale marker is a NaN with certain bits, which a
 * number variable may lose.
 */
export class SampleBatch<Key> {
  readonly keys: Key[] = [];
  #times: Float64Array = new Float64Array(256);
  #values: Float64Array = new Float64Array(256);
  #words: Uint32Array = new Uint32Array(this.#values.buffer);

  get size(): number {
    return this.keys.length;
  }

  /** Views of the columns, valid until the next `add`. */
  get times(): Float64Array {
    return this.#times.subarray(0, this.size);
  }

  get values(): Float64Array {
    return this.#values.subarray(0, this.size);
  }

  add(key: Key, timeMs: number, value: number): void {
    const at = this.#reserve(key, timeMs);
    this.#values[at] = value;
    // Every other NaN is normalized, so that none is mistaken for the stale marker.
    if (Number.isNaN(value)) this.#put(at, 0x7ff80000, 1);
  }

  addStale(key: Key, timeMs: number): void {
    this.#put(this.#reserve(key, timeMs), staleHigh, staleLow);
  }

  addWords(key: Key, timeMs: number, high: number, low: number): void {
    this.#put(this.#reserve(key, timeMs), high, low);
  }

  highAt(index: number): number {
    return this.#words[index * 2 + highWord] as number;
  }

  lowAt(index: number): number {
    return this.#words[index * 2 + lowWord] as number;
  }

  #put(at: number, high: number, low: number): void {
    this.#words[at * 2 + highWord] = high;
    this.#words[at * 2 + lowWord] = low;
  }

  #reserve(key: Key, timeMs: number): number {
    const at = this.keys.length;
    if (at === this.#times.length) {
      const times = new Float64Array(at * 2);
      times.set(this.#times);
      const values = new Float64Array(at * 2);
      values.set(this.#values);
      this.#times = times;
      this.#values = values;
      this.#words = new Uint32Array(values.buffer);
    }
    this.keys.push(key);
    this.#times[at] = timeMs;
    return at;
  }
}
