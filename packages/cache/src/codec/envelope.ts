/**
 * The bytes of one entry in Redis. All integers little-endian:
 *
 * ```
 *  0  u8   0x57 'W'
 *  1  u8   format, 1
 *  2  u8   body kind: 0 JSON, 1 tagged JSON, 2 raw bytes; +0x10 when deflated
 *  3  u8   0
 *  4  16 B stamp of the write
 * 20  f64  fresh for, ms; of the life that Redis counts down, the rest is stale time
 * 28  f64  stale for, ms
 * 36  f64  duration of the load, ms
 * 44  u32  length of the tags' JSON
 * 48  u32  CRC-32 of everything else
 * 52  tags as JSON `[[tag, version], ...]`, then the body
 * ```
 *
 * No wall-clock time stands in it: freshness is judged by the life Redis says is left, so clocks may differ.
 */
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { CacheError } from '../errors.ts';
import { tag, untag } from './tagging.ts';

const headerBytes = 52;
const kinds = { json: 0, tagged: 1, raw: 2 } as const;
const deflated = 0x10;

/** Bytes of a stamp or lease token. */
export const stampBytes: number = 16;
/** Where in an entry's bytes the stamp stands. */
export const stampOffset: number = 4;

/** A tag with the version it had before the load. */
export type TagVersion = readonly [tag: string, version: string];

/** One entry as it travels to and from Redis. */
export interface Envelope {
  readonly value: unknown;
  /** Unique per write, `stampBytes` long, as latin1. */
  readonly stamp: string;
  /** Milliseconds; `Infinity` never expires. */
  readonly freshMs: number;
  readonly staleMs: number;
  readonly loadMs: number;
  readonly tags: readonly TagVersion[];
}

/** Bounds and compression of one cache's entries. */
export interface CodecOptions {
  /** Bodies of at least this many bytes are deflated; `Infinity` for never. */
  readonly compressFromBytes: number;
  /** A compressed body that expands beyond this is undecodable: a decompression bomb must not exhaust the heap. */
  readonly maxExpandedBytes: number;
}

/** Throws `ERR_WEIR_CACHE_UNSUPPORTED_VALUE` when the value has no faithful form. */
export function encode(envelope: Envelope, options: CodecOptions): Buffer {
  let kind: number = kinds.raw;
  let body: Buffer;
  if (Buffer.isBuffer(envelope.value)) {
    body = envelope.value;
  } else {
    const tagged = tag(envelope.value);
    kind = tagged === envelope.value ? kinds.json : kinds.tagged;
    body = Buffer.from(JSON.stringify(tagged));
  }
  if (body.length >= options.compressFromBytes && body.length <= options.maxExpandedBytes) {
    body = deflateRawSync(body);
    kind += deflated;
  }
  const tags = Buffer.from(envelope.tags.length === 0 ? '' : JSON.stringify(envelope.tags));
  const bytes = Buffer.allocUnsafe(headerBytes + tags.length + body.length);
  bytes.writeUInt32LE(0x57 | (1 << 8) | (kind << 16), 0);
  bytes.write(envelope.stamp, stampOffset, stampBytes, 'latin1');
  bytes.writeDoubleLE(envelope.freshMs, 20);
  bytes.writeDoubleLE(envelope.staleMs, 28);
  bytes.writeDoubleLE(envelope.loadMs, 36);
  bytes.writeUInt32LE(tags.length, 44);
  tags.copy(bytes, headerBytes);
  body.copy(bytes, headerBytes + tags.length);
  bytes.writeUInt32LE(checksum(bytes), 48);
  return bytes;
}

function checksum(bytes: Buffer): number {
  return crc32(bytes.subarray(headerBytes), crc32(bytes.subarray(0, 48)));
}

/** Throws `ERR_WEIR_CACHE_UNDECODABLE` on bytes that `encode` did not write, or that were damaged since. */
export function decode(bytes: Buffer, options: CodecOptions): Envelope {
  try {
    return decodeUnguarded(bytes, options);
  } catch (cause) {
    throw new CacheError(
      'ERR_WEIR_CACHE_UNDECODABLE',
      'A stored entry could not be decoded; it counts as a miss and the next load replaces it.',
      { cause },
    );
  }
}

function decodeUnguarded(bytes: Buffer, options: CodecOptions): Envelope {
  if (bytes.length < headerBytes || bytes.readUInt16LE(0) !== 0x0157) throw new TypeError('not an entry');
  if (bytes.readUInt32LE(48) !== checksum(bytes)) throw new TypeError('checksum mismatch');
  const tagsEnd = headerBytes + bytes.readUInt32LE(44);
  const tags =
    tagsEnd === headerBytes
      ? []
      : (JSON.parse(bytes.toString('utf8', headerBytes, tagsEnd)) as readonly TagVersion[]);
  const flags = bytes.readUInt8(2);
  let body = bytes.subarray(tagsEnd);
  if ((flags & deflated) !== 0) body = inflateRawSync(body, { maxOutputLength: options.maxExpandedBytes });
  return {
    value: decodeBody(flags & 0x0f, body),
    stamp: bytes.toString('latin1', stampOffset, stampOffset + stampBytes),
    freshMs: bytes.readDoubleLE(20),
    staleMs: bytes.readDoubleLE(28),
    loadMs: bytes.readDoubleLE(36),
    tags,
  };
}

function decodeBody(kind: number, body: Buffer): unknown {
  switch (kind) {
    case kinds.raw:
      return Buffer.from(body);
    case kinds.tagged:
      return untag(JSON.parse(body.toString()));
    case kinds.json: {
      const text = body.toString();
      const value: unknown = JSON.parse(text);
      // Plain data needs no walk, unless somebody smuggled in the one key that assignment would turn into a prototype.
      return /__proto__|\\u/.test(text) ? untag(value) : value;
    }
    default:
      throw new TypeError('unknown body kind');
  }
}
