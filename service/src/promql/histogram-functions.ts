import type { Call, Expression } from './ast.ts';
import { unwrap } from './ast.ts';
import { type Bucket, bucketFraction, bucketQuantile } from './buckets.ts';
import { arraysFor, type Evaluation, nameless, release, settled } from './evaluation.ts';
import { timeAt } from './grid.ts';
import type { Labels } from './labels.ts';
import { isPresent, type StepSeries } from './step-series.ts';

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
