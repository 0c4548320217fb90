import type { Call, Expression, MatrixSelector, Subquery } from './ast.ts';
import { unwrap } from './ast.ts';
import { PromqlError } from './errors.ts';
import { arraysFor, type Evaluation, nameless } from './evaluation.ts';
import { timeAt } from './grid.ts';
import * as overTime from './over-time.ts';
import { overWindows, type RangeSeries, rangeSource, type WindowFunction } from './range-windows.ts';
import { extrapolated, instantChange } from './rate.ts';
import { derivative, predictLinear } from './regression.ts';
import { slidingExtreme } from './sliding-extreme.ts';
import { type StepSeries, sameLabelset } from './step-series.ts';

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
