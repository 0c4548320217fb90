import type { Binary } from './ast.ts';
import { isComparison, isSetOperator } from './ast.ts';
import { typeOf } from './check-types.ts';
import { type Evaluation, nameless, settled } from './evaluation.ts';
import { operationOf } from './operators.ts';
import { evaluateSetOperator } from './set-operators.ts';
import type { StepSeries } from './step-series.ts';
import { evaluateVectorBinary } from './vector-matching.ts';

/** A binary expression of which at least one side is a vector. */
export function evaluateBinary(evaluation: Evaluation, node: Binary): StepSeries[] {
  if (typeOf(node.left) === 'scalar' || typeOf(node.right) === 'scalar')
    return vectorWithScalar(evaluation, node);
  return isSetOperator(node.operator)
    ? evaluateSetOperator(evaluation, node)
    : evaluateVectorBinary(evaluation, node);
}

export function evaluateScalarBinary(evaluation: Evaluation, node: Binary): Float64Array {
  const left = evaluation.scalar(node.left);
  const right = evaluation.scalar(node.right);
  const operation = operationOf(node.operator, node.returnBool);
  // Between scalars a comparison without bool does not pass the type check.
  if (operation.kind === 'filter') return left;
  for (let i = 0; i < left.length; i++) left[i] = operation.of(left[i] as number, right[i] as number);
  return left;
}

function vectorWithScalar(evaluation: Evaluation, node: Binary): StepSeries[] {
  const scalarLeft = typeOf(node.left) === 'scalar';
  const scalar = evaluation.scalar(scalarLeft ? node.left : node.right);
  const vector = evaluation.vector(scalarLeft ? node.right : node.left);
  const operation = operationOf(node.operator, node.returnBool);
  for (const { values, present } of vector) {
    for (let i = 0; i < values.length; i++) {
      if (present[i] === 0) continue;
      const element = values[i] as number;
      const number = scalar[i] as number;
      const left = scalarLeft ? number : element;
      const right = scalarLeft ? element : number;
      if (operation.kind === 'value') values[i] = operation.of(left, right);
      else if (!operation.keeps(left, right)) present[i] = 0;
    }
  }
  if (isComparison(node.operator) && !node.returnBool) return vector;
  return settled(
    evaluation,
    vector.map((one) => ({ ...one, ...nameless(evaluation, one) })),
  );
}
