/** Whether a stored response may answer a request: RFC 9111 §4.2, §4.2.4, RFC 5861. Pure functions. */
import type { RequestWishes } from './request-wishes.ts';
import type { StoredResponse } from './stored-response.ts';

/** `stale-while-revalidate`: at once, and a refresh is due. */
export type Reuse = 'fresh' | 'allowed-stale' | 'stale-while-revalidate' | 'must-forward';

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
