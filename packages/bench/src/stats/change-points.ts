import { mulberry32 } from './sign-flip.ts';

/**
 * E-divisive (Matteson & James 2014): for a split of a series into X (n values) and Y (m values) the statistic is
 *
 *   Q = nm / (n + m) · ( 2·mean|xᵢ − yⱼ| − mean|xᵢ − xₖ| − mean|yⱼ − yₗ| )
 *
 * which is zero in expectation when both come from one distribution. The series is divided at the split that maximises Q, then each part is,
 * as long as a permutation test of the maximum is significant. Permutations use a fixed seed, so the same series
 * always has the same change points.
 */

/** A place where a series changed permanently. */
export interface ChangePoint {
  /** Index of the first value after the change. */
  readonly index: number;
  /** Medians of the segments on either side. */
  readonly before: number;
  readonly after: number;
  /** `after / before − 1`. */
  readonly change: number;
  /** p value of the permutation test. */
  readonly p: number;
}

/** Options of {@link findChangePoints}. */
export interface ChangePointOptions {
  /** @defaultValue 0.001 */
  readonly alpha?: number;
  /** Shortest segment between two changes. @defaultValue 5 */
  readonly minLength?: number;
  /** Smallest relative change of the median that is reported. @defaultValue 0.02 */
  readonly minChange?: number;
  /** At least 1 / alpha − 1. @defaultValue 1_999 */
  readonly permutations?: number;
}

/** Every change of a series, in order. Cost: permutations × length × depth; 500 values take well under a second. */
export function findChangePoints(series: readonly number[], options: ChangePointOptions = {}): ChangePoint[] {
  const { alpha = 0.001, minLength = 5, minChange = 0.02, permutations = 1_999 } = options;
  const random = mulberry32(series.length);
  const found: { index: number; p: number }[] = [];
  const divide = (from: number, to: number): void => {
    const part = series.slice(from, to);
    const best = bestSplit(part, minLength);
    if (best === undefined) return;
    const p = permutationP(part, best.q, { minLength, permutations, random, alpha });
    if (p > alpha) return;
    found.push({ index: from + best.index, p });
    divide(from, from + best.index);
    divide(from + best.index, to);
  };
  divide(0, series.length);
  found.sort((a, b) => a.index - b.index);
  return dropSmall(series, found, minChange);
}

/** Dropping a small change merges its two segments, which may move the medians of its neighbours. */
function dropSmall(
  series: readonly number[],
  found: { index: number; p: number }[],
  minChange: number,
): ChangePoint[] {
  let left = found;
  for (;;) {
    const points = left.map(({ index, p }, place): ChangePoint => {
      const before = medianOf(series.slice(left[place - 1]?.index ?? 0, index));
      const after = medianOf(series.slice(index, left[place + 1]?.index ?? series.length));
      return {
        index,
        before,
        after,
        change: before === 0 ? (after === 0 ? 0 : Infinity) : after / before - 1,
        p,
      };
    });
    const smallest = points.toSorted((a, b) => Math.abs(a.change) - Math.abs(b.change))[0];
    if (smallest === undefined || Math.abs(smallest.change) >= minChange) return points;
    left = left.filter(({ index }) => index !== smallest.index);
  }
}

interface Split {
  readonly index: number;
  readonly q: number;
}

/**
 * Scans all splits. Moving one value from the right part to the left changes the three sums of distances by its row of the
 * distance matrix, so the scan costs O(n²).
 */
function bestSplit(values: readonly number[], minLength: number): Split | undefined {
  const count = values.length;
  if (count < 2 * minLength) return undefined;
  let within = 0;
  for (let i = 0; i < count; i += 1) {
    for (let j = i + 1; j < count; j += 1) within += Math.abs(at(values, i) - at(values, j));
  }
  let left = 0;
  let right = within;
  let across = 0;
  let best: Split | undefined;
  for (let n = 1; n <= count - minLength; n += 1) {
    const moved = at(values, n - 1);
    let toLeft = 0;
    let toRight = 0;
    for (let i = 0; i < n - 1; i += 1) toLeft += Math.abs(at(values, i) - moved);
    for (let j = n; j < count; j += 1) toRight += Math.abs(at(values, j) - moved);
    left += toLeft;
    right -= toRight;
    across += toRight - toLeft;
    const m = count - n;
    if (n < minLength) continue;
    const q = ((n * m) / count) * ((2 * across) / (n * m) - meanPair(left, n) - meanPair(right, m));
    if (best === undefined || q > best.q) best = { index: n, q };
  }
  return best;
}

/** Unbiased: the mean over pairs of different values. */
function meanPair(sum: number, count: number): number {
  return count < 2 ? 0 : (2 * sum) / (count * (count - 1));
}

interface PermutationOptions {
  readonly minLength: number;
  readonly permutations: number;
  readonly random: () => number;
  readonly alpha: number;
}

/** (1 + permutations that reach the statistic) / (1 + permutations). It stops early when p must exceed α. */
function permutationP(values: readonly number[], q: number, options: PermutationOptions): number {
  const { minLength, permutations, random, alpha } = options;
  const shuffled = [...values];
  let reached = 0;
  for (let round = 0; round < permutations; round += 1) {
    for (let i = shuffled.length - 1; i > 0; i -= 1) {
      const j = Math.floor(random() * (i + 1));
      [shuffled[i], shuffled[j]] = [at(shuffled, j), at(shuffled, i)];
    }
    if ((bestSplit(shuffled, minLength)?.q ?? 0) < q) continue;
    reached += 1;
    if ((1 + reached) / (1 + permutations) > alpha) return (1 + reached) / (1 + round + 1);
  }
  return (1 + reached) / (1 + permutations);
}

function at(values: readonly number[], index: number): number {
  return values[index] ?? 0;
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? at(sorted, middle) : (at(sorted, middle - 1) + at(sorted, middle)) / 2;
}
