/**
 * One entry as Redis keeps it: a line of text, so that it travels inside a command that is text throughout, then the body.
 *
 * ```
 *  0   2  'W2': format
 *  2   8  CRC-32 of everything up to the body's end but itself, in hexadecimal
 * 10   1  body: 'j' JSON, 't' tagged JSON, 'r' raw bytes; in capitals when deflated
 * 11  16  stamp of the write
 * 27      fresh for, stale for, the load's duration (ms), bytes of tags, bytes of body; each followed by a comma
 *         tags as JSON `[[tag, version], ...]`, then the body
 * end  8  f64, little-endian, written by Redis: the moment of its own clock (ms) until which the value is fresh; 0: for ever
 * ```
 *
 * No clock of a process stands in it: freshness is judged by the clock of Redis, so clocks may differ.
 */
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { CacheError } from '../errors.ts';
import { checkView, tag, Untaggable, untag } from './tagging.ts';

const format = 'W2';
const kindOffset = 10;
const fieldsOffset = 27;
const maxHeadBytes = fieldsOffset + 5 * 26;
const trailerBytes = 8;

/** Bytes of a stamp or lease token. */
export const stampBytes: number = 16;
/** Where in an entry's bytes the stamp stands. */
export const stampOffset: number = 11;

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

/** A value's own bytes, before compression. */
export interface Body {
  readonly kind: 'r' | 'j' | 't';
  readonly body: string | Buffer;
}

/** Bounds and compression of one cache's entries. */
export interface CodecOptions {
  /** Bodies of at least this many bytes are deflated; `Infinity` for never. */
  readonly compressFromBytes: number;
  /** A compressed body that expands beyond this is undecodable: a decompression bomb must not exhaust the heap. */
  readonly maxExpandedBytes: number;
}

/** Everything but the trailer, which Redis adds; text if the body is. */
export function encode(
  envelope: Omit<Envelope, 'value'> & { readonly body: Body },
  options: CodecOptions,
): string | Buffer {
  const { stamp, freshMs, staleMs, loadMs } = envelope;
  let { body, kind }: { body: string | Buffer; kind: string } = envelope.body;
  let bodyBytes = Buffer.byteLength(body);
  if (bodyBytes >= options.compressFromBytes && bodyBytes <= options.maxExpandedBytes) {
    body = deflateRawSync(body);
    bodyBytes = body.length;
    kind = kind.toUpperCase();
  }
  const tags = envelope.tags.length === 0 ? '' : JSON.stringify(envelope.tags);
  const tagsBytes = tags === '' ? 0 : Buffer.byteLength(tags);
  const head = `${kind}${stamp}${freshMs},${staleMs},${loadMs},${tagsBytes},${bodyBytes},${tags}`;
  if (typeof body === 'string') {
    const text = head + body;
    return format + hexadecimal(crc32(text)) + text;
  }
  return Buffer.concat([Buffer.from(format + hexadecimal(crc32(body, crc32(head))) + head), body]);
}

/** A value's own bytes in an entry. Throws `ERR_WEIR_CACHE_UNSUPPORTED_VALUE` when the value has no faithful form. */
export function encodeBody(value: unknown): Body {
  try {
    if (Buffer.isBuffer(value)) {
      checkView(value);
      return { kind: 'r', body: value };
    }
    const tagged = tag(value);
    return { kind: tagged === value ? 'j' : 't', body: JSON.stringify(tagged) };
  } catch (cause) {
    // A getter or a proxy may throw anything, and so may the engine for what is too large.
    const what = cause instanceof Untaggable ? cause.message : 'a value that cannot be read';
    throw new CacheError(
      'ERR_WEIR_CACHE_UNSUPPORTED_VALUE',
      `Cannot store ${what} in Redis faithfully. Return plain data from the load (the entry stays in memory only).`,
      { cause },
    );
  }
}

/** As `encodeBody` of the value as it is now, whatever changes it later; what it throws, the returned function throws. */
export function bodyNow(value: unknown): () => Body {
  try {
    const encoded = encodeBody(value);
    const body = Buffer.isBuffer(encoded.body) ? { ...encoded, body: Buffer.from(encoded.body) } : encoded;
    return () => body;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function hexadecimal(checksum: number): string {
  return checksum.toString(16).padStart(8, '0');
}

/** The moment of Redis' own clock, in milliseconds, until which a stored entry is fresh. For bytes of any origin. */
export function freshUntilOf(bytes: Buffer): number {
  if (bytes.length < fieldsOffset + trailerBytes) return Number.NEGATIVE_INFINITY;
  const freshUntil = bytes.readDoubleLE(bytes.length - trailerBytes);
  return freshUntil === 0 ? Number.POSITIVE_INFINITY : freshUntil;
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
  // Its last numbers end well before this; one look at them is cheaper than many.
  const head = bytes.toString('latin1', 0, maxHeadBytes);
  if (!head.startsWith(format)) throw new TypeError('not an entry');
  const numbers: number[] = [];
  let tagsStart = fieldsOffset;
  while (numbers.length < 5) {
    const end = head.indexOf(',', tagsStart);
    if (end < 0) throw new TypeError('not an entry');
    numbers.push(Number(head.slice(tagsStart, end)));
    tagsStart = end + 1;
  }
  const [freshMs, staleMs, loadMs, tagsBytes, bodyBytes] = numbers as [
    number,
    number,
    number,
    number,
    number,
  ];
  const bodyStart = tagsStart + tagsBytes;
  const bodyEnd = bodyStart + bodyBytes;
  if (bytes.length !== bodyEnd && bytes.length !== bodyEnd + trailerBytes) throw new TypeError('truncated');
  // As text: parsed to a number, a damaged digit might pass for a space.
  if (head.slice(2, kindOffset) !== hexadecimal(crc32(bytes.subarray(kindOffset, bodyEnd)))) {
    throw new TypeError('checksum mismatch');
  }
  const kind = head.charAt(kindOffset);
  const plainKind = kind.toLowerCase();
  let body = bytes.subarray(bodyStart, bodyEnd);
  if (plainKind !== kind) body = inflateRawSync(body, { maxOutputLength: options.maxExpandedBytes });
  return {
    value: decodeBody(plainKind, body),
    stamp: head.slice(stampOffset, stampOffset + stampBytes),
    freshMs,
    staleMs,
    loadMs,
    tags: tagsBytes === 0 ? [] : decodeTags(bytes.toString('utf8', tagsStart, bodyStart)),
  };
}

function decodeTags(text: string): readonly TagVersion[] {
  const tags: unknown = JSON.parse(text);
  if (Array.isArray(tags) && tags.every(isTagVersion)) return tags;
  throw new TypeError('not a list of tags');
}

function isTagVersion(pair: unknown): pair is TagVersion {
  return Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'string';
}

function decodeBody(kind: string, body: Buffer): unknown {
  switch (kind) {
    case 'r':
      return Buffer.from(body);
    case 't':
      return untag(JSON.parse(body.toString()));
    case 'j': {
      const text = body.toString();
      const value: unknown = JSON.parse(text);
      // Plain data needs no walk, unless somebody smuggled in the one key that assignment would turn into a prototype.
      return text.includes('__proto__') || text.includes('\\u') ? untag(value) : value;
    }
    default:
      throw new TypeError('unknown body kind');
  }
}
