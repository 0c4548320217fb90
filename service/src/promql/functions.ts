import { absent, absentOverTime } from './absent.ts';
import type { Call, Expression } from './ast.ts';
import { unwrap } from './ast.ts';
import { PromqlError } from './errors.ts';
import { arraysFor, type Evaluation, nameless, scalarArray, settled } from './evaluation.ts';
import { timeAt } from './grid.ts';
import { histogramFraction, histogramQuantile } from './histogram-functions.ts';
import { labelJoin, labelReplace } from './label-functions.ts';
import { Labels } from './labels.ts';
import { dateFunctions, mathFunctions } from './math-functions.ts';
import { evaluateRangeFunction, rangeArgument } from './range-functions.ts';
import { evaluateSelector } from './select.ts';
import type { StepSeries } from './step-series.ts';

/** A call that returns a vector. */
export function evaluateCall(evaluation: Evaluation, call: Call): StepSeries[] {
  const { name, args } = call;
  if (name === 'absent_over_time') return absentOverTime(evaluation, call);
  const range = rangeArgument(call);
  if (range !== undefined) return evaluateRangeFunction(evaluation, call, range);
  const math = mathFunctions[name];
  if (math !== undefined) return mapped(evaluation, args[0] as Expression, math);
  const date = dateFunctions[name];
  if (date !== undefined) return dates(evaluation, args[0], date);
  switch (name) {
    case 'absent':
      return absent(evaluation, call);
    case 'clamp':
      return clamped(evaluation, call, 1, 2);
    case 'clamp_min':
      return clamped(evaluation, call, 1, undefined);
    case 'clamp_max':
      return clamped(evaluation, call, undefined, 1);
    case 'round':
      return rounded(evaluation, call);
    case 'histogram_quantile':
      return histogramQuantile(evaluation, call);
    case 'histogram_fraction':
      return histogramFraction(evaluation, call);
    case 'label_join':
      return labelJoin(evaluation, call);
    case 'label_replace':
      return labelReplace(evaluation, call);
    case 'sort':
    case 'sort_desc':
      return sorted(evaluation, call);
    case 'timestamp':
      return timestamps(evaluation, args[0] as Expression);
    case 'vector': {
      const values = evaluation.scalar(args[0] as Expression);
      return [
        { labels: Labels.empty, dropName: false, values, present: new Uint8Array(values.length).fill(1) },
      ];
    }
    default:
      throw new PromqlError('internal', `no implementation of the function ${name}()`);
  }
}

/** A call that returns a scalar. */
export function evaluateScalarCall(evaluation: Evaluation, call: Call): Float64Array {
  const { grid } = evaluation;
  const out = scalarArray(evaluation);
  if (call.name === 'pi') return out.fill(Math.PI);
  if (call.name === 'time') {
    for (let i = 0; i < out.length; i++) out[i] = timeAt(grid, i) / 1000;
    return out;
  }
  const vector = evaluation.vector(call.args[0] as Expression);
  const counts = new Uint32Array(grid.steps);
  for (const { values, present } of vector) {
    for (let i = 0; i < out.length; i++) {
      if (present[i] === 0) continue;
      (counts[i] as number)++;
      out[i] = values[i] as number;
    }
  }
  for (let i = 0; i < out.length; i++) if (counts[i] !== 1) out[i] = Number.NaN;
  return out;
}

function mapped(
  evaluation: Evaluation,
  argument: Expression,
  compute: (value: number, step: number) => number,
): StepSeries[] {
  const results = evaluation.vector(argument).map((series) => {
    const { values, present } = series;
    for (let i = 0; i < values.length; i++) if (present[i] === 1) values[i] = compute(values[i] as number, i);
    return { ...series, ...nameless(evaluation, series) };
  });
  return settled(evaluation, results);
}

function dates(
  evaluation: Evaluation,
  argument: Expression | undefined,
  compute: (seconds: number) => number,
): StepSeries[] {
  if (argument !== undefined) return mapped(evaluation, argument, compute);
  const { values, present } = arraysFor(evaluation).next();
  present.fill(1);
  for (let i = 0; i < values.length; i++) values[i] = compute(timeAt(evaluation.grid, i) / 1000);
  return [{ labels: Labels.empty, dropName: false, values, present }];
}

function clamped(
  evaluation: Evaluation,
  call: Call,
  minIndex: number | undefined,
  maxIndex: number | undefined,
): StepSeries[] {
  const bound = (index: number | undefined, open: number): Float64Array =>
    index === undefined
      ? new Float64Array(evaluation.grid.steps).fill(open)
      : evaluation.scalar(call.args[index] as Expression);
  const min = bound(minIndex, Number.NEGATIVE_INFINITY);
  const max = bound(maxIndex, Number.POSITIVE_INFINITY);
  const results = mapped(evaluation, call.args[0] as Expression, (value, step) =>
    Math.max(min[step] as number, Math.min(max[step] as number, value)),
  );
  // Nothing lies between bounds that cross.
  for (const { present } of results)
    for (let i = 0; i < present.length; i++) if ((max[i] as number) < (min[i] as number)) present[i] = 0;
  return results;
}

function rounded(evaluation: Evaluation, call: Call): StepSeries[] {
  const nearest = call.args[1];
  const inverse = nearest === undefined ? undefined : evaluation.scalar(nearest).map((value) => 1 / value);
  return mapped(evaluation, call.args[0] as Expression, (value, step) => {
    const factor = inverse?.[step] ?? 1;
    return Math.floor(value * factor + 0.5) / factor;
  });
}

/** An order only shows in the result of an instant query: a range's series are sorted by their labels. */
function sorted(evaluation: Evaluation, call: Call): StepSeries[] {
  const input = evaluation.vector(call.args[0] as Expression);
  if (evaluation.grid.steps > 1) {
    const text = 'sort is ineffective for range queries since results are always ordered by labels';
    evaluation.query.annotations.warn(text, call.position);
    return input;
  }
  const sign = call.name === 'sort' ? 1 : -1;
  return input.sort((a, b) => {
    const left = a.values[0] as number;
    const right = b.values[0] as number;
    if (Number.isNaN(left) || Number.isNaN(right))
      return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
    return sign * (left < right ? -1 : left > right ? 1 : 0);
  });
}

/** Of a plain selector the samples' own times; of anything computed the time of evaluation. */
function timestamps(evaluation: Evaluation, argument: Expression): StepSeries[] {
  const inner = unwrap(argument);
  if (inner.kind !== 'selector')
    return mapped(evaluation, inner, (_, step) => timeAt(evaluation.grid, step) / 1000);
  const results = evaluateSelector(evaluation, inner, true);
  return settled(
    evaluation,
    results.map((series) => ({ ...series, ...nameless(evaluation, series) })),
  );
}
