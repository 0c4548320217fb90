import { type Binary, isComparison, isSetOperator } from '../syntax/ast.ts';
import { typeOf } from '../syntax/check-types.ts';
import { type Evaluation, mergeEqual, nameless, type StepSeries, settled } from './evaluation.ts';
import { evaluateVectorBinary, matchingKey, operationOf } from './vector-matching.ts';

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

/** `and`, `or`, `unless`: whether a left or right series counts at a step hangs on the other side's matching ones. */
function evaluateSetOperator(evaluation: Evaluation, node: Binary): StepSeries[] {
  const left = evaluation.vector(node.left);
  const right = evaluation.vector(node.right);
  const key = matchingKey(node.matching);
  const { steps } = evaluation.grid;
  if (node.operator === 'or') {
    const presence = presenceByKey(left, key, steps);
    for (const one of right) mask(one, presence.get(key(one.labels)), 0);
    return mergeEqual([...left, ...right.filter((one) => one.present.includes(1))]);
  }
  const presence = presenceByKey(right, key, steps);
  const wanted = node.operator === 'and' ? 1 : 0;
  for (const one of left) mask(one, presence.get(key(one.labels)), wanted);
  evaluation.query.budget.release(right.length * steps);
  return left.filter((one) => one.present.includes(1));
}

/** At which steps any series of a key is present. */
function presenceByKey(
  series: readonly StepSeries[],
  key: ReturnType<typeof matchingKey>,
  steps: number,
): Map<string, Uint8Array> {
  const presence = new Map<string, Uint8Array>();
  for (const { labels, present } of series) {
    const signature = key(labels);
    let known = presence.get(signature);
    if (known === undefined) {
      known = new Uint8Array(steps);
      presence.set(signature, known);
    }
    for (let i = 0; i < steps; i++) if (present[i] === 1) known[i] = 1;
  }
  return presence;
}

/** Keeps a series only at the steps where the other side's presence is `wanted`. */
function mask({ present }: StepSeries, others: Uint8Array | undefined, wanted: 0 | 1): void {
  for (let i = 0; i < present.length; i++) if ((others?.[i] ?? 0) !== wanted) present[i] = 0;
}
