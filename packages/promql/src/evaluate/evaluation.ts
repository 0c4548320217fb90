import { PromqlError } from '../errors.ts';
import type { Labels } from '../labels.ts';
import type { Budget, ResolvedOptions } from '../limits.ts';
import type { Queryable } from '../queryable.ts';
import type { Expression } from '../syntax/ast.ts';
import type { Annotations } from './annotations.ts';

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

/** The times a query is evaluated at: `startMs`, `startMs + stepMs`, … `steps` times. */
export interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
}

export function timeAt(grid: Grid, step: number): number {
  return grid.startMs + step * grid.stepMs;
}

/** All times from `startMs` to `endMs`; none when the end lies before the start. */
export function gridOf(startMs: number, endMs: number, stepMs: number): Grid {
  return { startMs, stepMs, steps: endMs < startMs ? 0 : Math.floor((endMs - startMs) / stepMs) + 1 };
}

/**
 * One series of an instant vector at every step of a grid: `values[i]` counts where `present[i]` is 1. Whoever gets one
 * from an evaluation owns it and may overwrite its arrays.
 */
export interface StepSeries {
  readonly labels: Labels;
  /** The name is to go once the query is done, under delayed name removal. */
  readonly dropName: boolean;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

const firstChunk = 256;
const largestChunk = 1 << 16;

/** Hands out arrays of one length, cut from few large ones: many small allocations cost more than the work on them. */
export class StepArrays {
  readonly #steps: number;
  readonly #budget: Budget;
  #values: Float64Array = new Float64Array(0);
  #present: Uint8Array = new Uint8Array(0);
  #used = 0;

  constructor(steps: number, budget: Budget) {
    this.#steps = steps;
    this.#budget = budget;
  }

  /** Takes back the arrays handed out last, which nobody has written to. */
  giveBack(): void {
    this.#used -= this.#steps;
    this.#budget.release(this.#steps);
  }

  /** Zeroed arrays, charged to the budget. */
  next(): { values: Float64Array; present: Uint8Array } {
    const steps = this.#steps;
    this.#budget.take(steps);
    if (this.#used + steps > this.#values.length) {
      const wanted = Math.min(largestChunk, Math.max(firstChunk, this.#values.length * 4));
      const cells = Math.max(steps, Math.floor(wanted / steps) * steps);
      this.#values = new Float64Array(cells);
      this.#present = new Uint8Array(cells);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += steps;
    return {
      values: this.#values.subarray(from, this.#used),
      present: this.#present.subarray(from, this.#used),
    };
  }
}

export function isPresent(series: StepSeries): boolean {
  return series.present.includes(1);
}

export const sameLabelset = 'vector cannot contain metrics with the same labelset';

/**
 * Joins series with equal labels into one. @throws {PromqlError} `execution` where two of them have a value at one step.
 */
export function mergeEqual(series: readonly StepSeries[]): StepSeries[] {
  const bySignature = new Map<string, StepSeries>();
  for (const one of series) {
    const key = one.labels.signature;
    const known = bySignature.get(key);
    if (known === undefined) bySignature.set(key, one);
    else bySignature.set(key, mergeInto(known, one));
  }
  return bySignature.size === series.length ? (series as StepSeries[]) : [...bySignature.values()];
}

function mergeInto(known: StepSeries, other: StepSeries): StepSeries {
  for (let i = 0; i < known.present.length; i++) {
    if (other.present[i] === 0) continue;
    if (known.present[i] === 1) throw new PromqlError('execution', sameLabelset);
    known.present[i] = 1;
    known.values[i] = other.values[i] as number;
  }
  return known;
}
