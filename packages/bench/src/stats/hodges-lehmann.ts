import { tailProbabilities } from './signed-rank.ts';

/**
 * Hodges–Lehmann: the median of the Walsh averages (xᵢ + xⱼ) / 2, i ≤ j, and the interval that inverts the exact signed-rank
 * test: from the (c + 1)-th smallest Walsh average to the (c + 1)-th largest, with c the largest value for which
 * P(W⁺ ≤ c) ≤ (1 − confidence) / 2.
 */

/** A location with its interval; both ends are infinite where the sample is too small for the confidence. */
export interface LocationEstimate {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/**
 * @param values at least one
 * @param confidence two-sided, in (0, 1)
 */
export function hodgesLehmann(values: readonly number[], confidence: number): LocationEstimate {
  const walsh: number[] = [];
  values.forEach((a, i) => {
    for (const b of values.slice(i)) walsh.push((a + b) / 2);
  });
  walsh.sort((a, b) => a - b);
  const cut = lowerCut(values.length, (1 - confidence) / 2);
  return {
    estimate: median(walsh),
    low: cut < 0 ? Number.NEGATIVE_INFINITY : (walsh[cut] ?? Number.NaN),
    high: cut < 0 ? Number.POSITIVE_INFINITY : (walsh[walsh.length - 1 - cut] ?? Number.NaN),
  };
}

/** The middle value, or the mean of the two. @param sorted ascending, at least one */
export function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Largest c with P(W⁺ ≤ c) ≤ tail, or −1 when even c = 0 is too likely. */
function lowerCut(count: number, tail: number): number {
  const upper = tailProbabilities(Array.from({ length: count }, (_, index) => index + 1));
  let cut = -1;
  // By symmetry P(W ≤ c) = P(W ≥ total − c).
  while ((upper[upper.length - 1 - (cut + 1)] ?? 1) <= tail) cut += 1;
  return cut;
}
