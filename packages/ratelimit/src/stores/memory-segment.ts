const MAX_LOAD = 0.75;
const START_CAPACITY = 12;
const GROWTH = 1.5;

/**
 * One open-addressing hash table of fixed-width records in typed arrays: no object, pointer or string per key. A row's
 * place is its hash scaled to the capacity; collisions probe linearly; a removal shifts its followers back, so there
 * are no tombstones. Row `capacity` is a spare record outside the table.
 */
export class MemorySegment {
  /** Records, row-major. Replaced when the segment grows. */
  cells: Float64Array;
  size = 0;
  readonly #width: number;
  readonly #maxRows: number;
  #capacity: number;
  /** Low and high hash of each row; low 0 means empty. */
  #hashes: Int32Array;

  constructor(width: number, maxRows: number) {
    this.#width = width;
    this.#maxRows = maxRows;
    this.#capacity = Math.min(START_CAPACITY, capacityFor(maxRows));
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

  /** True when another row needs `makeRoom` first. */
  get crowded(): boolean {
    return this.size + 1 > this.#capacity * MAX_LOAD;
  }

  /** Grows, unless removals have left a quarter of the rows free that may be used. */
  makeRoom(): void {
    if (this.size > this.#capacity * MAX_LOAD * 0.75 && this.#capacity < capacityFor(this.#maxRows))
      this.#grow();
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

  /** Adds a row of zeros for a hash that is not in the table. The segment must be neither full nor crowded. */
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

  #grow(): void {
    const width = this.#width;
    const { cells } = this;
    const hashes = this.#hashes;
    const capacity = this.#capacity;
    this.#capacity = Math.min(Math.ceil(capacity * GROWTH), capacityFor(this.#maxRows));
    this.#hashes = new Int32Array(this.#capacity * 2);
    this.cells = new Float64Array((this.#capacity + 1) * width);
    for (let row = 0; row < capacity; row++) {
      const low = hashes[row * 2] as number;
      if (low === 0) continue;
      const target = this.#emptyRow(low);
      this.#hashes[target * 2] = low;
      this.#hashes[target * 2 + 1] = hashes[row * 2 + 1] as number;
      for (let cell = 0; cell < width; cell++) {
        this.cells[target * width + cell] = cells[row * width + cell] as number;
      }
    }
    for (let cell = 0; cell < width; cell++) {
      this.cells[this.#capacity * width + cell] = cells[capacity * width + cell] as number;
    }
  }
}

/** Bytes that one row can cost at most, table overhead included. */
export function bytesPerRow(width: number): number {
  return ((width + 1) * 8) / (MAX_LOAD / GROWTH);
}

function capacityFor(rows: number): number {
  return Math.ceil(rows / MAX_LOAD) + 1;
}

function place(low: number, capacity: number): number {
  return Math.floor((low >>> 0) * (capacity / 4294967296));
}
