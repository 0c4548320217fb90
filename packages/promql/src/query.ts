import { PromqlError } from './errors.ts';
import { evaluateAggregate } from './evaluate/aggregate.ts';
import { Annotations } from './evaluate/annotations.ts';
import { evaluateBinary, evaluateScalarBinary } from './evaluate/binary.ts';
import {
  type Evaluation,
  type Grid,
  gridOf,
  isPresent,
  mergeEqual,
  nameless,
  type QueryContext,
  type StepSeries,
  scalarArray,
  settled,
  timeAt,
} from './evaluate/evaluation.ts';
import { evaluateCall, evaluateScalarCall } from './evaluate/functions.ts';
import { evaluateSelector, overWindows, rangeSource } from './evaluate/samples.ts';
import { Labels } from './labels.ts';
import { Budget, type QueryOptions, resolveOptions } from './limits.ts';
import type { Queryable } from './queryable.ts';
import { type Expression, unwrap } from './syntax/ast.ts';
import { typeOf } from './syntax/check-types.ts';
import { parse } from './syntax/parser.ts';

/** One element of an instant vector. */
export interface VectorSample {
  readonly labels: Labels;
  readonly timeMs: number;
  readonly value: number;
}

/** One series of a matrix: points in ascending time, none of them stale. */
export interface MatrixSeries {
  readonly labels: Labels;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

export type QueryValue =
  | { readonly type: 'scalar'; readonly timeMs: number; readonly value: number }
  | { readonly type: 'string'; readonly timeMs: number; readonly value: string }
  | { readonly type: 'vector'; readonly samples: readonly VectorSample[] }
  | { readonly type: 'matrix'; readonly series: readonly MatrixSeries[] };

/** A value with what Prometheus says beside it. Both lists are free of duplicates. */
export type QueryResult = QueryValue & {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
};

/**
 * A sample's value as the HTTP API writes it: the shortest text that reads back as the same number, `NaN`, `+Inf`
 * and `-Inf`.
 */
export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

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

/** Evaluates expressions of a type-checked tree over one grid, each operand before its operator, all steps at once. */
class Evaluator implements Evaluation {
  readonly query: QueryContext;
  readonly grid: Grid;

  constructor(query: QueryContext, grid: Grid) {
    this.query = query;
    this.grid = grid;
  }

  over(grid: Grid): Evaluator {
    return new Evaluator(this.query, grid);
  }

  vector(expression: Expression): StepSeries[] {
    this.query.budget.check();
    switch (expression.kind) {
      case 'parentheses':
        return this.vector(expression.expression);
      case 'selector':
        return evaluateSelector(this, expression);
      case 'aggregate':
        return evaluateAggregate(this, expression);
      case 'binary':
        return evaluateBinary(this, expression);
      case 'call':
        return evaluateCall(this, expression);
      case 'unary': {
        const series = this.vector(expression.expression);
        if (expression.operator === '+') return series;
        for (const { values } of series)
          for (let i = 0; i < values.length; i++) values[i] = -(values[i] as number);
        return settled(
          this,
          series.map((one) => ({ ...one, ...nameless(this, one) })),
        );
      }
      case 'number':
      case 'string':
      case 'range':
      case 'subquery':
        throw new PromqlError('internal', `a ${expression.kind} expression stands where a vector belongs`);
    }
  }

  scalar(expression: Expression): Float64Array {
    switch (expression.kind) {
      case 'number':
        return scalarArray(this).fill(expression.value);
      case 'parentheses':
        return this.scalar(expression.expression);
      case 'unary': {
        const values = this.scalar(expression.expression);
        return expression.operator === '+' ? values : values.map((value) => -value);
      }
      case 'binary':
        return evaluateScalarBinary(this, expression);
      case 'call':
        return evaluateScalarCall(this, expression);
      case 'string':
      case 'selector':
      case 'range':
      case 'subquery':
      case 'aggregate':
        throw new PromqlError('internal', `a ${expression.kind} expression stands where a scalar belongs`);
    }
  }
}
