import { type ChunkMemory, segmentBytes } from './chunk-memory.ts';

/**
 * The compressed form of one series' samples within one block of time.
 *
 * Timestamps: the delta of the delta to the sample before, in 1, 9, 17, 24 or 36 bits. Values: the XOR with the value
 * before, written as its meaningful bits only. After T. Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time
 * Series Database", VLDB 2015, §4.1. Values are handled as two 32-bit words, never as a number, so every NaN keeps
 * its bits.
 */

/** Appends samples; `bytes()` is at any time a complete chunk. */
export class ChunkWriter {
  readonly baseMs: number;
  count = 0;
  // Times are relative to the base, and words are signed: small integers, which V8 keeps without an allocation.
  #last = 0;
  #delta = 0;
  #high = 0;
  #low = 0;
  #leading = -1;
  #length = 0;
  readonly #memory: ChunkMemory;
  readonly #first: number;
  #segment: number;
  #bit = 0;

  /** @param baseMs Start of the block; the first timestamp is stored relative to it in 32 bits. */
  constructor(baseMs: number, memory: ChunkMemory) {
    this.baseMs = baseMs;
    this.#memory = memory;
    this.#first = memory.take();
    this.#segment = this.#first;
  }

  get lastMs(): number {
    return this.baseMs + this.#last;
  }

  get byteLength(): number {
    return (this.#bit + 7) >> 3;
  }

  /** Whether the newest sample has this time and these words. */
  endsWith(timeMs: number, high: number, low: number): boolean {
    return this.count > 0 && timeMs === this.lastMs && (high | 0) === this.#high && (low | 0) === this.#low;
  }

  /** A copy of the samples so far. */
  bytes(): Uint8Array {
    const result = new Uint8Array(this.byteLength);
    let segment = this.#first;
    for (let at = 0; at < result.length; at += segmentBytes) {
      const from = this.#memory.offset(segment);
      const length = Math.min(segmentBytes, result.length - at);
      result.set(this.#memory.bytes(segment).subarray(from, from + length), at);
      segment = this.#memory.next(segment);
    }
    return result;
  }

  /** Frees the memory. The chunk must not be used afterwards. */
  release(): void {
    this.#memory.give(this.#first);
  }

  /** `timeMs` must be later than all before. `high` and `low` are the words of the IEEE 754 double. */
  append(timeMs: number, high: number, low: number): void {
    const time = timeMs - this.baseMs;
    if (this.count === 0) {
      this.#write(time, 32);
      this.#write(high, 32);
      this.#write(low, 32);
    } else {
      const delta = time - this.#last;
      this.#writeTime(delta - this.#delta);
      this.#delta = delta;
      this.#writeValue((high ^ this.#high) >>> 0, (low ^ this.#low) >>> 0);
    }
    this.count++;
    this.#last = time;
    this.#high = high | 0;
    this.#low = low | 0;
  }

  // The low `bits` bits of `value`, most significant first; at most 32.
  #write(value: number, bits: number): void {
    let left = bits;
    while (left > 0) {
      const at = this.#bit & (segmentBytes * 8 - 1);
      if (at === 0 && this.#bit > 0) this.#segment = this.#memory.take(this.#segment);
      const free = 8 - (at & 7);
      const take = Math.min(left, free);
      const part = (value >>> (left - take)) & ((1 << take) - 1);
      const bytes = this.#memory.bytes(this.#segment);
      const byte = this.#memory.offset(this.#segment) + (at >> 3);
      bytes[byte] = (bytes[byte] as number) | (part << (free - take));
      this.#bit += take;
      left -= take;
    }
  }

  #writeTime(change: number): void {
    if (change === 0) this.#write(0, 1);
    else if (change >= -64 && change < 64) this.#write((0b10 << 7) | (change & 0x7f), 9);
    else if (change >= -8192 && change < 8192) this.#write((0b110 << 14) | (change & 0x3fff), 17);
    else if (change >= -524_288 && change < 524_288) this.#write((0b1110 << 20) | (change & 0xfffff), 24);
    else {
      this.#write(0b1111, 4);
      this.#write(change >>> 0, 32);
    }
  }

  #writeValue(high: number, low: number): void {
    if (high === 0 && low === 0) {
      this.#write(0, 1);
      return;
    }
    const leading = Math.min(31, high === 0 ? 32 + Math.clz32(low) : Math.clz32(high));
    const trailing = low === 0 ? 32 + trailingZeros(high) : trailingZeros(low);
    const length = 64 - leading - trailing;
    const windowEnd = 64 - this.#leading - this.#length;
    const fits = this.#leading >= 0 && leading >= this.#leading && trailing >= windowEnd;
    // The eleven bits of a new window are cheaper than a wide old one.
    if (fits && this.#length - length < 11) {
      this.#write(0b10, 2);
    } else {
      this.#leading = leading;
      this.#length = length;
      this.#write((0b11 << 11) | (leading << 6) | (length - 1), 13);
    }
    this.#writeMeaningful(high, low);
  }

  #writeMeaningful(high: number, low: number): void {
    const shift = 64 - this.#leading - this.#length;
    const length = this.#length;
    if (shift >= 32) {
      this.#write(high >>> (shift - 32), length);
      return;
    }
    const lowBits = 32 - shift;
    if (length > lowBits) this.#write(high, length - lowBits);
    this.#write(low >>> shift, Math.min(lowBits, length));
  }
}

/**
 * Reads `count` samples into `timestamps` and `values` from `offset` on; both have room for them. The chunk begins at
 * `fromByte`.
 * @throws RangeError when the bytes end before the samples do.
 */
export function readChunk(
  bytes: Uint8Array,
  count: number,
  baseMs: number,
  timestamps: Float64Array,
  values: Float64Array,
  offset: number,
  fromByte = 0,
): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const bits = new BitReader(bytes, fromByte);
  let timeMs = baseMs;
  let delta = 0;
  let high = 0;
  let low = 0;
  let leading = 0;
  let length = 0;
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      timeMs += bits.read(32);
      high = bits.read(32);
      low = bits.read(32);
    } else {
      delta += readTime(bits);
      timeMs += delta;
      if (bits.read(1) === 1) {
        if (bits.read(1) === 1) {
          const window = bits.read(11);
          leading = window >>> 6;
          length = (window & 0x3f) + 1;
        }
        const shift = 64 - leading - length;
        if (shift >= 32) high ^= bits.read(length) << (shift - 32);
        else {
          const lowBits = 32 - shift;
          if (length > lowBits) high ^= bits.read(length - lowBits);
          low ^= bits.read(Math.min(lowBits, length)) << shift;
        }
      }
    }
    timestamps[offset + i] = timeMs;
    words[(offset + i) * 2 + lowWord] = low;
    words[(offset + i) * 2 + highWord] = high;
  }
  bits.check();
}

function readTime(bits: BitReader): number {
  switch (bits.readOnes(4)) {
    case 0:
      return 0;
    case 1:
      return (bits.read(7) << 25) >> 25;
    case 2:
      return (bits.read(14) << 18) >> 18;
    case 3:
      return (bits.read(20) << 12) >> 12;
    default:
      return bits.read(32) | 0;
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
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

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Index of a double's low and high word in a `Uint32Array` over a `Float64Array`. */
export const lowWord: 0 | 1 = littleEndian ? 0 : 1;
export const highWord: 0 | 1 = littleEndian ? 1 : 0;
