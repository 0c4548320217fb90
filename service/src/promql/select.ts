import type { AtModifier, VectorSelector } from './ast.ts';
import { arraysFor, type Evaluation, type QueryContext } from './evaluation.ts';
import { timeAt } from './grid.ts';
import type { Series } from './queryable.ts';
import { isStale } from './stale.ts';
import type { StepSeries } from './step-series.ts';

/** Reads the series of a selector between two times, both inclusive, and charges their samples for the whole query. */
export function selectSeries(
  query: QueryContext,
  selector: VectorSelector,
  startMs: number,
  endMs: number,
): readonly Series[] {
  query.budget.check();
  const { matchers } = selector;
  const limits = {
    maxSeries: query.options.maxSeries,
    maxSamples: query.budget.remainingSamples,
    warn: (text: string): void => query.annotations.warn(text, selector.position),
  };
  const series = query.queryable.select(matchers, startMs, endMs, limits);
  query.budget.checkSeries(series.length);
  let samples = 0;
  for (const { timestamps } of series)
    samples += lowerBound(timestamps, endMs + 1) - lowerBound(timestamps, startMs);
  query.budget.take(samples);
  return series;
}

/** The time an evaluation at `timeMs` looks at, under the modifiers of a selector or subquery. */
export function referenceTime(
  query: QueryContext,
  modifiers: { readonly at: AtModifier | undefined; readonly offsetMs: number },
  timeMs: number,
): number {
  const { at, offsetMs } = modifiers;
  if (at === undefined) return timeMs - offsetMs;
  return (at === 'start' ? query.startMs : at === 'end' ? query.endMs : at) - offsetMs;
}

/** Whether any sample lies between two times, both inclusive: most that a store keeps of old series does not. */
export function hasSamples({ timestamps }: Series, startMs: number, endMs: number): boolean {
  const index = lowerBound(timestamps, startMs);
  return index < timestamps.length && (timestamps[index] as number) <= endMs;
}

/** The first index whose time is not before `timeMs`. */
export function lowerBound(timestamps: Float64Array, timeMs: number): number {
  let low = 0;
  let high = timestamps.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((timestamps[middle] as number) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * An instant selector at every step: the newest sample not older than the lookback, none after a stale marker.
 * With `timestamps` the values are the samples' times in seconds instead.
 */
export function evaluateSelector(
  evaluation: Evaluation,
  selector: VectorSelector,
  timestamps = false,
): StepSeries[] {
  const { grid, query } = evaluation;
  const first = referenceTime(query, selector, timeAt(grid, 0));
  const last = referenceTime(query, selector, timeAt(grid, grid.steps - 1));
  const { lookbackMs } = query.options;
  const arrays = arraysFor(evaluation);
  const found: StepSeries[] = [];
  for (const series of selectSeries(query, selector, first - lookbackMs + 1, last)) {
    query.budget.check();
    if (!hasSamples(series, first - lookbackMs + 1, last)) continue;
    const { values, present } = arrays.next();
    const stepMs = selector.at === undefined ? grid.stepMs : 0;
    const any = sampleAtSteps(series, { firstMs: first, stepMs, lookbackMs, timestamps }, values, present);
    if (any) found.push({ labels: series.labels, dropName: false, values, present });
    else arrays.giveBack();
  }
  return found;
}

interface Sampling {
  readonly firstMs: number;
  readonly stepMs: number;
  readonly lookbackMs: number;
  readonly timestamps: boolean;
}

function sampleAtSteps(
  series: Series,
  { firstMs, stepMs, lookbackMs, timestamps }: Sampling,
  values: Float64Array,
  present: Uint8Array,
): boolean {
  const times = series.timestamps;
  let any = false;
  let next = lowerBound(times, firstMs + 1);
  for (let step = 0; step < values.length; step++) {
    const reference = firstMs + step * stepMs;
    while (next < times.length && (times[next] as number) <= reference) next++;
    if (next === 0) continue;
    const time = times[next - 1] as number;
    if (time <= reference - lookbackMs || isStale(series.values, next - 1)) continue;
    values[step] = timestamps ? time / 1000 : (series.values[next - 1] as number);
    present[step] = 1;
    any = true;
  }
  return any;
}
