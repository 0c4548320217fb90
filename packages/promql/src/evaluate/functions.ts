import { PromqlError } from '../errors.ts';
import { Labels } from '../labels.ts';
import { type Call, type Expression, unwrap } from '../syntax/ast.ts';
import {
  arraysFor,
  type Evaluation,
  nameless,
  type StepSeries,
  scalarArray,
  settled,
  timeAt,
} from './evaluation.ts';
import { histogramFraction, histogramQuantile } from './histogram-functions.ts';
import { labelJoin, labelReplace } from './label-functions.ts';
import { presentOverTime } from './over-time.ts';
import { evaluateRangeFunction, rangeArgument } from './range-functions.ts';
import { evaluateSelector, overWindows, rangeSource } from './samples.ts';

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

/** Functions of one number, for each element of a vector. */
const mathFunctions: Readonly<Record<string, (value: number) => number>> = {
  abs: Math.abs,
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atanh: Math.atanh,
  ceil: Math.ceil,
  cos: Math.cos,
  cosh: Math.cosh,
  deg: (value) => (value * 180) / Math.PI,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  log10: Math.log10,
  log2: Math.log2,
  rad: (value) => (value * Math.PI) / 180,
  sgn: (value) => (value < 0 ? -1 : value > 0 ? 1 : value),
  sin: Math.sin,
  sinh: Math.sinh,
  sqrt: Math.sqrt,
  tan: Math.tan,
  tanh: Math.tanh,
};

/** Functions of a time in Unix seconds, all in UTC; NaN for what is no time. */
const dateFunctions: Readonly<Record<string, (seconds: number) => number>> = {
  days_in_month: (seconds) => {
    const date = dateOf(seconds);
    return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  },
  day_of_month: (seconds) => dateOf(seconds).getUTCDate(),
  day_of_week: (seconds) => dateOf(seconds).getUTCDay(),
  day_of_year: (seconds) => {
    const date = dateOf(seconds);
    return Math.floor((date.getTime() - startOfYear(date)) / 86_400_000) + 1;
  },
  hour: (seconds) => dateOf(seconds).getUTCHours(),
  minute: (seconds) => dateOf(seconds).getUTCMinutes(),
  month: (seconds) => dateOf(seconds).getUTCMonth() + 1,
  year: (seconds) => dateOf(seconds).getUTCFullYear(),
};

function dateOf(seconds: number): Date {
  return new Date(Math.trunc(seconds) * 1000);
}

function startOfYear(date: Date): number {
  const start = new Date(0);
  return start.setUTCFullYear(date.getUTCFullYear());
}

/** `absent(v)`: 1 at every step at which the vector is empty. */
export function absent(evaluation: Evaluation, call: Call): StepSeries[] {
  const argument = unwrap(call.args[0] as Expression);
  const { values, present } = arraysFor(evaluation).next();
  for (const series of evaluation.vector(argument))
    for (let i = 0; i < present.length; i++) if (series.present[i] === 1) present[i] = 1;
  return [{ labels: labelsOf(argument), dropName: false, ...inverted(values, present) }];
}

/** `absent_over_time(range)`: 1 at every step whose window holds no sample of any series. */
function absentOverTime(evaluation: Evaluation, call: Call): StepSeries[] {
  const argument = unwrap(call.args[0] as Expression);
  const out = arraysFor(evaluation).next();
  if (argument.kind === 'range' || argument.kind === 'subquery') {
    const source = rangeSource(evaluation, argument);
    for (const series of source.series) overWindows(source, series, presentOverTime, out);
  }
  return [{ labels: labelsOf(argument), dropName: true, ...inverted(out.values, out.present) }];
}

function inverted(values: Float64Array, present: Uint8Array): { values: Float64Array; present: Uint8Array } {
  for (let i = 0; i < present.length; i++) {
    present[i] = present[i] === 1 ? 0 : 1;
    values[i] = 1;
  }
  return { values, present };
}

/** What a selector says with `=` and says once; nothing for any other expression. */
function labelsOf(argument: Expression): Labels {
  const selector = argument.kind === 'range' ? argument.selector : argument;
  if (selector.kind !== 'selector') return Labels.empty;
  const labels = new Map<string, string>();
  const seen = new Set<string>();
  for (const { name, operator, value } of selector.matchers) {
    if (name === '__name__') continue;
    if (operator === '=' && !seen.has(name)) {
      labels.set(name, value);
      seen.add(name);
    } else labels.delete(name);
  }
  return Labels.from(labels);
}
