import { PromqlError } from '../errors.ts';
import { type Call, type Expression, type MatrixSelector, type Subquery, unwrap } from '../syntax/ast.ts';
import { arraysFor, type Evaluation, nameless, type StepSeries, sameLabelset, timeAt } from './evaluation.ts';
import { CompensatedSum } from './numerics.ts';
import * as overTime from './over-time.ts';
import { overWindows, type RangeSeries, rangeSource, type Window, type WindowFunction } from './samples.ts';

const plain: Readonly<Record<string, WindowFunction>> = {
  avg_over_time: overTime.averageOverTime,
  changes: overTime.changes,
  count_over_time: overTime.countOverTime,
  deriv: derivative,
  first_over_time: overTime.firstOverTime,
  idelta: instantChange(false),
  irate: instantChange(true),
  last_over_time: overTime.lastOverTime,
  present_over_time: overTime.presentOverTime,
  resets: overTime.resets,
  stddev_over_time: overTime.deviationOverTime,
  stdvar_over_time: overTime.varianceOverTime,
  sum_over_time: overTime.sumOverTime,
};
const keepingName = new Set(['first_over_time', 'last_over_time']);

/** The range a function reads, when it reads one. */
export function rangeArgument(call: Call): MatrixSelector | Subquery | undefined {
  for (const arg of call.args) {
    const inner = unwrap(arg);
    if (inner.kind === 'range' || inner.kind === 'subquery') return inner;
  }
  return undefined;
}

/** A function over a range vector, one series after the other. `absent_over_time` is not among them. */
export function evaluateRangeFunction(
  evaluation: Evaluation,
  call: Call,
  range: MatrixSelector | Subquery,
): StepSeries[] {
  const { query } = evaluation;
  const forSeries = windowFunctions(evaluation, call, range.rangeMs);
  const source = rangeSource(evaluation, range);
  const arrays = arraysFor(evaluation);
  const results: StepSeries[] = [];
  for (const series of source.series) {
    query.budget.check();
    const out = arrays.next();
    if (overWindows(source, series, forSeries(series), out) === 0) {
      arrays.giveBack();
      continue;
    }
    const keep = keepingName.has(call.name) && !series.dropName;
    const identity = keep ? { labels: series.labels, dropName: false } : nameless(evaluation, series);
    results.push({ ...identity, ...out });
    if (call.name === 'rate' || call.name === 'increase')
      noteGauge(evaluation, series, call.args[0] as Expression);
  }
  if (!query.options.delayedNameRemoval) refuseEqual(results);
  return results;
}

function windowFunctions(
  evaluation: Evaluation,
  call: Call,
  rangeMs: number,
): (series: RangeSeries) => WindowFunction {
  const { grid, query } = evaluation;
  switch (call.name) {
    case 'rate':
      return extrapolated(rangeMs, { counter: true, perSecond: true });
    case 'increase':
      return extrapolated(rangeMs, { counter: true, perSecond: false });
    case 'delta':
      return extrapolated(rangeMs, { counter: false, perSecond: false });
    case 'max_over_time':
      return slidingExtreme((value, other) => value > other);
    case 'min_over_time':
      return slidingExtreme((value, other) => value < other);
    case 'predict_linear': {
      const ahead = evaluation.scalar(call.args[1] as Expression);
      const compute = predictLinear(ahead, (step) => timeAt(grid, step));
      return () => compute;
    }
    case 'quantile_over_time': {
      const parameter = call.args[0] as Expression;
      const phi = evaluation.scalar(parameter);
      const compute = overTime.quantileOverTime(phi);
      const warned: WindowFunction = (window) => {
        const asked = phi[window.step] as number;
        if (!(asked >= 0 && asked <= 1)) query.annotations.invalidQuantile(asked, unwrap(parameter).position);
        return compute(window);
      };
      return () => (phi.every((asked) => asked >= 0 && asked <= 1) ? compute : warned);
    }
    default: {
      const compute = plain[call.name];
      if (compute === undefined)
        throw new PromqlError('internal', `no implementation of the range function ${call.name}()`);
      return () => compute;
    }
  }
}

function noteGauge(evaluation: Evaluation, series: RangeSeries, argument: Expression): void {
  const name = series.labels.get('__name__');
  if (name === '' || /_(?:total|sum|count|bucket)$/.test(name)) return;
  evaluation.query.annotations.info(
    `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "${name}"`,
    unwrap(argument).position,
  );
}

function refuseEqual(series: readonly StepSeries[]): void {
  const seen = new Set<string>();
  for (const { labels } of series) {
    if (seen.has(labels.signature)) throw new PromqlError('execution', sameLabelset);
    seen.add(labels.signature);
  }
}

/**
 * Prometheus' extrapolation: the change between a window's first and last sample, counter resets undone, stretched to
 * the window's ends where a sample is near them (1.1 × the mean distance of samples), else by half that
 * distance; a counter is not stretched below zero.
 */
