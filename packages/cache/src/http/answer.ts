import { cacheStatus, type HeaderFields, type StatusFacts } from './fields.ts';
import { ageOf, isNotModified, rangeOf } from './reuse.ts';
import type { StoredResponse } from './stored-response.ts';

/** A response ready to be written. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer | undefined;
}

// RFC 9110 §15.4.5: what a 304 must repeat, and what guides cache updates.
const validators = ['cache-control', 'content-location', 'date', 'etag', 'expires', 'last-modified', 'vary'];

/** How one answer is made of a stored response. */
interface AnswerOptions {
  readonly request: { readonly method: string; readonly headers: HeaderFields };
  readonly now: number;
  readonly name: string;
  /** `ttlMs` is filled in where the answer is a hit. */
  readonly status: StatusFacts;
}

/** The answer to one client from a stored response: whole, a part, headers only, or 304; with Age and Cache-Status. */
export function answerFrom(stored: StoredResponse, options: AnswerOptions): Answer {
  const { name, now, request, status } = options;
  const ageMs = ageOf(stored, now);
  const headers: Record<string, string | string[]> = {};
  for (const [field, value] of Object.entries(stored.headers)) {
    headers[field] = typeof value === 'string' ? value : [...value];
  }
  // RFC 9111 §5.1: what was not made for this very request says how old it is.
  if (status.fwd === undefined || status.collapsed === true || ageMs >= 1_000) {
    headers.age = String(Math.floor(ageMs / 1_000));
  }
  headers['cache-status'] = cacheStatus(
    name,
    status.hit ? { ...status, ttlMs: stored.freshMs - ageMs } : status,
  );
  // RFC 9110 §13.2.2: preconditions come before ranges, and only where the answer would be 200.
  if (stored.status === 200 && isNotModified(request.headers, stored.headers)) {
    const kept = [...validators, 'age', 'cache-status'];
    const known = Object.entries(headers).filter(([field]) => kept.includes(field));
    return { status: 304, headers: Object.fromEntries(known), body: undefined };
  }
  const { length } = stored.body;
  const isGet = request.method === 'GET';
  if (stored.status === 200) {
    headers['accept-ranges'] ??= 'bytes';
    // §14.2: ranges are defined for GET alone.
    const range = isGet ? rangeOf(request.headers, stored.headers, length) : undefined;
    if (range === 'unsatisfiable') {
      const unsatisfiable = { 'content-range': `bytes */${length}`, 'content-length': '0' };
      return {
        status: 416,
        headers: { ...unsatisfiable, 'cache-status': headers['cache-status'] },
        body: undefined,
      };
    }
    if (range !== undefined) {
      headers['content-range'] = `bytes ${range.start}-${range.end - 1}/${length}`;
      headers['content-length'] = String(range.end - range.start);
      return { status: 206, headers, body: stored.body.subarray(range.start, range.end) };
    }
  }
  if (stored.status !== 204) headers['content-length'] = String(length);
  return { status: stored.status, headers, body: request.method === 'HEAD' ? undefined : stored.body };
}

/** RFC 9111 §5.2.1.7 */
export function gatewayTimeout(name: string): Answer {
  return {
    status: 504,
    headers: {
      'cache-status': `${name}; detail=only-if-cached`,
      'content-type': 'application/problem+json',
      'content-length': String(notCached.length),
    },
    body: notCached,
  };
}

const notCached = Buffer.from(
  '{"title":"Not in the cache, and `only-if-cached` was asked for","status":504}',
);
