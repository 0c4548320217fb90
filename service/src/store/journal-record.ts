import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/**
 * One accepted batch as the journal keeps it until its block is sealed: three columns (series ids and timestamps as
 * zigzag varints of their differences, then the doubles), compressed with zstd.
 */
export interface JournalRecord {
  readonly ids: Uint32Array | readonly number[];
  readonly times: Float64Array;
  readonly values: Float64Array;
}

const version = 1;

export function encodeRecord(record: JournalRecord): Uint8Array {
  const count = record.ids.length;
  const bytes = Buffer.allocUnsafe(16 + count * (6 + 10 + 8));
  let at = bytes.writeUInt8(version, 0);
  at = bytes.writeUInt32LE(count, at);
  let previous = 0;
  for (let i = 0; i < count; i++) {
    const id = record.ids[i] as number;
    at = writeSigned(bytes, at, id - previous);
    previous = id;
  }
  previous = 0;
  for (let i = 0; i < count; i++) {
    const time = record.times[i] as number;
    at = writeSigned(bytes, at, time - previous);
    previous = time;
  }
  const values = Buffer.from(record.values.buffer, record.values.byteOffset, count * 8);
  at += values.copy(bytes, at);
  return zstdCompressSync(bytes.subarray(0, at));
}

/** The record, or `undefined` when the bytes are damaged. */
export function readRecord(compressed: Uint8Array): JournalRecord | undefined {
  try {
    return decodeRecord(compressed);
  } catch {
    return undefined;
  }
}

/** @throws When the bytes are not a record of this version. */
function decodeRecord(compressed: Uint8Array): JournalRecord {
  const bytes = zstdDecompressSync(compressed);
  if (bytes[0] !== version) throw new RangeError(`Journal record of unknown version ${bytes[0]}.`);
  const count = bytes.readUInt32LE(1);
  const ids = new Uint32Array(count);
  const times = new Float64Array(count);
  const cursor = { at: 5 };
  let previous = 0;
  for (let i = 0; i < count; i++) {
    previous += readSigned(bytes, cursor);
    ids[i] = previous;
  }
  previous = 0;
  for (let i = 0; i < count; i++) {
    previous += readSigned(bytes, cursor);
    times[i] = previous;
  }
  const values = new Float64Array(count);
  const target = Buffer.from(values.buffer);
  if (bytes.copy(target, 0, cursor.at) !== count * 8) throw new RangeError('Journal record is cut short.');
  return { ids, times, values };
}

// Zigzag, then 7 bits a byte; by arithmetic, since differences of timestamps pass 32 bits.
function writeSigned(bytes: Buffer, start: number, value: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  let at = start;
  while (rest >= 128) {
    bytes[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  bytes[at++] = rest;
  return at;
}

function readSigned(bytes: Buffer, cursor: { at: number }): number {
  let result = 0;
  let scale = 1;
  for (;;) {
    const byte = bytes[cursor.at++];
    if (byte === undefined) throw new RangeError('Journal record is cut short.');
    result += (byte & 127) * scale;
    if (byte < 128) break;
    scale *= 128;
  }
  return result % 2 === 1 ? -(result + 1) / 2 : result / 2;
}
