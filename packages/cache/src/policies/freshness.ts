/**
 * The life of an entry, as pure functions of (state, now, random):
 *
 * ```
 * 0 ─────────── ttl ─────────── ttl + swr ─────────── ttl + max(swr, grace)
 *    fresh           revalidate              grace                         dead
 * ```
 */
import type { EntryFields } from '../stores/entry.ts';
import type { Policy } from './policy.ts';

/** What a read may do with an entry at a moment. */
export type Phase = 'fresh' | 'revalidate' | 'grace' | 'dead';

export function phaseOf(
  entry: Pick<EntryFields, 'freshUntil' | 'revalidateUntil' | 'graceUntil'>,
  now: number,
): Phase {
  if (now < entry.freshUntil) return 'fresh';
  if (now < entry.revalidateUntil) return 'revalidate';
  return now < entry.graceUntil ? 'grace' : 'dead';
}

/** The ttl of one value: negative values have their own; jitter only ever shortens. `random` is in [0, 1). */
export function ttlOf(
  policy: Policy,
  value: unknown,
  adaptiveTtlMs: number | undefined,
  random: number,
): number {
  const isNegative = value === undefined || value === null;
  const negative = isNegative && !Number.isNaN(policy.negativeTtlMs) ? policy.negativeTtlMs : undefined;
  const ttlMs = adaptiveTtlMs ?? negative ?? policy.ttlMs;
  return policy.jitter === 0 ? ttlMs : ttlMs * (1 - policy.jitter * random);
}

/** How long beyond its freshness a value is worth keeping. */
export function staleMsOf(policy: Policy): number {
  return Math.max(policy.staleWhileRevalidateMs, policy.graceMs);
}

// −ln(random) exceeds this once in half a billion reads, so before it no read need roll the dice.
const maxDraw = 20;

/** The moment from which `isEarlyRefreshDue` can become true; before it the hot path need not ask. */
export function earlyFrom(beta: number, loadMs: number, freshUntil: number): number {
  return beta === 0 ? freshUntil : freshUntil - beta * loadMs * maxDraw;
}

/**
 * XFetch: refresh when `now − β·δ·ln(random) ≥ freshUntil`, δ being the last load's duration. Each reader decides alone,
 * yet one early reader is expected (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede
 * Prevention, VLDB 2015).
 */
export function isEarlyRefreshDue(
  beta: number,
  loadMs: number,
  freshUntil: number,
  now: number,
  random: number,
): boolean {
  return beta > 0 && now - beta * loadMs * Math.log(1 - random) >= freshUntil;
}
