import type { Labels } from '../labels.ts';
import type { Budget } from '../limits.ts';
import { isStale, type Series } from '../queryable.ts';
import type { AtModifier, MatrixSelector, Subquery, VectorSelector } from '../syntax/ast.ts';
import {
  arraysFor,
  type Evaluation,
  gridOf,
  type QueryContext,
  release,
  type StepSeries,
  timeAt,
} from './evaluation.ts';

/** Reads the series of a selector between two times, both inclusive, and charges their samples for the whole query. */
function selectSeries(
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
function referenceTime(
  query: QueryContext,
  modifiers: { readonly at: AtModifier | undefined; readonly offsetMs: number },
  timeMs: number,
): number {
  const { at, offsetMs } = modifiers;
  if (at === undefined) return timeMs - offsetMs;
  return (at === 'start' ? query.startMs : at === 'end' ? query.endMs : at) - offsetMs;
}

/** Whether any sample lies between two times, both inclusive: most that a store keeps of old series does not. */
function hasSamples({ timestamps }: Series, startMs: number, endMs: number): boolean {
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

/** A range's series without stale markers, and how its window moves from step to step. */
interface RangeSource {
  readonly series: readonly RangeSeries[];
  readonly rangeMs: number;
  /** The window's end at the first step, inclusive; its start, `rangeMs` before, is not. */
  readonly firstEndMs: number;
  readonly stepMs: number;
  readonly budget: Budget;
}

export interface RangeSeries extends Series {
  readonly labels: Labels;
  readonly dropName: boolean;
}

export function rangeSource(evaluation: Evaluation, range: MatrixSelector | Subquery): RangeSource {
  const { grid, query } = evaluation;
  const modifiers = range.kind === 'range' ? range.selector : range;
  const firstEndMs = referenceTime(query, modifiers, timeAt(grid, 0));
  const lastEndMs = referenceTime(query, modifiers, timeAt(grid, grid.steps - 1));
  const { rangeMs } = range;
  const series =
    range.kind === 'range'
      ? selectSeries(query, range.selector, firstEndMs - rangeMs + 1, lastEndMs)
          .filter((series) => hasSamples(series, firstEndMs - rangeMs + 1, lastEndMs))
          .map(withoutStale)
      : subquerySeries(evaluation, range, firstEndMs - rangeMs, lastEndMs);
  const stepMs = modifiers.at === undefined ? grid.stepMs : 0;
  return { series, rangeMs, firstEndMs, stepMs, budget: query.budget };
}

/** Evaluates the inner expression at the multiples of the step in (`afterMs`, `endMs`]. */
function subquerySeries(
  evaluation: Evaluation,
  subquery: Subquery,
  afterMs: number,
  endMs: number,
): RangeSeries[] {
  const stepMs = subquery.stepMs ?? evaluation.query.options.defaultStepMs;
  const grid = gridOf((Math.floor(afterMs / stepMs) + 1) * stepMs, endMs, stepMs);
  if (grid.steps === 0) return [];
  const inner = evaluation.over(grid);
  const vector = inner.vector(subquery.expression);
  const series = vector.map((one) => compact(one, grid.startMs, stepMs));
  release(inner, vector);
  let samples = 0;
  for (const { timestamps } of series) samples += timestamps.length;
  evaluation.query.budget.take(samples);
  return series;
}

function compact(series: StepSeries, startMs: number, stepMs: number): RangeSeries {
  let count = 0;
  for (const one of series.present) count += one;
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  let to = 0;
  for (let i = 0; i < series.present.length; i++) {
    if (series.present[i] === 0) continue;
    timestamps[to] = startMs + i * stepMs;
    values[to++] = series.values[i] as number;
  }
  return { labels: series.labels, dropName: series.dropName, timestamps, values };
}

function withoutStale(series: Series): RangeSeries {
  const { labels, timestamps, values } = series;
  let stale = 0;
  for (let i = 0; i < values.length; i++) if (isStale(values, i)) stale++;
  if (stale === 0) return { labels, timestamps, values, dropName: false };
  const keptTimestamps = new Float64Array(values.length - stale);
  const keptValues = new Float64Array(values.length - stale);
  let to = 0;
  for (let i = 0; i < values.length; i++) {
    if (isStale(values, i)) continue;
    keptTimestamps[to] = timestamps[i] as number;
    keptValues[to++] = values[i] as number;
  }
  return { labels, timestamps: keptTimestamps, values: keptValues, dropName: false };
}

/** The samples of one step's window: indices `from` ≤ i < `to` of the series' arrays. Reused from step to step. */
export interface Window {
  timestamps: Float64Array;
  values: Float64Array;
  from: number;
  to: number;
  step: number;
  /** The window's bounds: after `startMs`, up to and with `endMs`. */
  startMs: number;
  endMs: number;
  /** Set by a function that has no result here. */
  empty: boolean;
}

export type WindowFunction = (window: Window) => number;

// Windows of a long subquery hold many samples each: a few milliseconds' worth of them.
const samplesBetweenChecks = 1_000_000;

/** Runs a function over every window of a series that holds samples. Returns how many steps have a value. */
export function overWindows(
  source: RangeSource,
  series: RangeSeries,
  compute: WindowFunction,
  out: { readonly values: Float64Array; readonly present: Uint8Array },
): number {
  const { timestamps, values } = series;
  const { firstEndMs, stepMs, rangeMs } = source;
  let from = lowerBound(timestamps, firstEndMs - rangeMs + 1);
  let to = from;
  let results = 0;
  let unchecked = 0;
  const window: Window = { timestamps, values, from, to, step: 0, startMs: 0, endMs: 0, empty: false };
  for (let step = 0; step < out.values.length; step++) {
    const endMs = firstEndMs + step * stepMs;
    const startMs = endMs - rangeMs;
    while (from < timestamps.length && (timestamps[from] as number) <= startMs) from++;
    if (to < from) to = from;
    while (to < timestamps.length && (timestamps[to] as number) <= endMs) to++;
    if (from === to) continue;
    unchecked += to - from;
    if (unchecked > samplesBetweenChecks) {
      source.budget.check();
      unchecked = 0;
    }
    window.from = from;
    window.to = to;
    window.step = step;
    window.startMs = startMs;
    window.endMs = endMs;
    window.empty = false;
    const value = compute(window);
    if (window.empty) continue;
    out.values[step] = value;
    out.present[step] = 1;
    results++;
  }
  return results;
}
