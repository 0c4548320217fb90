/** Characters of a key that are budgeted for; of longer keys there may be fewer. */
const keyLength = 64;
/** Bytes that a key can cost at most beside its record and two a character: in the Map, the list and as a string. */
const keyBytes = 96;
/** The most keys that a Map holds without a stall of more than some milliseconds, when it grows. */
const maxRows = 16_384;
const startRows = 16;
/** From this length on V8 makes a part of a string a view, which keeps the whole alive. */
const viewLength = 13;

/** What a table must know of its records to choose which to evict. */
export interface RecordPolicy {
  /** True when the record is equivalent to a record of zeros. */
  idle(cells: Float64Array, base: number): boolean;
  /** How much of the quota is used up, 0–1; 1 for a key that would be denied, which is never evicted. */
  usage(cells: Float64Array, base: number): number;
}

/**
 * The records of few keys, found by name in a Map: V8 keeps a string's hash with it, so a Map finds it in half the time
 * that reading its characters and hashing them takes. Many keys would take too much memory in it, and stall as it grows.
 */
export class NamedRows {
  /** Records, row-major, without gaps. Replaced when they grow. */
  cells: Float64Array;
  readonly #bases = new Map<string, number>();
  /** The key of each row. */
  readonly #keys: string[] = [];
  readonly #width: number;
  readonly #most: number;
  /** Characters of all keys. */
  #length = 0;

  constructor(width: number, most: number) {
    this.#width = width;
    this.#most = most;
    this.cells = new Float64Array(Math.min(startRows, most) * width);
  }

  /** How many rows to hold by name within a table's bounds: a quarter of either, or none where that is few. */
  static most(width: number, maxKeys: number, maxBytes: number): number {
    const rows = Math.floor(
      Math.min(maxRows, maxKeys / 4, maxBytes / 4 / (keyBytes + 2 * keyLength + width * 16)),
    );
    return rows < keyLength ? 0 : rows;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** An upper bound: what a Map takes cannot be asked. */
  get bytes(): number {
    return this.cells.byteLength + this.size * keyBytes + this.#length * 2;
  }

  /** The cell at which the key's record begins. */
  find(key: string): number | undefined {
    return this.#bases.get(key);
  }

  /** True when the key needs others removed first. */
  full(key: string): boolean {
    return this.size >= this.#most || this.#length + key.length > this.#most * keyLength;
  }

  /** Adds a record of zeros for a key that has none. There must be room. */
  insert(key: string): number {
    const base = this.size * this.#width;
    if (base === this.cells.length) {
      const cells = new Float64Array(Math.min(base * 2, this.#most * this.#width));
      cells.set(this.cells);
      this.cells = cells;
    }
    const own = key.length < viewLength ? key : copied(key);
    this.#bases.set(own, base);
    this.#keys.push(own);
    this.#length += own.length;
    return base;
  }

  /** Removes a key. The last row moves into its place. */
  remove(key: string): void {
    const base = this.#bases.get(key);
    if (base === undefined) return;
    this.#bases.delete(key);
    this.#length -= key.length;
    const last = this.#keys.pop() as string;
    const lastBase = this.size * this.#width;
    if (base !== lastBase) {
      this.#keys[base / this.#width] = last;
      this.#bases.set(last, base);
      this.cells.copyWithin(base, lastBase, lastBase + this.#width);
    }
    this.cells.fill(0, lastBase, lastBase + this.#width);
  }

  /** Removes the last row and returns its key and a copy of its record. There must be one. */
  pop(): [string, Float64Array] {
    const key = this.#keys.at(-1) as string;
    const base = (this.size - 1) * this.#width;
    const record = this.cells.slice(base, base + this.#width);
    this.remove(key);
    return [key, record];
  }

  /** Evicts records that no longer matter. False when less than a quarter is free afterwards: it would be due again soon. */
  sweep(records: RecordPolicy): boolean {
    for (let row = this.size - 1; row >= 0; row--) {
      if (records.idle(this.cells, row * this.#width)) this.remove(this.#keys[row] as string);
    }
    return this.size <= this.#most * 0.75 && this.#length <= this.#most * keyLength * 0.75;
  }
}

/** The same string in memory of its own. */
function copied(key: string): string {
  const copy = Buffer.from(key, 'latin1').toString('latin1');
  return copy === key ? copy : Buffer.from(key, 'utf16le').toString('utf16le');
}
