import { evaluateAggregate } from './aggregate.ts';
import type { Expression } from './ast.ts';
import { evaluateBinary, evaluateScalarBinary } from './binary.ts';
import { PromqlError } from './errors.ts';
import { type Evaluation, nameless, type QueryContext, scalarArray, settled } from './evaluation.ts';
import { evaluateCall, evaluateScalarCall } from './functions.ts';
import type { Grid } from './grid.ts';
import { evaluateSelector } from './select.ts';
import type { StepSeries } from './step-series.ts';

/** Evaluates expressions of a type-checked tree over one grid, each operand before its operator, all steps at once. */
export class Evaluator implements Evaluation {
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
