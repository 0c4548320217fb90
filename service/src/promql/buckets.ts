/** A classic histogram at one time: upper bounds with the counts up to them. */
export interface Bucket {
  readonly upperBound: number;
  count: number;
}

/** What had to be changed for the counts to rise with the bounds. */
export interface MonotonicityFix {
  readonly minBucket: number;
  readonly maxBucket: number;
  readonly maxDiff: number;
}

// Differences below this part of the counts are rounding, not data.
const tolerance = 1e-12;
const minNormal = 2.2250738585072014e-308;

/**
 * The φ-quantile, linear within its bucket; the lowest bucket starts at 0 if its bound is above, and the highest answers the
 * bound below it. NaN without observations or without a `+Inf` bucket. Sorts the buckets.
 */
export function bucketQuantile(
  phi: number,
  given: Bucket[],
): { readonly quantile: number; readonly fix: MonotonicityFix | undefined } {
  if (Number.isNaN(phi)) return { quantile: Number.NaN, fix: undefined };
  if (phi < 0) return { quantile: Number.NEGATIVE_INFINITY, fix: undefined };
  if (phi > 1) return { quantile: Number.POSITIVE_INFINITY, fix: undefined };
  const buckets = coalesce(given);
  if (buckets === undefined) return { quantile: Number.NaN, fix: undefined };
  const fix = makeMonotonic(buckets);
  return { quantile: interpolatedQuantile(phi, buckets), fix };
}

function interpolatedQuantile(phi: number, buckets: readonly Bucket[]): number {
  const highest = buckets.length - 1;
  const observations = (buckets[highest] as Bucket).count;
  if (buckets.length < 2 || observations === 0) return Number.NaN;
  let rank = phi * observations;
  // A search by halves, as Prometheus does it: it ends elsewhere than a scan where counts are NaN.
  let low = 0;
  let high = highest;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((buckets[middle] as Bucket).count >= rank) high = middle;
    else low = middle + 1;
  }
  const bucket = buckets[low] as Bucket;
  if (low === highest) return (buckets[highest - 1] as Bucket).upperBound;
  if (low === 0 && bucket.upperBound <= 0) return bucket.upperBound;
  let start = 0;
  let { count } = bucket;
  const below = buckets[low - 1];
  if (below !== undefined) {
    start = below.upperBound;
    count -= below.count;
    rank -= below.count;
  }
  return start + (bucket.upperBound - start) * (rank / count);
}

/** The share of observations between two values, linear within buckets. Sorts the buckets. */
export function bucketFraction(lower: number, upper: number, given: Bucket[]): number {
  const buckets = coalesce(given);
  const total = buckets?.at(-1)?.count ?? 0;
  if (buckets === undefined || total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  return (Math.min(rankOf(upper, buckets), total) - Math.min(rankOf(lower, buckets), total)) / total;
}

/** How many observations lie at or below a value. */
function rankOf(value: number, buckets: readonly Bucket[]): number {
  let rank = 0;
  let lowerBound = (buckets[0] as Bucket).upperBound <= 0 ? Number.NEGATIVE_INFINITY : 0;
  for (const { upperBound, count } of buckets) {
    if (lowerBound >= value) return rank;
    if (upperBound > value) {
      if (lowerBound === Number.NEGATIVE_INFINITY) return count;
      return rank + ((count - rank) * (value - lowerBound)) / (upperBound - lowerBound);
    }
    rank = count;
    lowerBound = upperBound;
  }
  return Number.POSITIVE_INFINITY;
}

/** Sorted, equal bounds added up; nothing when the highest is not `+Inf`. */
function coalesce(buckets: Bucket[]): Bucket[] | undefined {
  buckets.sort((a, b) => (a.upperBound < b.upperBound ? -1 : a.upperBound > b.upperBound ? 1 : 0));
  if (buckets.at(-1)?.upperBound !== Number.POSITIVE_INFINITY) return undefined;
  const merged: Bucket[] = [];
  for (const { upperBound, count } of buckets) {
    const last = merged.at(-1);
    if (last?.upperBound === upperBound) last.count += count;
    else merged.push({ upperBound, count });
  }
  return merged;
}

function makeMonotonic(buckets: readonly Bucket[]): MonotonicityFix | undefined {
  let minBucket = Number.POSITIVE_INFINITY;
  let maxBucket = Number.NEGATIVE_INFINITY;
  let maxDiff = 0;
  let previous = (buckets[0] as Bucket).count;
  for (const bucket of buckets.slice(1)) {
    if (bucket.count === previous) continue;
    if (almostEqual(previous, bucket.count)) bucket.count = previous;
    else if (bucket.count < previous) {
      minBucket = Math.min(minBucket, bucket.upperBound);
      maxBucket = Math.max(maxBucket, bucket.upperBound);
      maxDiff = Math.max(maxDiff, previous - bucket.count);
      bucket.count = previous;
    } else previous = bucket.count;
  }
  return maxDiff > 0 ? { minBucket, maxBucket, maxDiff } : undefined;
}

function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < minNormal) return difference < tolerance * minNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < tolerance;
}
