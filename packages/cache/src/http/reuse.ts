import { deltaMs, fieldOf, type HeaderFields, parseCacheControl } from './fields.ts';
import type { StoredResponse } from './stored-response.ts';

/** Whether a stored response may answer a request: RFC 9111 §4.2, §4.2.4, RFC 5861. Pure functions. */

/** `stale-while-revalidate`: at once, and a refresh is due. */
type Reuse = 'fresh' | 'allowed-stale' | 'stale-while-revalidate' | 'must-forward';

/** Milliseconds since it was made. A clock that went back must not make it negative (RFC 9111 §4.2.3). */
export function ageOf(stored: StoredResponse, now: number): number {
  return Math.max(0, now - stored.bornAt);
}

export function reuseOf(stored: StoredResponse, wishes: RequestWishes, now: number): Reuse {
  const ageMs = ageOf(stored, now);
  const leftMs = stored.freshMs - ageMs;
  if (wishes.noCache || Math.floor(ageMs / 1_000) * 1_000 > wishes.maxAgeMs) return 'must-forward';
  if (leftMs > 0) return leftMs >= wishes.minFreshMs ? 'fresh' : 'must-forward';
  if (wishes.minFreshMs > 0 || !stored.mayBeStale) return 'must-forward';
  if (-leftMs < stored.staleWhileRevalidateMs) return 'stale-while-revalidate';
  return -leftMs < wishes.maxStaleMs ? 'allowed-stale' : 'must-forward';
}

// RFC 5861 §4: what counts as an error there.
const errors = new Set([500, 502, 503, 504]);

/** Whether a stale response may stand in for the handler's answer. */
export function standsIn(
  stored: StoredResponse,
  wishes: RequestWishes,
  status: number,
  now: number,
): boolean {
  if (!errors.has(status) || wishes.noCache) return false;
  const leftMs = stored.freshMs - ageOf(stored, now);
  if (leftMs > 0) return true;
  return stored.mayBeStale && -leftMs < Math.max(stored.staleIfErrorMs, wishes.staleIfErrorMs);
}

/** What a request's Cache-Control allows and asks for (RFC 9111 §5.2.1); Pragma where it is absent (§5.4). */
export interface RequestWishes {
  /** §5.2.1.5: nothing of this exchange may be stored. It is not answered from the cache either. */
  readonly noStore: boolean;
  /** §5.2.1.4, or §5.2.1.1 with 0: whatever is stored must be validated first. */
  readonly noCache: boolean;
  /** §5.2.1.7: answer from the cache or with 504. */
  readonly onlyIfCached: boolean;
  /** §5.2.1.1 */
  readonly maxAgeMs: number;
  /** §5.2.1.3 */
  readonly minFreshMs: number;
  /** §5.2.1.2: how stale it may be; `Infinity` for any. 0 when absent. */
  readonly maxStaleMs: number;
  /** RFC 5861 §4, in a request. */
  readonly staleIfErrorMs: number;
}

export function wishesOf(headers: HeaderFields): RequestWishes {
  const field = fieldOf(headers, 'cache-control');
  const control = parseCacheControl(field ?? fieldOf(headers, 'pragma')?.match(/\bno-cache\b/i)?.[0]);
  const maxAgeMs = deltaMs(control, 'max-age') ?? Number.POSITIVE_INFINITY;
  return {
    noStore: control.has('no-store'),
    noCache: control.has('no-cache') || maxAgeMs === 0,
    onlyIfCached: control.has('only-if-cached'),
    maxAgeMs,
    minFreshMs: deltaMs(control, 'min-fresh') ?? 0,
    maxStaleMs:
      control.get('max-stale') === '' ? Number.POSITIVE_INFINITY : (deltaMs(control, 'max-stale') ?? 0),
    staleIfErrorMs: deltaMs(control, 'stale-if-error') ?? 0,
  };
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
  // RFC 9111 §4.3.2: without Last-Modified the Date counts.
  const modified = Date.parse(fieldOf(response, 'last-modified') ?? fieldOf(response, 'date') ?? '');
  return since >= modified;
}

/** Fields to set on a request before it goes to the handler; `undefined` removes one. */
export type ForwardedFields = Readonly<Record<'if-none-match' | 'if-modified-since', string | undefined>>;

/**
 * The client's preconditions are answered by this cache (RFC 9111 §4.3.2), so the handler is not shown them. If a stored
 * response has the handler's own validators, it is asked about those instead (§4.3.1): 304 spares it the body.
 */
export function forwardedPreconditions(stored: StoredResponse | undefined): ForwardedFields {
  const isAsked = stored?.isValidatable === true && stored.status === 200;
  return {
    'if-none-match': isAsked ? fieldOf(stored.headers, 'etag') : undefined,
    'if-modified-since': isAsked ? fieldOf(stored.headers, 'last-modified') : undefined,
  };
}

/** Parts of a stored response (RFC 9110 §14). One range of bytes is served; several are answered with the whole (§14.2). */

/** The bytes asked for, `end` exclusive; `unsatisfiable` when none of them exist. */
type ByteRange = { readonly start: number; readonly end: number } | 'unsatisfiable';

/** `undefined`: answer with the whole response. `response` is the stored header section, `length` that of its body. */
export function rangeOf(
  request: HeaderFields,
  response: HeaderFields,
  length: number,
): ByteRange | undefined {
  // No two parts of the pattern match the same characters, so that it takes linear time on whatever a client sends.
  const [, first, last] = /^bytes *= *(\d*)-(\d*)$/i.exec((fieldOf(request, 'range') ?? '').trim()) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (!ifRangeHolds(fieldOf(request, 'if-range'), response)) return undefined;
  if (first === '') {
    // §14.1.2: the last so many bytes.
    const count = Math.min(Number(last), length);
    return count === 0 ? 'unsatisfiable' : { start: length - count, end: length };
  }
  const start = Number(first);
  // An invalid range is ignored.
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= length) return 'unsatisfiable';
  return { start, end: last === '' ? length : Math.min(Number(last) + 1, length) };
}

// §13.1.5: strong comparison; a date must be exactly that of Last-Modified.
function ifRangeHolds(condition: string | undefined, response: HeaderFields): boolean {
  if (condition === undefined) return true;
  const text = condition.trim();
  if (text.startsWith('"')) return text === fieldOf(response, 'etag');
  if (text.startsWith('W/')) return false;
  const modified = Date.parse(fieldOf(response, 'last-modified') ?? '');
  return Date.parse(text) === modified;
}
