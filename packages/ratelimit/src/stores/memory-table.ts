import { bytesPerRow, MemorySegment } from './memory-segment.ts';
import { NamedRows, type RecordPolicy } from './named-rows.ts';
import { StringHash } from './string-hash.ts';

/** Rows looked at by each insertion into a full segment, to evict records that no longer matter. */
const rowsSwept = 2;
/** Rows compared when a full segment needs room. */
const rowsCompared = 8;
/** Named rows moved to segments by each insertion once names are given up. */
const rowsMoved = 16;

/** Options of {@link MemoryTable}. */
interface MemoryTableOptions {
  /** Float64 cells a record. */
  readonly width: number;
  readonly maxKeys: number;
  readonly maxBytes: number;
  readonly records: RecordPolicy;
  readonly random: () => number;
}

/**
 * Records by key, bounded in number and bytes. While they are few they are held by name. Many are held by the hash of
 * their keys alone, by extendible hashing (Fagin and others, 1979): a directory of up to 256 entries leads to one
 * segment at first, which splits where it would become large, so that no insertion moves more than some thousand
 * records, or a 256th.
 *
 * When full, a new key takes the place of the least used of eight records. A record whose key would be denied never
 * gives way: where all eight are such, the new key shares its segment's spare record with other newcomers, so a flood
 * of made-up keys costs the flood, not the key it wants forgotten.
 */
export class MemoryTable {
  /** Where the record of the last `locate` lies. */
  cells: Float64Array;
  readonly maxKeys: number;
  /** By the highest bits of the high hash; a segment that could still split has several entries in a row. */
  readonly #directory: MemorySegment[];
  readonly #bits: number;
  readonly #shift: number;
  readonly #width: number;
  readonly #records: RecordPolicy;
  readonly #hash: StringHash;
  /** All records while they are few; never again once they were many, lest a flood moves them back and forth. */
  #named: NamedRows | undefined;
  /** True once they were many: from then on new keys are hashed. */
  #leaving = false;

  constructor({ width, maxKeys, maxBytes, records, random }: MemoryTableOptions) {
    this.#width = width;
    this.#records = records;
    this.#hash = new StringHash(random);
    const keys = Math.max(1, Math.min(maxKeys, Math.floor(maxBytes / bytesPerRow(width))));
    const bits = Math.min(8, Math.max(0, Math.floor(Math.log2(keys / 64))));
    this.#bits = bits;
    this.#shift = 32 - bits;
    this.maxKeys = Math.max(1, Math.floor(keys / 2 ** bits)) * 2 ** bits;
    this.#directory = new Array(2 ** bits).fill(new MemorySegment(width, this.maxKeys));
    const named = NamedRows.most(width, this.maxKeys, maxBytes);
    if (named > 0) this.#named = new NamedRows(width, named);
    this.cells = new Float64Array();
  }

  /** Keys held now. */
  get size(): number {
    return this.#segments().reduce((total, segment) => total + segment.size, this.#named?.size ?? 0);
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#segments().reduce((total, segment) => total + segment.bytes, this.#named?.bytes ?? 0);
  }

  /** The cell at which the key's record begins in `this.cells`; −1 when absent and `create` is false. */
  locate(key: string, create: boolean): number {
    const named = this.#named;
    const base = named?.find(key);
    if (named === undefined || base === undefined) return this.#locateUnnamed(key, create);
    this.cells = named.cells;
    return base;
  }

  /** Forgets a key. */
  delete(key: string): void {
    this.#named?.remove(key);
    const segment = this.#segment(key);
    const row = segment.find(this.#hash.low, this.#hash.high);
    if (row >= 0) segment.remove(row);
  }

  /** `locate` for a key without a name: names it while there is room, and else helps to give the names up. */
  #locateUnnamed(key: string, create: boolean): number {
    const named = this.#named;
    if (named === undefined || !create) return this.#locateHashed(key, create);
    if (!this.#leaving && (!named.full(key) || named.sweep(this.#records))) {
      const base = named.insert(key);
      this.cells = named.cells;
      return base;
    }
    this.#leaving = true;
    this.#move(named);
    return this.#locateHashed(key, true);
  }

  /** Moves the last few named rows to segments, where they find room: they are a quarter of the bounds at most. */
  #move(named: NamedRows): void {
    for (let moved = 0; moved < rowsMoved && named.size > 0; moved++) {
      const [key, record] = named.pop();
      const base = this.#locateHashed(key, true);
      this.cells.set(record, base);
    }
    if (named.size === 0) this.#named = undefined;
  }

  /** `locate` among the segments. */
  #locateHashed(key: string, create: boolean): number {
    let segment = this.#segment(key);
    let row = segment.find(this.#hash.low, this.#hash.high);
    if (row < 0) {
      if (!create) return -1;
      segment = this.#withRoom(segment);
      row = segment.full ? segment.capacity : segment.insert(this.#hash.low, this.#hash.high);
    }
    this.cells = segment.cells;
    return row * this.#width;
  }

  #segments(): MemorySegment[] {
    return [...new Set(this.#directory)];
  }

  /** Hashes a key and finds its segment. */
  #segment(key: string): MemorySegment {
    this.#hash.update(key);
    return this.#directory[this.#index()] as MemorySegment;
  }

  /** The directory's entry of the key last hashed. */
  #index(): number {
    // A shift by 32 would be a shift by 0.
    return this.#shift === 32 ? 0 : this.#hash.high >>> this.#shift;
  }

  /** The segment of the key last hashed, with room for it unless it is full of keys that must not give way. */
  #withRoom(segment: MemorySegment): MemorySegment {
    if (segment.full) {
      this.#sweep(segment, rowsSwept);
      if (segment.full) this.#evict(segment);
    } else if (segment.crowded) {
      this.#sweep(segment, segment.capacity);
      if (segment.outgrown) {
        if (segment.large && segment.depth < this.#bits) return this.#withRoom(this.#split(segment));
        segment.grow();
      }
    }
    return segment;
  }

  /** Splits the segment of the key last hashed and returns the half that is now its own. */
  #split(segment: MemorySegment): MemorySegment {
    const [first, second] = segment.split();
    const index = this.#index();
    const each = 2 ** (this.#bits - segment.depth - 1);
    const start = index - (index % (each * 2));
    this.#directory.fill(first, start, start + each);
    this.#directory.fill(second, start + each, start + each * 2);
    return this.#directory[index] as MemorySegment;
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

  /** Drops the least used of eight records, unless all of them would be denied. */
  #evict(segment: MemorySegment): void {
    let victim = -1;
    let least = 1;
    let row = segment.hand;
    // At a full segment's load at most one row in four is empty, so this ends soon.
    for (let compared = 0, seen = 0; compared < rowsCompared && seen < segment.capacity; seen++) {
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
    if (victim >= 0) segment.remove(victim);
  }
}