function extrapolated(
  rangeMs: number,
  kind: { readonly counter: boolean; readonly perSecond: boolean },
): (series: RangeSeries) => WindowFunction {
  return ({ values }) => {
    const resets = kind.counter ? resetIndices(values) : [];
    let firstReset = 0;
    return (window) => {
      const { timestamps, from, to } = window;
      const last = to - 1;
      if (last === from) return none(window);
      let result = (values[last] as number) - (values[from] as number);
      while (firstReset < resets.length && (resets[firstReset] as number) <= from) firstReset++;
      for (let i = firstReset; i < resets.length && (resets[i] as number) <= last; i++)
        result += values[(resets[i] as number) - 1] as number;
      const firstMs = timestamps[from] as number;
      const lastMs = timestamps[last] as number;
      const sampled = (lastMs - firstMs) / 1000;
      const mean = sampled / (last - from);
      let toStart = (firstMs - window.startMs) / 1000;
      let toEnd = (window.endMs - lastMs) / 1000;
      if (toStart >= mean * 1.1) toStart = mean / 2;
      if (kind.counter) {
        const first = values[from] as number;
        const toZero = result > 0 && first >= 0 ? sampled * (first / result) : toStart;
        if (toZero < toStart) toStart = toZero;
      }
      if (toEnd >= mean * 1.1) toEnd = mean / 2;
      let factor = (sampled + toStart + toEnd) / sampled;
      if (kind.perSecond) factor /= rangeMs / 1000;
      return result * factor;
    };
  };
}

/** The indices whose value is below the one before. */
function resetIndices(values: Float64Array): number[] {
  const indices: number[] = [];
  for (let i = 1; i < values.length; i++)
    if ((values[i] as number) < (values[i - 1] as number)) indices.push(i);
  return indices;
}

/** `irate` and `idelta`: the change between the last two samples. */
function instantChange(counter: boolean): WindowFunction {
  return (window) => {
    const { timestamps, values, from, to } = window;
    if (to - from < 2) return none(window);
    const last = values[to - 1] as number;
    const previous = values[to - 2] as number;
    const change = counter && last < previous ? last : last - previous;
    if (!counter) return change;
    return change / (((timestamps[to - 1] as number) - (timestamps[to - 2] as number)) / 1000);
  };
}

/** Tells the caller that the window has no result. */
export function none(window: Window): number {
  window.empty = true;
  return 0;
}

const x = new CompensatedSum();
const y = new CompensatedSum();
const xy = new CompensatedSum();
const xx = new CompensatedSum();

/** The least-squares line through a window: its slope per second and its height at `interceptMs`. */
function regress(window: Window, interceptMs: number): { slope: number; intercept: number } {
  const { timestamps, values, from, to } = window;
  for (const sum of [x, y, xy, xx]) sum.reset();
  const first = values[from] as number;
  let constant = true;
  for (let i = from; i < to; i++) {
    const value = values[i] as number;
    if (value !== first) constant = false;
    const seconds = ((timestamps[i] as number) - interceptMs) / 1000;
    x.add(seconds);
    y.add(value);
    xy.add(seconds * value);
    xx.add(seconds * seconds);
  }
  // A constant line is exact; the sums below would only round it.
  if (constant && !Number.isNaN(first)) {
    if (!Number.isFinite(first)) return { slope: Number.NaN, intercept: Number.NaN };
    return { slope: 0, intercept: first };
  }
  const count = to - from;
  const sumX = x.sum + x.correction;
  const sumY = y.sum + y.correction;
  const covariance = xy.sum + xy.correction - (sumX * sumY) / count;
  const variance = xx.sum + xx.correction - (sumX * sumX) / count;
  const slope = covariance / variance;
  return { slope, intercept: sumY / count - (slope * sumX) / count };
}

function derivative(window: Window): number {
  if (window.to - window.from < 2) return none(window);
  return regress(window, window.timestamps[window.from] as number).slope;
}

/** `seconds` holds how far ahead to look at each step; `timeOf` the evaluation's time of a step. */
function predictLinear(seconds: Float64Array, timeOf: (step: number) => number): WindowFunction {
  return (window) => {
    if (window.to - window.from < 2) return none(window);
    const { slope, intercept } = regress(window, timeOf(window.step));
    return slope * (seconds[window.step] as number) + intercept;
  };
}

/**
 * `max_over_time` and `min_over_time` in constant time a sample, however long the window: a queue keeps the indices whose
 * values no later value of the window beats, so that its head is the extreme (Lemire 2006). NaN counts only where there is
 * nothing else.
 */
function slidingExtreme(
  beats: (value: number, other: number) => boolean,
): (series: RangeSeries) => WindowFunction {
  let queue = new Int32Array(0);
  return ({ values }) => {
    if (queue.length < values.length) queue = new Int32Array(values.length);
    let head = 0;
    let tail = 0;
    let seen = 0;
    return ({ from, to }) => {
      for (let index = Math.max(seen, from); index < to; index++) {
        const value = values[index] as number;
        if (Number.isNaN(value)) continue;
        while (tail > head && !beats(values[queue[tail - 1] as number] as number, value)) tail--;
        queue[tail++] = index;
      }
      seen = to;
      while (head < tail && (queue[head] as number) < from) head++;
      return head === tail ? Number.NaN : (values[queue[head] as number] as number);
    };
  };
}
