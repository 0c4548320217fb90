/**
 * What a shared cache may keep of a response, and for how long: RFC 9111 §3 and §4.2, RFC 5861. Pure functions of the
 * two messages.
 */
import { deltaMs, parseCacheControl } from './cache-control.ts';

/** Field names in lower case, as Node has them. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The parts of a request that decide. */
export interface RequestFacts {
  readonly method: string;
  readonly headers: HeaderFields;
}

/** The parts of a response that decide. */
export interface ResponseFacts {
  readonly status: number;
  readonly headers: HeaderFields;
}

/** How long a response lives. */
export interface Lifetime {
  readonly freshMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** Age it already had on arrival (RFC 9111 §5.1). */
  readonly ageMs: number;
}

// Heuristically cacheable by definition (RFC 9110 §15.1), less 206 (no ranges are stored) and 501.
const cacheableStatus = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414]);

/** Joins repeated fields as RFC 9110 §5.3 allows. */
export function fieldOf(headers: HeaderFields, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}

/** Why a request is answered without looking into the cache, or `undefined`. */
export function bypassReason({ method, headers }: RequestFacts): string | undefined {
  // §3: the method must be understood; only GET and HEAD are defined to be cacheable here.
  if (method !== 'GET' && method !== 'HEAD') return 'method';
  // RFC 9110 §14.2: a partial response would have to be combined; whole ones are stored only.
  if (headers.range !== undefined) return 'range';
  const control = parseCacheControl(fieldOf(headers, 'cache-control'));
  // §5.2.1.5
  if (control.has('no-store')) return 'request-no-store';
  // §5.2.1.4; §5.4: Pragma counts where Cache-Control is absent.
  if (control.has('no-cache')) return 'request-no-cache';
  if (headers['cache-control'] === undefined && /\bno-cache\b/i.test(fieldOf(headers, 'pragma') ?? '')) {
    return 'request-no-cache';
  }
  return undefined;
}

/**
 * The life of a storable response, or the reason why it must not be stored. `defaultMs` is the freshness of a response
 * that states none (§4.2.2, heuristic); 0 stores none such.
 */
export function lifetimeOf(
  request: RequestFacts,
  response: ResponseFacts,
  defaultMs: number,
): Lifetime | string {
  const { headers, status } = response;
  const control = parseCacheControl(fieldOf(headers, 'cache-control'));
  // §3: a response with must-understand is not judged by its no-store; we understand the statuses above.
  if (!cacheableStatus.has(status)) return 'status';
  // §5.2.2.5
  if (control.has('no-store') && !control.has('must-understand')) return 'no-store';
  // §5.2.2.7: a shared cache stores no private response, nor parts of one.
  if (control.has('private')) return 'private';
  // §5.2.2.4: could be stored for validation only, which would save nothing here.
  if (control.has('no-cache')) return 'no-cache';
  // §3.5
  const isPublic = control.has('public') || control.has('s-maxage') || control.has('must-revalidate');
  if (request.headers.authorization !== undefined && !isPublic) return 'authorization';
  // §7.3: a cookie set for one client must not be handed to another.
  if (headers['set-cookie'] !== undefined) return 'set-cookie';
  // §4.1: never matches.
  if ((fieldOf(headers, 'vary') ?? '').split(',').some((name) => name.trim() === '*')) return 'vary-star';
  const freshMs = freshnessOf(headers, control, defaultMs);
  if (freshMs === undefined) return 'no-freshness';
  const ageMs = Number(/^\s*(\d+)/.exec(fieldOf(headers, 'age') ?? '')?.[1] ?? 0) * 1_000;
  if (freshMs <= ageMs) return 'stale';
  // §4.2.4, §5.2.2.2, §5.2.2.8, §5.2.2.10: these forbid to serve it stale; s-maxage implies proxy-revalidate.
  const mayBeStale = !['must-revalidate', 'proxy-revalidate', 's-maxage'].some((name) => control.has(name));
  return {
    freshMs,
    ageMs,
    // RFC 5861 §3 and §4
    staleWhileRevalidateMs: mayBeStale ? (deltaMs(control, 'stale-while-revalidate') ?? 0) : 0,
    staleIfErrorMs: mayBeStale ? (deltaMs(control, 'stale-if-error') ?? 0) : 0,
  };
}

// §4.2.1: s-maxage, then max-age, then Expires − Date; then the heuristic.
function freshnessOf(
  headers: HeaderFields,
  control: ReturnType<typeof parseCacheControl>,
  defaultMs: number,
): number | undefined {
  const stated = deltaMs(control, 's-maxage') ?? deltaMs(control, 'max-age');
  if (stated !== undefined) return stated;
  const expires = fieldOf(headers, 'expires');
  if (expires !== undefined) {
    const date = Date.parse(fieldOf(headers, 'date') ?? '');
    const life = Date.parse(expires) - (Number.isNaN(date) ? Date.now() : date);
    // §5.3: an invalid date, "0" above all, means already expired.
    return Number.isNaN(life) ? 0 : life;
  }
  return defaultMs > 0 ? defaultMs : undefined;
}
