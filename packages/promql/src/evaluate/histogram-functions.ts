import type { Labels } from '../labels.ts';
import { type Call, type Expression, unwrap } from '../syntax/ast.ts';
import {
  arraysFor,
  type Evaluation,
  isPresent,
  nameless,
  release,
  type StepSeries,
  settled,
  timeAt,
} from './evaluation.ts';

interface ClassicHistogram {
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly buckets: { readonly upperBound: number; readonly series: StepSeries }[];
}

/** `histogram_quantile(φ, buckets)`. */
export function histogramQuantile(evaluation: Evaluation, call: Call): StepSeries[] {
  const [phiArgument, vectorArgument] = call.args as [Expression, Expression];
  const { annotations, options } = evaluation.query;
  const phi = evaluation.scalar(phiArgument);
  const { position } = unwrap(vectorArgument);
  for (const one of phi)
    if (!(one >= 0 && one <= 1)) annotations.invalidQuantile(one, unwrap(phiArgument).position);
  return overHistograms(evaluation, vectorArgument, (histogram) => {
    const name = options.delayedNameRemoval ? histogram.labels.get('__name__') : '';
    return (buckets, step) => {
      const { quantile, fix } = bucketQuantile(phi[step] as number, buckets);
      if (fix !== undefined)
        annotations.forcedMonotonicity(name, position, timeAt(evaluation.grid, step), fix);
      return quantile;
    };
  });
}

/** `histogram_fraction(lower, upper, buckets)`. */
export function histogramFraction(evaluation: Evaluation, call: Call): StepSeries[] {
  const [lowerArgument, upperArgument, vectorArgument] = call.args as [Expression, Expression, Expression];
  const lower = evaluation.scalar(lowerArgument);
  const upper = evaluation.scalar(upperArgument);
  return overHistograms(evaluation, vectorArgument, () => (buckets, step) => {
    return bucketFraction(lower[step] as number, upper[step] as number, buckets);
  });
}

function overHistograms(
  evaluation: Evaluation,
  argument: Expression,
  forHistogram: (histogram: ClassicHistogram) => (buckets: Bucket[], step: number) => number,
): StepSeries[] {
  const input = evaluation.vector(argument);
  const arrays = arraysFor(evaluation);
  const results: StepSeries[] = [];
  for (const histogram of classicHistograms(evaluation, argument, input)) {
    evaluation.query.budget.check();
    const compute = forHistogram(histogram);
    const out = arrays.next();
    for (let step = 0; step < out.values.length; step++) {
      const buckets: Bucket[] = [];
      for (const { upperBound, series } of histogram.buckets)
        if (series.present[step] === 1) buckets.push({ upperBound, count: series.values[step] as number });
      if (buckets.length === 0) continue;
      out.values[step] = compute(buckets, step);
      out.present[step] = 1;
    }
    results.push({ ...nameless(evaluation, histogram), ...out });
  }
  release(evaluation, input);
  return settled(evaluation, results);
}

/** Series that differ in `le` alone make one histogram; those without a readable `le` are left out with a warning. */
function classicHistograms(
  evaluation: Evaluation,
  argument: Expression,
  input: readonly StepSeries[],
): ClassicHistogram[] {
  const { annotations, options } = evaluation.query;
  const histograms = new Map<string, ClassicHistogram>();
  for (const series of input) {
    const le = series.labels.get('le');
    const upperBound = parseBound(le);
    if (upperBound === undefined) {
      const name = options.delayedNameRemoval ? series.labels.get('__name__') : '';
      if (isPresent(series)) annotations.badBucket(le, name, unwrap(argument).position);
      continue;
    }
    const labels = series.labels.filter((name) => name !== 'le');
    const known = histograms.get(labels.signature);
    if (known === undefined)
      histograms.set(labels.signature, { labels, dropName: true, buckets: [{ upperBound, series }] });
    else known.buckets.push({ upperBound, series });
  }
  return [...histograms.values()];
}

function parseBound(text: string): number | undefined {
  if (/^\+?inf(?:inity)?$/i.test(text)) return Number.POSITIVE_INFINITY;
  if (/^-inf(?:inity)?$/i.test(text)) return Number.NEGATIVE_INFINITY;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** A classic histogram at one time: upper bounds with the counts up to them. */
interface Bucket {
  readonly upperBound: number;
  count: number;
}

/** What had to be changed for the counts to rise with the bounds. */
interface MonotonicityFix {
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
function bucketQuantile(
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
function bucketFraction(lower: number, upper: number, given: Bucket[]): number {
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
