import { deltaMs, parseCacheControl } from './cache-control.ts';
import { fieldOf, type HeaderFields } from './fields.ts';

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
