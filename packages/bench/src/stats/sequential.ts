import {
  type JudgeOptions,
  judge,
  type MetricVerdict,
  overallVerdict,
  type PairedMetric,
  type Verdict,
} from './verdict.ts';

/** When a sequential comparison looks at its data. */
export interface SequentialPlan {
  /** The first look. @defaultValue 10 */
  readonly minPairs?: number;
  /** The last look. @defaultValue 16 */
  readonly maxPairs?: number;
  /** Pairs between looks. @defaultValue 3 */
  readonly step?: number;
}

/** Default plan. */
export const sequentialDefaults: Readonly<Required<SequentialPlan>> = Object.freeze({
  minPairs: 10,
  maxPairs: 16,
  step: 3,
});

/** Of slices: two equal builds differ by 3.3 % there, by 2 % in a duet. */
export const slicesPlan: Readonly<Required<SequentialPlan>> = Object.freeze({
  minPairs: 15,
  maxPairs: 21,
  step: 3,
});

/** What a look says: stop with a verdict, or measure up to `pairs` and look again. */
export type Look =
  | { readonly done: true; readonly verdict: Verdict; readonly metrics: readonly MetricVerdict[] }
  | { readonly done: false; readonly pairs: number; readonly metrics: readonly MetricVerdict[] };

/** Of α, spent at the first look; the later ones share the rest equally. */
const firstShare = 0.6;

/**
 * Looks at the pairs measured so far, if there are as many as a look wants; between looks nothing is decided, since each further look
 * would be one more chance of a false alarm. The chance of one over all looks stays below α, since each look spends a part of it.
 */
export function look(
  metrics: readonly PairedMetric[],
  plan: SequentialPlan = {},
  options: JudgeOptions = {},
): Look {
  const looks = lookSizes(plan);
  const pairs = Math.min(...metrics.map((metric) => metric.pairs.length));
  const reached = looks.filter((size) => size <= pairs).length;
  const later = (1 - firstShare) / Math.max(looks.length - 1, 1);
  const spentAt = (index: number): number => (looks.length === 1 ? 1 : firstShare + later * index);
  const before = looks
    .filter((size) => size < pairs)
    .map((size, index) => ({ pairs: size, spent: spentAt(index) }));
  const current = { pairs, spent: spentAt(Math.min(before.length, looks.length - 1)) };
  const verdicts = judge(metrics, { ...options, looks: [...before, current] });
  const next = looks[reached];
  if (next !== undefined && !looks.includes(pairs)) return { done: false, pairs: next, metrics: verdicts };
  const verdict = overallVerdict(verdicts);
  if (verdict === 'inconclusive' && next !== undefined)
    return { done: false, pairs: next, metrics: verdicts };
  return { done: true, verdict, metrics: verdicts };
}

/** The numbers of pairs after which the data is looked at. */
export function lookSizes(plan: SequentialPlan = {}): number[] {
  const { minPairs, maxPairs, step } = { ...sequentialDefaults, ...plan };
  const sizes: number[] = [];
  for (let size = minPairs; size < maxPairs; size += step) sizes.push(size);
  return [...sizes, Math.max(minPairs, maxPairs)];
}
