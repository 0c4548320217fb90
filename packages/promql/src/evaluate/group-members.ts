import { PromqlError } from '../errors.ts';
import type { Labels } from '../labels.ts';
import type { Aggregate } from '../syntax/ast.ts';
import { formatGo } from '../syntax/literals.ts';
import { arraysFor, type Evaluation, release, type StepSeries } from './evaluation.ts';

export interface Group {
  readonly labels: Labels;
  readonly members: readonly StepSeries[];
}

/** Groups in the order of their first member. `without` always leaves the name out, `by` keeps what it names. */
export function groupSeries(
  node: Pick<Aggregate, 'grouping' | 'without'>,
  series: readonly StepSeries[],
): Group[] {
  const names = new Set(node.grouping);
  const keep = node.without
    ? (name: string): boolean => name !== '__name__' && !names.has(name)
    : (name: string): boolean => names.has(name);
  const byKey = new Map<string, { labels: Labels; members: StepSeries[] }>();
  for (const one of series) {
    const key = !node.without && names.size === 0 ? '' : one.labels.signatureOf(keep);
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, { labels: one.labels.filter(keep), members: [one] });
    else group.members.push(one);
  }
  return [...byKey.values()];
}

interface Candidate {
  readonly series: StepSeries;
  readonly value: number;
}

/** `topk` and `bottomk`: at every step the k series of each group with the highest or lowest values, NaN last. */
export function selectByValue(
  evaluation: Evaluation,
  node: Aggregate,
  input: readonly StepSeries[],
  parameter: Float64Array,
): StepSeries[] {
  checkParameter(parameter);
  if (!parameter.some((k) => k >= 1)) return [];
  const { steps } = evaluation.grid;
  const arrays = arraysFor(evaluation);
  const chosen = new Map<StepSeries, StepSeries>();
  const worse = node.operator === 'topk' ? below : above;
  for (const { members } of groupSeries(node, input)) {
    evaluation.query.budget.check();
    for (let step = 0; step < steps; step++) {
      const k = Math.min(Math.trunc(parameter[step] as number), input.length);
      if (k < 1) continue;
      for (const { series, value } of best(members, step, k, worse)) {
        let out = chosen.get(series);
        if (out === undefined) {
          out = { labels: series.labels, dropName: series.dropName, ...arrays.next() };
          chosen.set(series, out);
        }
        out.values[step] = value;
        out.present[step] = 1;
      }
    }
  }
  release(evaluation, input);
  return [...chosen.values()];
}

function checkParameter(parameter: Float64Array): void {
  if (parameter.some((k) => Number.isNaN(k))) throw new PromqlError('execution', 'Parameter value is NaN');
  if (!parameter.some((k) => k >= 1)) return;
  for (const k of parameter) {
    if (k <= -(2 ** 63)) throw new PromqlError('execution', `Scalar value ${formatGo(k)} underflows int64`);
    if (k >= 2 ** 63) throw new PromqlError('execution', `Scalar value ${formatGo(k)} overflows int64`);
  }
}

type Worse = (a: number, b: number) => boolean;
const below: Worse = (a, b) => Number.isNaN(a) || a < b;
const above: Worse = (a, b) => Number.isNaN(a) || a > b;

/** The best k, best first. Keeps the worst of them on top of a heap, which a better one replaces. */
function best(members: readonly StepSeries[], step: number, k: number, worse: Worse): Candidate[] {
  const heap: Candidate[] = [];
  for (const series of members) {
    if (series.present[step] === 0) continue;
    const value = series.values[step] as number;
    const top = heap[0];
    if (heap.length < k) {
      heap.push({ series, value });
      siftUp(heap, heap.length - 1, worse);
    } else if (top !== undefined && !Number.isNaN(value) && worse(top.value, value)) {
      heap[0] = { series, value };
      siftDown(heap, worse);
    }
  }
  return heap.sort((a, b) => (worse(b.value, a.value) ? -1 : worse(a.value, b.value) ? 1 : 0));
}

function siftUp(heap: Candidate[], start: number, worse: Worse): void {
  for (let child = start; child > 0; ) {
    const parent = (child - 1) >> 1;
    if (!worse((heap[child] as Candidate).value, (heap[parent] as Candidate).value)) return;
    [heap[child], heap[parent]] = [heap[parent] as Candidate, heap[child] as Candidate];
    child = parent;
  }
}

function siftDown(heap: Candidate[], worse: Worse): void {
  for (let parent = 0; ; ) {
    let child = 2 * parent + 1;
    if (child >= heap.length) return;
    const right = child + 1;
    if (right < heap.length && worse((heap[right] as Candidate).value, (heap[child] as Candidate).value))
      child = right;
    if (!worse((heap[child] as Candidate).value, (heap[parent] as Candidate).value)) return;
    [heap[child], heap[parent]] = [heap[parent] as Candidate, heap[child] as Candidate];
    parent = child;
  }
}
