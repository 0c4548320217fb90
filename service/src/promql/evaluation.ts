import type { Annotations } from './annotations.ts';
import type { Expression } from './ast.ts';
import type { Budget } from './budget.ts';
import type { Grid } from './grid.ts';
import type { Labels } from './labels.ts';
import type { ResolvedOptions } from './query-options.ts';
import type { Queryable } from './queryable.ts';
import { mergeEqual, StepArrays, type StepSeries } from './step-series.ts';

/** What all parts of one query share. */
export interface QueryContext {
  readonly queryable: Queryable;
  readonly options: ResolvedOptions;
  readonly budget: Budget;
  readonly annotations: Annotations;
  /** The ends of the whole query, for `@ start()` and `@ end()`. */
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * One expression's evaluation over one grid: the query's own, or a subquery's. The functions that evaluate a kind of
 * expression take it first, and evaluate their operands through it.
 */
export interface Evaluation {
  readonly query: QueryContext;
  readonly grid: Grid;
  vector(expression: Expression): StepSeries[];
  scalar(expression: Expression): Float64Array;
  /** The same query over another grid. */
  over(grid: Grid): Evaluation;
}

export function arraysFor(evaluation: Evaluation): StepArrays {
  return new StepArrays(evaluation.grid.steps, evaluation.query.budget);
}

/** One zeroed number for every step, charged to the budget for the whole query. */
export function scalarArray(evaluation: Evaluation): Float64Array {
  evaluation.query.budget.take(evaluation.grid.steps);
  return new Float64Array(evaluation.grid.steps);
}

/** Gives series back to the budget when nothing of them is used any more. */
export function release(evaluation: Evaluation, series: readonly unknown[]): void {
  evaluation.query.budget.release(series.length * evaluation.grid.steps);
}

/** The labels and mark of a series that a computation has stripped of its name. */
export function nameless(
  evaluation: Evaluation,
  series: { readonly labels: Labels },
): Pick<StepSeries, 'labels' | 'dropName'> {
  if (evaluation.query.options.delayedNameRemoval) return { labels: series.labels, dropName: true };
  return { labels: series.labels.withoutMetadata, dropName: true };
}

/** After names were dropped: series that became equal are one, unless names go only at the end. */
export function settled(evaluation: Evaluation, series: StepSeries[]): StepSeries[] {
  return evaluation.query.options.delayedNameRemoval ? series : mergeEqual(series);
}
