import { bytesPerRow, MemorySegment } from './memory-segment.ts';
import { StringHash } from './string-hash.ts';

/** Rows looked at by each insertion into a full segment, to drop records that say nothing any more. */
const SWEEP = 2;
/** Rows compared when a full segment needs room. */
const SAMPLE = 8;

/** What the table must know of its records to choose which to drop. */
export interface RecordPolicy {
  /** True when the record says no more than a record of zeros. */
  idle(cells: Float64Array, base: number): boolean;
  /** How much of the quota is used up, 0–1; 1 for a key that would be denied, which is never dropped. */
  usage(cells: Float64Array, base: number): number;
}

/** Options of {@link MemoryTable}. */
export interface MemoryTableOptions {
  /** Float64 cells a record. */
  readonly width: number;
  readonly maxKeys: number;
  readonly maxBytes: number;
  readonly records: RecordPolicy;
  readonly random: () => number;
}

/**
 * Records by key, bounded in number and bytes, by extendible hashing (Fagin and others, 1979): a directory of up to 256
 * entries leads to one segment at first, which splits where it would become large. So few keys lie close together,
 * and no insertion moves more than some thousand of many keys, or a 256th.
 *
 * When full, a new key takes the place of the least used of eight records. A record whose key would be denied never
 * gives way: where all eight are such, the new key shares its segment's spare record with other newcomers, so a flood
 * of made-up keys costs the flood, not the key it wants forgotten.
 */
export class MemoryTable {
  /** Segment and row base of the last `locate`. */
  segment: MemorySegment;
  readonly maxKeys: number;
  /** By the highest bits of the high hash; a segment that could still split has several entries in a row. */
  readonly #directory: MemorySegment[];
  readonly #bits: number;
  readonly #shift: number;
  readonly #width: number;
  readonly #records: RecordPolicy;
  readonly #hash: StringHash;

  constructor({ width, maxKeys, maxBytes, records, random }: MemoryTableOptions) {
    this.#width = width;
    this.#records = records;
    this.#hash = new StringHash(random);
    const keys = Math.max(1, Math.min(maxKeys, Math.floor(maxBytes / bytesPerRow(width))));
    const bits = Math.min(8, Math.max(0, Math.floor(Math.log2(keys / 64))));
    this.#bits = bits;
    this.#shift = 32 - bits;
    this.maxKeys = Math.max(1, Math.floor(keys / 2 ** bits)) * 2 ** bits;
    this.segment = new MemorySegment(width, this.maxKeys);
    this.#directory = new Array(2 ** bits).fill(this.segment);
  }

  /** Keys held now. */
  get size(): number {
    return this.#segments().reduce((total, segment) => total + segment.size, 0);
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#segments().reduce((total, segment) => total + segment.bytes, 0);
  }

  /** The cell at which the key's record begins in `this.segment.cells`; −1 when absent and `create` is false. */
  locate(key: string, create: boolean): number {
    const hash = this.#hash;
    hash.update(key);
    // A shift by 32 would be a shift by 0.
    const index = this.#shift === 32 ? 0 : hash.high >>> this.#shift;
    const segment = this.#directory[index] as MemorySegment;
    this.segment = segment;
    let row = segment.find(hash.low, hash.high);
    if (row < 0) {
      if (!create) return -1;
      row = this.#admit(segment, index);
    }
    return row * this.#width;
  }

  /** Forgets a key. */
  delete(key: string): void {
    const base = this.locate(key, false);
    if (base >= 0) this.segment.remove(base / this.#width);
  }

  #segments(): MemorySegment[] {
    return [...new Set(this.#directory)];
  }

  /** A row for the key last hashed, in `this.segment`. */
  #admit(segment: MemorySegment, index: number): number {
    const { low, high } = this.#hash;
    if (segment.full) {
      this.#sweep(segment, SWEEP);
      if (segment.full && !this.#evict(segment)) return segment.capacity;
    } else if (segment.crowded) {
      this.#sweep(segment, segment.capacity);
      if (segment.outgrown) {
        if (segment.large && segment.depth < this.#bits) {
          this.#split(segment, index);
          return this.#admit(this.segment, index);
        }
        segment.grow();
      }
    }
    return segment.insert(low, high);
  }

  #split(segment: MemorySegment, index: number): void {
    const [first, second] = segment.split();
    const each = 2 ** (this.#bits - segment.depth - 1);
    const start = index - (index % (each * 2));
    this.#directory.fill(first, start, start + each);
    this.#directory.fill(second, start + each, start + each * 2);
    this.segment = this.#directory[index] as MemorySegment;
  }

  /** Drops records that say nothing any more: among a few rows of a full segment, among all before one grows. */
  #sweep(segment: MemorySegment, rows: number): void {
    let { hand } = segment;
    for (let looked = 0; looked < rows; looked++) {
      hand = hand + 1 < segment.capacity ? hand + 1 : 0;
      while (segment.occupied(hand) && this.#records.idle(segment.cells, hand * this.#width))
        segment.remove(hand);
    }
    segment.hand = hand;
  }

  #evict(segment: MemorySegment): boolean {
    let victim = -1;
    let least = 1;
    let row = segment.hand;
    // At a full segment's load at most one row in four is empty, so this ends soon.
    for (let compared = 0, seen = 0; compared < SAMPLE && seen < segment.capacity; seen++) {
      row = row + 1 < segment.capacity ? row + 1 : 0;
      if (!segment.occupied(row)) continue;
      compared++;
      const usage = this.#records.usage(segment.cells, row * this.#width);
      if (usage < least) {
        least = usage;
        victim = row;
      }
    }
    segment.hand = row;
    if (victim < 0) return false;
    segment.remove(victim);
    return true;
  }
}
