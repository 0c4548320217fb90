/** Appends bits, most significant first. */
export class BitWriter {
  #buffer: Uint8Array;
  #bit = 0;

  constructor(capacity: number) {
    this.#buffer = new Uint8Array(capacity);
  }

  get byteLength(): number {
    return (this.#bit + 7) >> 3;
  }

  /** The bytes so far; the last one is padded with zeros. A view, valid until the next `write`. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.byteLength);
  }

  /** Appends the low `bits` bits of `value`, at most 32. */
  write(value: number, bits: number): void {
    if ((this.#bit + bits + 7) >> 3 > this.#buffer.length) this.#grow();
    const buffer = this.#buffer;
    let left = bits;
    let at = this.#bit;
    while (left > 0) {
      const free = 8 - (at & 7);
      const take = Math.min(left, free);
      const part = (value >>> (left - take)) & ((1 << take) - 1);
      buffer[at >> 3] = (buffer[at >> 3] as number) | (part << (free - take));
      at += take;
      left -= take;
    }
    this.#bit = at;
  }

  #grow(): void {
    const grown = new Uint8Array(Math.ceil(this.#buffer.length * 1.5) + 24);
    grown.set(this.#buffer);
    this.#buffer = grown;
  }
}

/** Reads bits, most significant first. Past the end it reads zeros; `check` finds that out afterwards. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #bit: number;

  constructor(bytes: Uint8Array, fromByte = 0) {
    this.#bytes = bytes;
    this.#bit = fromByte * 8;
  }

  /** The next `bits` bits, unsigned; 1 to 32. */
  read(bits: number): number {
    const word = this.#peek();
    this.#bit += bits;
    return word >>> (32 - bits);
  }

  /** Counts the ones before the next zero, at most `limit` (up to 32). Consumes the zero too, unless the limit was reached. */
  readOnes(limit: number): number {
    const ones = Math.min(limit, Math.clz32(~this.#peek()));
    this.#bit += ones === limit ? ones : ones + 1;
    return ones;
  }

  /** @throws RangeError when bits past the end were read. */
  check(): void {
    if (this.#bit > this.#bytes.length * 8) throw new RangeError('The chunk ends before its samples do.');
  }

  // The next 32 bits.
  #peek(): number {
    const bytes = this.#bytes;
    const at = this.#bit >> 3;
    const shift = this.#bit & 7;
    if (at + 5 > bytes.length) return this.#peekAtEnd(at, shift);
    const word =
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number);
    return shift === 0 ? word >>> 0 : ((word << shift) | ((bytes[at + 4] as number) >>> (8 - shift))) >>> 0;
  }

  #peekAtEnd(at: number, shift: number): number {
    let word = 0;
    for (let i = 0; i < 4; i++) word = (word << 8) | (this.#bytes[at + i] ?? 0);
    return shift === 0 ? word >>> 0 : ((word << shift) | ((this.#bytes[at + 4] ?? 0) >>> (8 - shift))) >>> 0;
  }
}
