import { Annotations } from './annotations.ts';
import type { Expression } from './ast.ts';
import { unwrap } from './ast.ts';
import { Budget } from './budget.ts';
import { typeOf } from './check-types.ts';
import { PromqlError } from './errors.ts';
import type { QueryContext } from './evaluation.ts';
import { Evaluator } from './evaluator.ts';
import { type Grid, gridOf, timeAt } from './grid.ts';
import { Labels } from './labels.ts';
import { parse } from './parser.ts';
import { type QueryOptions, resolveOptions } from './query-options.ts';
import type { MatrixSeries, QueryResult, QueryValue, VectorSample } from './query-result.ts';
import type { Queryable } from './queryable.ts';
import { overWindows, rangeSource } from './range-windows.ts';
import { isPresent, mergeEqual, type StepSeries } from './step-series.ts';

/**
 * A query at one time. The result has the expression's own type; a vector stands in the order of its evaluation, which
 * `sort` and `topk` decide, a matrix in the order of its labels. @throws {PromqlError}
 */
export function evaluateInstant(
  queryable: Queryable,
  query: string,
  timeMs: number,
  options?: QueryOptions,
): QueryResult {
  const expression = parse(query);
  const context = contextOf(queryable, query, timeMs, timeMs, options);
  const evaluator = new Evaluator(context, { startMs: timeMs, stepMs: 1, steps: 1 });
  return finished(context, instantValue(evaluator, expression, timeMs));
}

export interface QueryRange {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/**
 * A query at every step from start to end, both inclusive: always a matrix, sorted by labels. @throws {PromqlError}
 */
export function evaluateRange(
  queryable: Queryable,
  query: string,
  range: QueryRange,
  options?: QueryOptions,
): QueryResult {
  const { startMs, endMs, stepMs } = range;
  const expression = parse(query);
  const context = contextOf(queryable, query, startMs, endMs, options);
  const grid = checkedGrid(startMs, endMs, stepMs, context.options.maxPoints);
  const type = typeOf(expression);
  if (type !== 'scalar' && type !== 'vector') {
    const got = type === 'matrix' ? 'range vector' : type;
    const message = `invalid expression type "${got}" for range query, must be Scalar or instant Vector`;
    throw new PromqlError('bad_data', message, { position: expression.position });
  }
  const evaluator = new Evaluator(context, grid);
  if (type === 'scalar') {
    const values = evaluator.scalar(expression);
    const timestamps = values.map((_, step) => timeAt(grid, step));
    return finished(context, { type: 'matrix', series: [{ labels: Labels.empty, timestamps, values }] });
  }
  const vector = named(context, evaluator.vector(expression));
  return finished(context, { type: 'matrix', series: matrixOf(grid, vector) });
}

function contextOf(
  queryable: Queryable,
  query: string,
  startMs: number,
  endMs: number,
  given: QueryOptions | undefined,
): QueryContext {
  const options = resolveOptions(given);
  return {
    queryable,
    options,
    budget: new Budget(options),
    annotations: new Annotations(query),
    startMs,
    endMs,
  };
}

function checkedGrid(startMs: number, endMs: number, stepMs: number, maxPoints: number): Grid {
  if (!(stepMs > 0))
    throw new PromqlError(
      'bad_data',
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  if (endMs < startMs) throw new PromqlError('bad_data', 'end timestamp must not be before start time');
  const grid = gridOf(startMs, endMs, stepMs);
  if (!(grid.steps - 1 <= maxPoints)) {
    const limit = maxPoints.toLocaleString('en-US');
    const message = `exceeded maximum resolution of ${limit} points per timeseries. Try decreasing the query resolution (?step=XX)`;
    throw new PromqlError('bad_data', message);
  }
  return grid;
}

function finished(context: QueryContext, value: QueryValue): QueryResult {
  const { annotations, budget } = context;
  const series =
    value.type === 'matrix' ? value.series.length : value.type === 'vector' ? value.samples.length : 0;
  budget.checkSeries(series);
  return { ...value, warnings: annotations.warnings, infos: annotations.infos };
}

function instantValue(evaluator: Evaluator, expression: Expression, timeMs: number): QueryValue {
  switch (typeOf(expression)) {
    case 'scalar':
      return { type: 'scalar', timeMs, value: evaluator.scalar(expression)[0] as number };
    case 'string': {
      const literal = unwrap(expression);
      return { type: 'string', timeMs, value: literal.kind === 'string' ? literal.value : '' };
    }
    case 'vector': {
      const samples: VectorSample[] = [];
      for (const { labels, values, present } of named(evaluator.query, evaluator.vector(expression)))
        if (present[0] === 1) samples.push({ labels, timeMs, value: values[0] as number });
      return { type: 'vector', samples };
    }
    case 'matrix':
      return { type: 'matrix', series: rangeValue(evaluator, expression) };
  }
}

/** A range vector as it is: each series' samples in the window. */
function rangeValue(evaluator: Evaluator, expression: Expression): MatrixSeries[] {
  const range = unwrap(expression);
  if (range.kind !== 'range' && range.kind !== 'subquery') return [];
  const source = rangeSource(evaluator, range);
  const found: MatrixSeries[] = [];
  const out = { values: new Float64Array(1), present: new Uint8Array(1) };
  for (const series of source.series) {
    const labels = series.dropName ? series.labels.withoutMetadata : series.labels;
    const cut = (window: { from: number; to: number }): number => {
      const { timestamps, values } = series;
      found.push({
        labels,
        timestamps: timestamps.slice(window.from, window.to),
        values: values.slice(window.from, window.to),
      });
      return 0;
    };
    overWindows(source, series, cut, out);
  }
  return found.sort((a, b) => a.labels.compare(b.labels));
}

/** Under delayed name removal, takes off at last the names that computations have dropped. */
function named(context: QueryContext, vector: StepSeries[]): StepSeries[] {
  if (!context.options.delayedNameRemoval) return vector;
  const found = vector.filter(isPresent);
  return mergeEqual(
    found.map((one) => (one.dropName ? { ...one, labels: one.labels.withoutMetadata } : one)),
  );
}

function matrixOf(grid: Grid, vector: readonly StepSeries[]): MatrixSeries[] {
  const found: MatrixSeries[] = [];
  for (const { labels, values, present } of vector) {
    let count = 0;
    for (const one of present) count += one;
    if (count === 0) continue;
    const timestamps = new Float64Array(count);
    const kept = new Float64Array(count);
    let to = 0;
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 0) continue;
      timestamps[to] = timeAt(grid, step);
      kept[to++] = values[step] as number;
    }
    found.push({ labels, timestamps, values: kept });
  }
  return found.sort((a, b) => a.labels.compare(b.labels));
}
