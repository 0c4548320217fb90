import type { Binary } from './ast.ts';
import type { Evaluation } from './evaluation.ts';
import { matchingKey } from './matching-key.ts';
import { mergeEqual, type StepSeries } from './step-series.ts';

/** `and`, `or`, `unless`: whether a left or right series counts at a step hangs on the other side's matching ones. */
export function evaluateSetOperator(evaluation: Evaluation, node: Binary): StepSeries[] {
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
