import { PromqlError } from '../errors.ts';
import type { Labels } from '../labels.ts';
import {
  type ArithmeticOperator,
  type Binary,
  type BinaryOperator,
  type ComparisonOperator,
  isComparison,
  type VectorMatching,
} from '../syntax/ast.ts';
import {
  arraysFor,
  type Evaluation,
  isPresent,
  mergeEqual,
  release,
  type StepArrays,
  type StepSeries,
} from './evaluation.ts';
import { power } from './numerics.ts';

/** Everything of one match group: at each step at most one of `ones` may be present. */
interface MatchGroup {
  readonly many: StepSeries[];
  readonly ones: StepSeries[];
}

/** An arithmetic or comparison operator between two vectors, under one-to-one or one-to-many matching. */
export function evaluateVectorBinary(evaluation: Evaluation, node: Binary): StepSeries[] {
  const left = evaluation.vector(node.left);
  const right = evaluation.vector(node.right);
  const swapped = node.matching.cardinality === 'one-to-many';
  const groups = matchGroups(node.matching, swapped ? right : left, swapped ? left : right);
  refuseDuplicates(node.matching, groups, left, right);
  const arrays = arraysFor(evaluation);
  const join = new Join(evaluation, node, arrays, swapped);
  for (const group of groups.values()) {
    evaluation.query.budget.check();
    join.group(group);
  }
  release(evaluation, left);
  release(evaluation, right);
  return mergeEqual(join.results);
}

function matchGroups(
  matching: VectorMatching,
  many: readonly StepSeries[],
  ones: readonly StepSeries[],
): Map<string, MatchGroup> {
  const key = matchingKey(matching);
  const groups = new Map<string, MatchGroup>();
  // In the order of the many side, which is the order of the result.
  for (const one of many) groupAt(groups, key(one.labels)).many.push(one);
  for (const one of ones) groupAt(groups, key(one.labels)).ones.push(one);
  return groups;
}

function groupAt(groups: Map<string, MatchGroup>, key: string): MatchGroup {
  let group = groups.get(key);
  if (group === undefined) {
    group = { many: [], ones: [] };
    groups.set(key, group);
  }
  return group;
}

/** Two series of the one side in one group are an error at every step where both sides hold anything at all. */
function refuseDuplicates(
  matching: VectorMatching,
  groups: Map<string, MatchGroup>,
  left: readonly StepSeries[],
  right: readonly StepSeries[],
): void {
  for (const { ones } of groups.values()) {
    if (ones.length < 2) continue;
    for (let step = 0; step < (ones[0] as StepSeries).present.length; step++) {
      const here = ones.filter((one) => one.present[step] === 1);
      if (here.length < 2) continue;
      if (![left, right].every((side) => side.some((one) => one.present[step] === 1))) continue;
      const side = matching.cardinality === 'one-to-many' ? 'left' : 'right';
      const [first, second] = here.map((one) => one.labels.toString()).sort();
      const group = matchingLabels(matching, (here[0] as StepSeries).labels).toString();
      throw new PromqlError(
        'execution',
        `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: ` +
          `[${first}, ${second}];many-to-many matching not allowed: matching labels must be unique on one side`,
      );
    }
  }
}

class Join {
  readonly results: StepSeries[] = [];
  readonly #evaluation: Evaluation;
  readonly #node: Binary;
  readonly #arrays: StepArrays;
  readonly #swapped: boolean;
  readonly #operation: Operation;

  constructor(evaluation: Evaluation, node: Binary, arrays: StepArrays, swapped: boolean) {
    this.#evaluation = evaluation;
    this.#node = node;
    this.#arrays = arrays;
    this.#swapped = swapped;
    this.#operation = operationOf(node.operator, node.returnBool);
  }

  group({ many, ones: given }: MatchGroup): void {
    if (many.length === 0 || given.length === 0) return;
    const ones = this.#joined(given);
    // Steps taken so far, by what must not occur twice at a step: in one-to-one the group, else the resulting labels.
    const taken = new Map<string, Uint8Array>();
    const watch = many.length > 1;
    for (const element of many) {
      for (const one of ones) {
        const labels = this.#labels(element.labels, one.labels);
        if (watch) this.#refuseSecond(taken, labels, element, one);
        this.#pair(element, one, labels);
      }
    }
  }

