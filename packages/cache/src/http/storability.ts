/**
 * What a shared cache may keep of a response, and for how long: RFC 9111 §3 and §4.2, RFC 5861. Pure functions of the
 * two messages and the moment.
 */
import {
  type CacheControl,
  deltaMs,
  fieldOf,
  type HeaderFields,
  parseCacheControl,
  tokensOf,
} from './fields.ts';

/** How long a response lives; durations from its birth. */
export interface Lifetime {
  readonly freshMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** Whether anything, a request's max-stale above all, may have it served stale. */
  readonly mayBeStale: boolean;
  /** Age it already had on arrival (RFC 9111 §4.2.3). */
  readonly ageMs: number;
}

/** What this cache does where the RFCs leave it the choice. */
export interface StoragePolicy {
  /** Freshness of a response that states none (§4.2.2, heuristic); 0 stores none such. */
  readonly defaultTtlMs: number;
  /** Whether a response with Set-Cookie is refused, or stored without it. */
  readonly setCookie: 'refuse' | 'strip';
}

/** The two messages of an exchange, as far as they decide. */
export interface ExchangeFacts {
  readonly request: HeaderFields;
  readonly status: number;
  readonly response: HeaderFields;
  /** Wall-clock milliseconds: the request was forwarded, the response came. */
  readonly requestedAt: number;
  readonly respondedAt: number;
}

// Heuristically cacheable by definition (RFC 9110 §15.1), less 206 (no parts are stored) and 501.
const heuristicStatus = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414]);
// Those whose meaning for a cache this one knows, for must-understand.
const understoodStatus = new Set([...heuristicStatus, 302, 303, 307]);

/** The life of a storable response, or the reason why it must not be stored. */
export function lifetimeOf(facts: ExchangeFacts, policy: StoragePolicy): Lifetime | string {
  const { response } = facts;
  const control = parseCacheControl(fieldOf(response, 'cache-control'));
  const refusal = refusalOf(facts, control, policy);
  if (refusal !== undefined) return refusal;
  const hasValidator = response.etag !== undefined || response['last-modified'] !== undefined;
  // §5.2.2.4: may be stored, but only to be validated; without a validator that saves nothing.
  const isNoCache = control.has('no-cache');
  const freshMs = isNoCache ? 0 : freshnessOf(facts, control, policy.defaultTtlMs);
  if (freshMs === undefined) return 'no-freshness';
  const ageMs = initialAgeMs(facts);
  if (freshMs <= ageMs && !hasValidator) return isNoCache ? 'no-cache' : 'stale';
  // §4.2.4, §5.2.2.2, §5.2.2.8, §5.2.2.10: these forbid to serve it stale; s-maxage implies proxy-revalidate.
  const strict = ['no-cache', 'must-revalidate', 'proxy-revalidate', 's-maxage'];
  const mayBeStale = !strict.some((name) => control.has(name));
  return {
    freshMs,
    ageMs,
    mayBeStale,
    // RFC 5861 §3 and §4
    staleWhileRevalidateMs: mayBeStale ? (deltaMs(control, 'stale-while-revalidate') ?? 0) : 0,
    staleIfErrorMs: mayBeStale ? (deltaMs(control, 'stale-if-error') ?? 0) : 0,
  };
}

// Server-sent events, pictures of a camera, calls of gRPC.
const endless = /^\s*(text\/event-stream|multipart\/x-mixed-replace|application\/grpc)\b/i;
// Records after records: a stream of them may end or not.
const records =
  /^\s*application\/([\w.-]+\+)?(x-)?(ndjson|json-seq|jsonl|jsonlines|stream\+json|json-lines)\b/i;

/**
 * Whether a response is a stream without an end, by its type: it could never be stored, and requests waiting for it would wait in
 * vain. `isOpen`: its body is written in parts, and no Content-Length says how many bytes come.
 */
export function hasNoEnd(response: HeaderFields, isOpen: boolean = false): boolean {
  const type = fieldOf(response, 'content-type') ?? '';
  return endless.test(type) || (isOpen && records.test(type));
}

function refusalOf(
  { request, response, status }: ExchangeFacts,
  control: CacheControl,
  { setCookie }: StoragePolicy,
): string | undefined {
  // §3: a final status. §3.3: no parts are combined. 304 never gets here as a response of its own.
  // A failure is not stored though it may say so: a header set for all routes would turn one into an outage.
  if (status < 200 || status === 206 || status === 304 || status >= 500) return 'status';
  if (hasNoEnd(response)) return 'event-stream';
  // §5.2.2.3: only who understands the status may store, and then no-store does not count.
  const mustUnderstand = control.has('must-understand');
  if (mustUnderstand && !understoodStatus.has(status)) return 'status';
  // §5.2.2.5
  if (control.has('no-store') && !mustUnderstand) return 'no-store';
  // §5.2.2.7: a shared cache stores no private response, nor parts of one.
  if (control.has('private')) return 'private';
  // §3.5
  const isShared = control.has('public') || control.has('s-maxage') || control.has('must-revalidate');
  if (request.authorization !== undefined && !isShared) return 'authorization';
  // §7.3: a cookie set for one client must not be handed to another.
  if (response['set-cookie'] !== undefined && setCookie === 'refuse') return 'set-cookie';
  // §4.1: never matches.
  if (tokensOf(fieldOf(response, 'vary')).includes('*')) return 'vary-star';
  return undefined;
}

// §4.2.1: s-maxage, then max-age, then Expires − Date; then the heuristic, where the status or `public` allows it.
function freshnessOf(
  { respondedAt, response, status }: ExchangeFacts,
  control: CacheControl,
  defaultMs: number,
): number | undefined {
  const stated = deltaMs(control, 's-maxage') ?? deltaMs(control, 'max-age');
  if (stated !== undefined) return stated;
  const expires = fieldOf(response, 'expires');
  if (expires !== undefined) {
    const date = Date.parse(fieldOf(response, 'date') ?? '');
    const life = Date.parse(expires) - (Number.isNaN(date) ? respondedAt : date);
    // §5.3: an invalid date, "0" above all, means already expired.
    return Number.isNaN(life) ? 0 : Math.max(0, life);
  }
  const isHeuristic = heuristicStatus.has(status) || control.has('public');
  return defaultMs > 0 && isHeuristic ? defaultMs : undefined;
}

// §4.2.3; of several Age values the first counts, an invalid one does not (§5.1). A response without Age and Date was made here and now, however long that took.
function initialAgeMs({ requestedAt, respondedAt, response }: ExchangeFacts): number {
  const date = Date.parse(fieldOf(response, 'date') ?? '');
  const apparentMs = Number.isNaN(date) ? 0 : Math.max(0, respondedAt - date - 999);
  const seconds = /^\s*(\d+)\s*(?:,|$)/.exec(fieldOf(response, 'age') ?? '')?.[1];
  const correctedMs = seconds === undefined ? 0 : Number(seconds) * 1_000 + (respondedAt - requestedAt);
  return Math.max(apparentMs, correctedMs);
}
