const maxLoad = 0.75;
const startCapacity = 12;
const growth = 1.5;
/** From here on a segment splits in place of growing, so that no insertion moves more than some thousand records. */
const splitCapacity = 8000;
/** How full the halves are. */
const splitLoad = 0.6;

/**
 * One open-addressing hash table of fixed-width records in typed arrays: no object, pointer or string per key. A row's
 * place is its hash scaled to the capacity; collisions probe linearly; a removal shifts its followers back, so there
 * are no tombstones. Row `capacity` is a spare record outside the table.
 */
export class MemorySegment {
  /** Records, row-major. Replaced when the segment grows. */
  cells: Float64Array;
  size = 0;
  /** Where the last sweep or eviction stopped. */
  hand = 0;
  /** How many of the highest bits of the high hash all its keys share. */
  readonly depth: number;
  readonly #width: number;
  readonly #maxRows: number;
  #capacity: number;
  /** Low and high hash of each row; low 0 means empty. */
  #hashes: Int32Array;

  constructor(width: number, maxRows: number, depth = 0, capacity: number = startCapacity) {
    this.#width = width;
    this.#maxRows = maxRows;
    this.depth = depth;
    this.#capacity = Math.min(capacity, capacityFor(maxRows));
    this.#hashes = new Int32Array(this.#capacity * 2);
    this.cells = new Float64Array((this.#capacity + 1) * width);
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Bytes of the arrays. */
  get bytes(): number {
    return this.#hashes.byteLength + this.cells.byteLength;
  }

  /** True when another row needs one removed first. */
  get full(): boolean {
    return this.size >= this.#maxRows;
  }

  /** True when another row needs growth, a split or a removal first. */
  get crowded(): boolean {
    return this.size + 1 > this.#capacity * maxLoad;
  }

  /** True when it should grow: removals have not left a quarter of the rows free, and more are allowed. */
  get outgrown(): boolean {
    return this.size > this.#capacity * maxLoad * 0.75 && this.#capacity < capacityFor(this.#maxRows);
  }

  /** True when it should rather split than grow. Near its bound it grows, since halves are not quite equal. */
  get large(): boolean {
    return this.#capacity >= splitCapacity && this.size * 1.25 <= this.#maxRows;
  }

  /** Its records in two segments of half the bounds, by the bit of the high hash after those shared. */
  split(): readonly [MemorySegment, MemorySegment] {
    const hashes = this.#hashes;
    const capacity = this.#capacity;
    const bit = 31 - this.depth;
    let ones = 0;
    for (let row = 0; row < capacity; row++) {
      if (hashes[row * 2] !== 0) ones += ((hashes[row * 2 + 1] as number) >>> bit) & 1;
    }
    const half = (rows: number): MemorySegment =>
      new MemorySegment(
        this.#width,
        Math.floor(this.#maxRows / 2),
        this.depth + 1,
        Math.ceil(rows / splitLoad),
      );
    const halves = [half(this.size - ones), half(ones)] as const;
    for (let row = 0; row < capacity; row++) {
      const low = hashes[row * 2] as number;
      if (low === 0) continue;
      const high = hashes[row * 2 + 1] as number;
      const target = halves[((high >>> bit) & 1) as 0 | 1];
      target.#put(target.insert(low, high), this.cells, row);
    }
    for (const target of halves) target.#put(target.#capacity, this.cells, capacity);
    return halves;
  }

  /** Takes half as much space again, within its bound. */
  grow(): void {
    const { cells } = this;
    const hashes = this.#hashes;
    const capacity = this.#capacity;
    this.#capacity = Math.min(Math.ceil(capacity * growth), capacityFor(this.#maxRows));
    this.#hashes = new Int32Array(this.#capacity * 2);
    this.cells = new Float64Array((this.#capacity + 1) * this.#width);
    for (let row = 0; row < capacity; row++) {
      const low = hashes[row * 2] as number;
      if (low === 0) continue;
      const target = this.#emptyRow(low);
      this.#hashes[target * 2] = low;
      this.#hashes[target * 2 + 1] = hashes[row * 2 + 1] as number;
      this.#put(target, cells, row);
    }
    this.#put(this.#capacity, cells, capacity);
  }

  /** The row of a hash, or −1. */
  find(low: number, high: number): number {
    const hashes = this.#hashes;
    const capacity = this.#capacity;
    let row = place(low, capacity);
    for (;;) {
      const found = hashes[row * 2] as number;
      if (found === low && hashes[row * 2 + 1] === high) return row;
      if (found === 0) return -1;
      if (++row === capacity) row = 0;
    }
  }

  /** Adds a row of zeros for a hash that is not in the table. The segment must have room. */
  insert(low: number, high: number): number {
    const row = this.#emptyRow(low);
    this.#hashes[row * 2] = low;
    this.#hashes[row * 2 + 1] = high;
    this.size++;
    return row;
  }

  occupied(row: number): boolean {
    return this.#hashes[row * 2] !== 0;
  }

  /** Removes a row. Another row may move into its place. */
  remove(row: number): void {
    const hashes = this.#hashes;
    const capacity = this.#capacity;
    let hole = row;
    let next = row;
    for (;;) {
      if (++next === capacity) next = 0;
      const low = hashes[next * 2] as number;
      if (low === 0) break;
      const home = place(low, capacity);
      // The row may move back only if its home does not lie (cyclically) after the hole.
      const between = hole <= next ? home > hole && home <= next : home > hole || home <= next;
      if (between) continue;
      this.#move(next, hole);
      hole = next;
    }
    hashes[hole * 2] = 0;
    this.cells.fill(0, hole * this.#width, (hole + 1) * this.#width);
    this.size--;
  }

  #move(from: number, to: number): void {
    this.#hashes[to * 2] = this.#hashes[from * 2] as number;
    this.#hashes[to * 2 + 1] = this.#hashes[from * 2 + 1] as number;
    this.cells.copyWithin(to * this.#width, from * this.#width, (from + 1) * this.#width);
  }

  #emptyRow(low: number): number {
    let row = place(low, this.#capacity);
    while (this.#hashes[row * 2] !== 0) if (++row === this.#capacity) row = 0;
    return row;
  }

  /** Copies a record of a table of the same width. */
  #put(row: number, cells: Float64Array, from: number): void {
    const width = this.#width;
    for (let cell = 0; cell < width; cell++) {
      this.cells[row * width + cell] = cells[from * width + cell] as number;
    }
  }
}

/** Bytes that one row can cost at most, table overhead included. */
export function bytesPerRow(width: number): number {
  return ((width + 1) * 8) / (maxLoad / growth);
}

function capacityFor(rows: number): number {
  return Math.ceil(rows / maxLoad) + 1;
}

function place(low: number, capacity: number): number {
  return Math.floor((low >>> 0) * (capacity / 4294967296));
}
