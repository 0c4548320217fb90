import { PromqlError } from '../errors.ts';
import { type Aggregate, type Expression, unwrap } from '../syntax/ast.ts';
import { formatPlain, quote } from '../syntax/literals.ts';
import {
  arraysFor,
  type Evaluation,
  mergeEqual,
  release,
  type StepArrays,
  type StepSeries,
} from './evaluation.ts';
import { groupSeries, selectByValue } from './group-members.ts';
import { CompensatedMean, quantile } from './numerics.ts';

/** One group's members, folded at every step into `values` where any of them is present. */
type Fold = (
  members: readonly StepSeries[],
  out: { readonly values: Float64Array; readonly present: Uint8Array },
) => void;

/** An aggregation over the series of an instant vector, group by group. */
export function evaluateAggregate(evaluation: Evaluation, node: Aggregate): StepSeries[] {
  if (node.operator === 'count_values') return countValues(evaluation, node);
  const parameter = node.parameter === undefined ? undefined : evaluation.scalar(node.parameter);
  const input = evaluation.vector(node.expression);
  if (node.operator === 'topk' || node.operator === 'bottomk')
    return selectByValue(evaluation, node, input, parameter as Float64Array);
  if (node.operator === 'quantile') warnOfQuantiles(evaluation, node, parameter as Float64Array);
  const fold = folds(node.operator, parameter);
  const arrays = arraysFor(evaluation);
  const results: StepSeries[] = [];
  for (const { labels, members } of groupSeries(node, input)) {
    evaluation.query.budget.check();
    const out = arrays.next();
    fold(members, out);
    results.push({ labels, dropName: members.some((member) => member.dropName), ...out });
  }
  release(evaluation, input);
  return results;
}

function folds(operator: Aggregate['operator'], parameter: Float64Array | undefined): Fold {
  switch (operator) {
    case 'sum':
      return foldSum;
    case 'avg':
      return foldAverage;
    case 'min':
      return foldExtreme((value, known) => value < known);
    case 'max':
      return foldExtreme((value, known) => value > known);
    case 'count':
      return foldCount;
    case 'group':
      return foldGroup;
    case 'stddev':
      return foldVariance(Math.sqrt);
    case 'stdvar':
      return foldVariance((variance) => variance);
    case 'quantile':
      return foldQuantile(parameter as Float64Array);
    default:
      throw new PromqlError('internal', `no implementation of the aggregation ${operator}()`);
  }
}

// Series by series rather than step by step: the inner loop runs over contiguous memory.
const foldSum: Fold = (members, { values: sums, present }) => {
  const corrections = new Float64Array(sums.length);
  for (const { values, present: has } of members) {
    for (let i = 0; i < sums.length; i++) {
      if (has[i] === 0) continue;
      const value = values[i] as number;
      if (present[i] === 0) {
        present[i] = 1;
        sums[i] = value;
        continue;
      }
      const sum = sums[i] as number;
      const total = sum + value;
      if (total === Number.POSITIVE_INFINITY || total === Number.NEGATIVE_INFINITY) corrections[i] = 0;
      else if (Math.abs(sum) >= Math.abs(value)) (corrections[i] as number) += sum - total + value;
      else (corrections[i] as number) += value - total + sum;
      sums[i] = total;
    }
  }
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (corrections[i] as number);
};

const mean = new CompensatedMean();

const foldAverage: Fold = (members, { values: means, present }) => {
  for (let i = 0; i < means.length; i++) {
    mean.reset();
    for (const member of members) {
      if (member.present[i] === 0) continue;
      mean.add(member.values[i] as number);
      present[i] = 1;
    }
    if (present[i] === 1) means[i] = mean.mean;
  }
};

/** NaN loses against any number. */
function foldExtreme(beats: (value: number, known: number) => boolean): Fold {
  return (members, { values: extremes, present }) => {
    for (const { values, present: has } of members) {
      for (let i = 0; i < extremes.length; i++) {
        if (has[i] === 0) continue;
        const value = values[i] as number;
        const known = extremes[i] as number;
        if (present[i] === 0 || beats(value, known) || Number.isNaN(known)) extremes[i] = value;
        present[i] = 1;
      }
    }
  };
}

const foldCount: Fold = (members, { values, present }) => {
  for (const { present: has } of members) {
    for (let i = 0; i < values.length; i++) {
      if (has[i] === 0) continue;
      present[i] = 1;
      (values[i] as number)++;
    }
  }
};

