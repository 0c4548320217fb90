import type { ValueType } from './ast.ts';

export interface FunctionSignature {
  readonly args: readonly ValueType[];
  readonly returns: ValueType;
  /** How many of the last argument may be left out or repeated: 0 fixed, -1 any number. */
  readonly variadic: number;
}

const vectorToVector = [
  'abs absent acos acosh asin asinh atan atanh ceil cos cosh deg exp floor ln log10 log2 rad sgn sin sinh sort sort_desc sqrt tan tanh timestamp',
];
const dates = ['days_in_month day_of_month day_of_week day_of_year hour minute month year'];
const matrixToVector = [
  'absent_over_time avg_over_time changes count_over_time delta deriv first_over_time idelta increase irate',
  'last_over_time max_over_time min_over_time present_over_time rate resets stddev_over_time stdvar_over_time sum_over_time',
];

/** Prometheus 3's stable functions on floats. */
export const functionSignatures: ReadonlyMap<string, FunctionSignature> = new Map<string, FunctionSignature>([
  ...each(vectorToVector, ['vector']),
  ...each(dates, ['vector'], 1),
  ...each(matrixToVector, ['matrix']),
  one('clamp', ['vector', 'scalar', 'scalar']),
  one('clamp_max', ['vector', 'scalar']),
  one('clamp_min', ['vector', 'scalar']),
  one('histogram_fraction', ['scalar', 'scalar', 'vector']),
  one('histogram_quantile', ['scalar', 'vector']),
  one('label_join', ['vector', 'string', 'string', 'string'], -1),
  one('label_replace', ['vector', 'string', 'string', 'string', 'string']),
  one('pi', [], 0, 'scalar'),
  one('predict_linear', ['matrix', 'scalar']),
  one('quantile_over_time', ['scalar', 'matrix']),
  one('round', ['vector', 'scalar'], 1),
  one('scalar', ['vector'], 0, 'scalar'),
  one('time', [], 0, 'scalar'),
  one('vector', ['scalar']),
]);

/** What Prometheus 3 has behind a feature flag and the engine leaves out: refused by name. */
export const experimentalFunctions: ReadonlySet<string> = new Set(
  (
    'double_exponential_smoothing end histogram_quantiles info mad_over_time max_of min_of range sort_by_label ' +
    'sort_by_label_desc start start_timestamp step ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ' +
    'ts_of_min_over_time'
  ).split(' '),
);

/** Functions that read nothing but native histograms: refused by name. */
export const nativeHistogramFunctions: ReadonlySet<string> = new Set(
  'histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum'.split(' '),
);

function one(
  name: string,
  args: readonly ValueType[],
  variadic = 0,
  returns: ValueType = 'vector',
): [string, FunctionSignature] {
  return [name, { args, returns, variadic }];
}

function each(
  names: readonly string[],
  args: readonly ValueType[],
  variadic = 0,
): [string, FunctionSignature][] {
  return names.flatMap((line) => line.split(' ')).map((name) => one(name, args, variadic));
}
