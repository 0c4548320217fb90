import { createHash } from 'node:crypto';
import { fieldOf, type HeaderFields, tokensOf } from './fields.ts';

/** A response as it lies in the cache. */
export interface StoredResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: Buffer;
  /** Wall-clock milliseconds at which it was made, less the age it came with; gives the Age field. */
  readonly bornAt: number;
  readonly freshMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  readonly mayBeStale: boolean;
  /** Whether its validators are the handler's own, so that the handler may be asked about them. */
  readonly isValidatable: boolean;
}

/** The key of one variant (RFC 9111 §4.1): the resource, and the values of the selecting fields with even white space. */
export function variantKey(base: string, names: readonly string[], headers: HeaderFields): string {
  if (names.length === 0) return base;
  const values = names.map((name) => withEvenSpace(fieldOf(headers, name) ?? '\0'));
  return `${base} ${createHash('sha256')
    .update(JSON.stringify([names, values]))
    .digest('base64url')}`;
}

// Runs of white space shrink first: a pattern that may begin anywhere in a run takes quadratic time on it.
function withEvenSpace(field: string): string {
  return field.replace(/\s+/g, ' ').replace(/ ?, ?/g, ',').trim();
}

// RFC 9111 §3.1, RFC 9110 §7.6.1: fields of the connection or of this very answer, not of the response.
const unstored = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'age',
  'cache-status',
]);

/** What of the header section may be stored. */
export function storableHeaders(
  headers: HeaderFields,
  setCookie: 'refuse' | 'strip',
): Record<string, string | readonly string[]> {
  const named = new Set(tokensOf(fieldOf(headers, 'connection')));
  const kept: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || unstored.has(name) || named.has(name)) continue;
    if (name === 'set-cookie' && setCookie === 'strip') continue;
    kept[name] = value;
  }
  return kept;
}

// RFC 9111 §3.2, §4.3.4: these belong to the stored body, which a 304 does not carry, the validator above all.
const bodyFields = new Set(['content-encoding', 'content-length', 'content-md5', 'content-range', 'etag']);

/** The stored header section after a 304 (RFC 9111 §4.3.4). */
export function freshenedHeaders(stored: StoredResponse, notModified: HeaderFields): HeaderFields {
  const headers: Record<string, string | readonly string[] | undefined> = { ...stored.headers };
  // Its age begins anew unless the 304 says otherwise.
  delete headers.date;
  for (const [name, value] of Object.entries(notModified)) {
    if (value !== undefined && !bodyFields.has(name)) headers[name] = value;
  }
  return headers;
}

/** A strong validator of the body for responses that came without one. */
export function etagOf(body: Buffer): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
}