const foldGroup: Fold = (members, { values, present }) => {
  for (const { present: has } of members) {
    for (let i = 0; i < values.length; i++) {
      if (has[i] === 0) continue;
      present[i] = 1;
      values[i] = 1;
    }
  }
};

/** Welford's recurrence over the population. */
function foldVariance(result: (variance: number) => number): Fold {
  return (members, { values: squares, present }) => {
    const means = new Float64Array(squares.length);
    const counts = new Float64Array(squares.length);
    for (const { values, present: has } of members) {
      for (let i = 0; i < squares.length; i++) {
        if (has[i] === 0) continue;
        const value = values[i] as number;
        if (present[i] === 0) {
          present[i] = 1;
          counts[i] = 1;
          means[i] = value;
          squares[i] = Number.isFinite(value) ? 0 : Number.NaN;
          continue;
        }
        const count = (counts[i] as number) + 1;
        counts[i] = count;
        const delta = value - (means[i] as number);
        const moved = (means[i] as number) + delta / count;
        means[i] = moved;
        (squares[i] as number) += delta * (value - moved);
      }
    }
    for (let i = 0; i < squares.length; i++)
      if (present[i] === 1) squares[i] = result((squares[i] as number) / (counts[i] as number));
  };
}

function foldQuantile(phi: Float64Array): Fold {
  return (members, { values, present }) => {
    const gathered = new Float64Array(members.length);
    for (let i = 0; i < values.length; i++) {
      let count = 0;
      for (const member of members)
        if (member.present[i] === 1) gathered[count++] = member.values[i] as number;
      if (count === 0) continue;
      present[i] = 1;
      values[i] = quantile(phi[i] as number, gathered.subarray(0, count));
    }
  };
}

function warnOfQuantiles(evaluation: Evaluation, node: Aggregate, phi: Float64Array): void {
  const position = unwrap(node.parameter as Expression).position;
  const { annotations } = evaluation.query;
  const numbers = phi.filter((one) => !Number.isNaN(one));
  const most = numbers.reduce((known, one) => Math.max(known, one), 0);
  const least = numbers.reduce((known, one) => Math.min(known, one), 0);
  if (phi.some((one) => Number.isNaN(one))) annotations.invalidQuantile(Number.NaN, position);
  if (most > 1) annotations.invalidQuantile(most, position);
  if (least < 0) annotations.invalidQuantile(least, position);
}

/** One series for each group and each value in it, counting who has the value. */
function countValues(evaluation: Evaluation, node: Aggregate): StepSeries[] {
  const literal = unwrap(node.parameter as Expression);
  const label = literal.kind === 'string' ? literal.value : '';
  if (label === '' || !label.isWellFormed())
    throw new PromqlError('execution', `invalid label name ${quote(label)}`);
  const input = evaluation.vector(node.expression);
  const arrays: StepArrays = arraysFor(evaluation);
  const results: StepSeries[] = [];
  for (const { labels, members } of groupSeries(node, input)) {
    const byValue = new Map<string, StepSeries>();
    for (const { values, present } of members) {
      for (let i = 0; i < values.length; i++) {
        if (present[i] === 0) continue;
        const text = formatPlain(values[i] as number);
        let counts = byValue.get(text);
        if (counts === undefined) {
          counts = { labels: labels.with({ [label]: text }), dropName: false, ...arrays.next() };
          byValue.set(text, counts);
        }
        counts.present[i] = 1;
        (counts.values[i] as number)++;
      }
    }
    results.push(...byValue.values());
    evaluation.query.budget.checkSeries(results.length);
  }
  release(evaluation, input);
  return mergeCounts(results);
}

// `without (label)` of a group key that held the label itself can yield equal series: their counts add up.
function mergeCounts(series: StepSeries[]): StepSeries[] {
  const bySignature = new Map<string, StepSeries>();
  for (const one of series) {
    const known = bySignature.get(one.labels.signature);
    if (known === undefined) {
      bySignature.set(one.labels.signature, one);
      continue;
    }
    for (let i = 0; i < one.values.length; i++) {
      (known.values[i] as number) += one.values[i] as number;
      known.present[i] = (known.present[i] as number) | (one.present[i] as number);
    }
  }
  return mergeEqual([...bySignature.values()]);
}