  /** No two of them are present at one step: those that lend the same labels make one series. */
  #joined(ones: readonly StepSeries[]): readonly StepSeries[] {
    if (ones.length === 1) return ones;
    const { include } = this.#node.matching;
    const byLent = new Map<string, StepSeries>();
    for (const one of ones) {
      const key = one.labels.signatureOf((name) => include.includes(name));
      const known = byLent.get(key);
      if (known === undefined) byLent.set(key, one);
      else fillIn(known, one);
    }
    return [...byLent.values()];
  }

  #refuseSecond(taken: Map<string, Uint8Array>, labels: Labels, element: StepSeries, one: StepSeries): void {
    const oneToOne = this.#node.matching.cardinality === 'one-to-one';
    const key = oneToOne ? '' : labels.signature;
    const steps = taken.get(key) ?? new Uint8Array(element.present.length);
    taken.set(key, steps);
    for (let i = 0; i < steps.length; i++) {
      if (element.present[i] === 0 || one.present[i] === 0) continue;
      if (steps[i] === 1) {
        const why = oneToOne
          ? 'many-to-one matching must be explicit (group_left/group_right)'
          : 'grouping labels must ensure unique matches';
        throw new PromqlError('execution', `multiple matches for labels: ${why}`);
      }
      steps[i] = 1;
    }
  }

  #pair(element: StepSeries, one: StepSeries, labels: Labels): void {
    const out = this.#arrays.next();
    const left = this.#swapped ? one : element;
    const right = this.#swapped ? element : one;
    const operation = this.#operation;
    for (let i = 0; i < out.values.length; i++) {
      if (left.present[i] === 0 || right.present[i] === 0) continue;
      const l = left.values[i] as number;
      const r = right.values[i] as number;
      if (operation.kind === 'value') out.values[i] = operation.of(l, r);
      else if (operation.keeps(l, r)) out.values[i] = l;
      else continue;
      out.present[i] = 1;
    }
    const result = { labels, dropName: this.#node.returnBool, ...out };
    if (isPresent(result)) this.results.push(result);
    else this.#arrays.giveBack();
  }

  #labels(many: Labels, one: Labels): Labels {
    const { matching, operator, returnBool } = this.#node;
    const delayed = this.#evaluation.query.options.delayedNameRemoval;
    let labels = !isComparison(operator) || (returnBool && !delayed) ? many.withoutMetadata : many;
    if (matching.cardinality === 'one-to-one') {
      const names = new Set(matching.labels);
      if (matching.on) labels = labels.filter((name) => names.has(name));
      else if (names.size > 0) labels = labels.filter((name) => !names.has(name));
    }
    if (matching.include.length === 0) return labels;
    return labels.with(matching.include.map((name) => [name, one.get(name)] as const));
  }
}

function fillIn(target: StepSeries, source: StepSeries): void {
  for (let i = 0; i < target.present.length; i++) {
    if (source.present[i] === 0) continue;
    target.present[i] = 1;
    target.values[i] = source.values[i] as number;
  }
}

/** The signature by which two series match: of the labels in `on (…)`, or of all but the name and those in `ignoring (…)`. */
export function matchingKey(matching: VectorMatching): (labels: Labels) => string {
  const names = new Set(matching.labels);
  const keep = matching.on
    ? (name: string): boolean => names.has(name)
    : (name: string): boolean => name !== '__name__' && !names.has(name);
  return (labels) => labels.signatureOf(keep);
}

/** The labels of a match group, as error messages name it. */
function matchingLabels(matching: VectorMatching, labels: Labels): Labels {
  return labels.filter(
    matching.on
      ? (name) => matching.labels.includes(name)
      : (name) => name !== '__name__' && !matching.labels.includes(name),
  );
}

const arithmetic: Readonly<Record<ArithmeticOperator, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
  '^': power,
  atan2: Math.atan2,
};

const comparison: Readonly<Record<ComparisonOperator, (left: number, right: number) => boolean>> = {
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<=': (left, right) => left <= right,
  '<': (left, right) => left < right,
  '>=': (left, right) => left >= right,
  '>': (left, right) => left > right,
};

/** A binary operator on two numbers: a value, or a condition that keeps or drops one. */
export type Operation =
  | { readonly kind: 'value'; readonly of: (left: number, right: number) => number }
  | { readonly kind: 'filter'; readonly keeps: (left: number, right: number) => boolean };

/** With `bool` a comparison is a value, 1 or 0. */
export function operationOf(operator: BinaryOperator, returnBool: boolean): Operation {
  const keeps = comparison[operator as ComparisonOperator];
  if (keeps === undefined) return { kind: 'value', of: arithmetic[operator as ArithmeticOperator] };
  if (!returnBool) return { kind: 'filter', keeps };
  return { kind: 'value', of: (left, right) => (keeps(left, right) ? 1 : 0) };
}
