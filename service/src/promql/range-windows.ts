import type { MatrixSelector, Subquery } from './ast.ts';
import type { Budget } from './budget.ts';
import type { Evaluation } from './evaluation.ts';
import { release } from './evaluation.ts';
import { gridOf, timeAt } from './grid.ts';
import type { Labels } from './labels.ts';
import type { Series } from './queryable.ts';
import { hasSamples, lowerBound, referenceTime, selectSeries } from './select.ts';
import { isStale } from './stale.ts';
import type { StepSeries } from './step-series.ts';

/** A range's series without stale markers, and how its window moves from step to step. */
export interface RangeSource {
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
