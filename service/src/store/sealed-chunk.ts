import { BitReader, type ChunkWriter, readChunk } from './chunk.ts';

/**
 * The form in which a finished block keeps a series. Counters and most gauges are whole numbers, for which XOR is
 * wasteful: their first or second differences, whichever are smaller, are written in Rice's code (R. F. Rice, JPL 79-22,
 * 1979): a whole number n as the quotient of n and 2^k in ones and a zero, then its low k bits. Anything else keeps the
 * open chunk's bits.
 *
 * Byte 0 is the version of this format (high four bits) and the form. For whole numbers follow: the order of the differences (1 bit), whether timestamps are regular (1),
 * k (5), the first timestamp (32) and the first value; then, unless regular, timestamps as the Rice code of the change
 * of their difference, and values.
 */
const version = 1;
const xorForm = version << 4;
const wholeForm = (version << 4) | 1;
const escapeOnes = 20;
// Zigzag-encoded second differences then stay below 2^53.
const maxWhole = 2 ** 50;

export function sealChunk(chunk: ChunkWriter): Uint8Array {
  const { count, baseMs } = chunk;
  const open = chunk.bytes();
  const xor = (): Uint8Array => {
    const bytes = new Uint8Array(open.length + 1);
    bytes[0] = xorForm;
    bytes.set(open, 1);
    return bytes;
  };
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  readChunk(open, count, baseMs, timestamps, values, 0);
  if (!values.every(isWhole)) return xor();
  const whole = sealWhole(timestamps, values, baseMs);
  return whole.length <= open.length ? whole : xor();
}

/**
 * Reads `count` samples into `timestamps` and `values` from `offset` on.
 * @throws RangeError when the bytes are no sealed chunk of this version with so many samples.
 */
export function readSealedChunk(
  bytes: Uint8Array,
  count: number,
  baseMs: number,
  timestamps: Float64Array,
  values: Float64Array,
  offset: number,
): void {
  if (bytes[0] === xorForm) readChunk(bytes, count, baseMs, timestamps, values, offset, 1);
  else if (bytes[0] === wholeForm) readWhole(bytes, count, baseMs, timestamps, values, offset);
  else throw new RangeError(`Chunk of unknown version or form ${bytes[0]}.`);
}

function isWhole(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < maxWhole && !Object.is(value, -0);
}

function sealWhole(timestamps: Float64Array, values: Float64Array, baseMs: number): Uint8Array {
  const first = differences(values);
  const second = differences(first);
  const isSecond = magnitude(second) < magnitude(first);
  const steps = isSecond ? second : first;
  const timeSteps = differences(differences(timestamps)).subarray(2);
  const isRegular = timeSteps.every((change) => change === 0);
  const k = riceParameter(steps.subarray(1));
  const bits = new BitWriter(24 + values.length);
  bits.write(wholeForm, 8);
  bits.write(isSecond ? 1 : 0, 1);
  bits.write(isRegular ? 1 : 0, 1);
  bits.write(k, 5);
  bits.write((timestamps[0] as number) - baseMs, 32);
  if (timestamps.length > 1) bits.write((timestamps[1] as number) - (timestamps[0] as number), 32);
  writeWide(bits, zigzag(values[0] as number));
  if (!isRegular) for (const change of timeSteps) writeRice(bits, zigzag(change), 2);
  for (let i = 1; i < steps.length; i++) writeRice(bits, zigzag(steps[i] as number), k);
  return bits.bytes().slice();
}

function readWhole(
  bytes: Uint8Array,
  count: number,
  baseMs: number,
  timestamps: Float64Array,
  values: Float64Array,
  offset: number,
): void {
  const bits = new BitReader(bytes, 1);
  const isSecond = bits.read(1) === 1;
  const isRegular = bits.read(1) === 1;
  const k = bits.read(5);
  let timeMs = baseMs + bits.read(32);
  let timeStep = count > 1 ? bits.read(32) : 0;
  let value = unzigzag(readWide(bits));
  timestamps[offset] = timeMs;
  for (let i = 1; i < count; i++) {
    if (i > 1 && !isRegular) timeStep += unzigzag(readRice(bits, 2));
    timeMs += timeStep;
    timestamps[offset + i] = timeMs;
  }
  values[offset] = value;
  let step = 0;
  for (let i = 1; i < count; i++) {
    const change = unzigzag(readRice(bits, k));
    step = isSecond ? step + change : change;
    value += step;
    values[offset + i] = value;
  }
  bits.check();
}

// Element 0 is unused and 0, so that the second differences begin with the first difference itself.
function differences(values: Float64Array): Float64Array {
  const result = new Float64Array(values.length);
  for (let i = 1; i < values.length; i++) result[i] = (values[i] as number) - (values[i - 1] as number);
  return result;
}

function magnitude(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += Math.log2(1 + Math.abs(value));
  return sum;
}

/** A nearly optimal k: the one for the mean. */
function riceParameter(steps: Float64Array): number {
  let sum = 0;
  // An outlier, such as a counter's reset, is escaped and must not widen all other codes.
  for (const step of steps) sum += Math.min(zigzag(step), 1_048_576);
  const mean = steps.length === 0 ? 0 : sum / steps.length;
  return Math.min(20, Math.max(0, Math.round(Math.log2(mean * Math.LN2 + 1e-9))));
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function unzigzag(value: number): number {
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}

function writeRice(bits: BitWriter, value: number, k: number): void {
  const quotient = Math.floor(value / 2 ** k);
  if (quotient >= escapeOnes) {
    bits.write(2 ** escapeOnes - 1, escapeOnes);
    writeWide(bits, value);
    return;
  }
  bits.write((2 ** quotient - 1) * 2, quotient + 1);
  if (k > 0) bits.write(value % 2 ** k, k);
}

function readRice(bits: BitReader, k: number): number {
  const quotient = bits.readOnes(escapeOnes);
  if (quotient === escapeOnes) return readWide(bits);
  return k === 0 ? quotient : quotient * 2 ** k + bits.read(k);
}

// Up to 2^53.
function writeWide(bits: BitWriter, value: number): void {
  bits.write(Math.floor(value / 2 ** 32), 32);
  bits.write(value % 2 ** 32, 32);
}

function readWide(bits: BitReader): number {
  return bits.read(32) * 2 ** 32 + bits.read(32);
}

/** Appends bits, most significant first. */
class BitWriter {
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
