import { createHash } from 'node:crypto';
import type { HeaderFields } from './storability.ts';
import { fieldOf } from './storability.ts';

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
}

/** Which request fields select among the responses of one URL, in lower case and sorted. */
export type VaryNames = readonly string[];

export function varyNames(vary: string | undefined): VaryNames {
  const names = (vary ?? '').split(',').map((name) => name.trim().toLowerCase());
  return [...new Set(names.filter((name) => name !== ''))].sort();
}

/** The key of one variant (RFC 9111 §4.1): the URL, and the values of the selecting fields with their white space made even. */
export function variantKey(base: string, names: VaryNames, headers: HeaderFields): string {
  if (names.length === 0) return base;
  const values = names.map((name) => (fieldOf(headers, name) ?? '\0').trim().replace(/\s+/g, ' '));
  return `${base} ${createHash('sha256')
    .update(JSON.stringify([names, values]))
    .digest('base64url')}`;
}

// RFC 9111 §3.1, RFC 9110 §7.6.1: fields of the connection, not of the response.
const hopByHop = new Set([
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
export function storableHeaders(headers: HeaderFields): Record<string, string | readonly string[]> {
  const named = new Set(varyNames(fieldOf(headers, 'connection')));
  const kept: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase();
    if (value !== undefined && !hopByHop.has(key) && !named.has(key)) kept[key] = value;
  }
  return kept;
}

/** A strong validator of the body for responses that came without one. */
export function etagOf(body: Buffer): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
}

/**
 * Whether the client already has this response (RFC 9110 §13.1.2, §13.1.3, §13.2.2): If-None-Match by weak comparison;
 * If-Modified-Since only without it.
 */
export function isNotModified(request: HeaderFields, response: HeaderFields): boolean {
  const known = fieldOf(request, 'if-none-match');
  if (known !== undefined) {
    if (known.trim() === '*') return true;
    const etag = fieldOf(response, 'etag')?.replace(/^W\//, '');
    return etag !== undefined && [...known.matchAll(/(?:W\/)?("[^"]*")/g)].some((match) => match[1] === etag);
  }
  const since = Date.parse(fieldOf(request, 'if-modified-since') ?? '');
  const modified = Date.parse(fieldOf(response, 'last-modified') ?? '');
  return since >= modified;
}
