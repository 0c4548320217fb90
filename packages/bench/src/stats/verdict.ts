import { defaultFlips, type SpendingLook, signFlipTest, tailProbabilities } from './sign-flip.ts';

/** The verdict on a metric, or on a whole comparison. */
export type Verdict = 'faster' | 'slower' | 'same' | 'inconclusive';

/** A metric measured in pairs. The two arms of a pair ran at the same time. */
export interface PairedMetric {
  readonly name: string;
  /** `higher`: more is better, such as requests per second. */
  readonly better: 'higher' | 'lower';
  readonly pairs: readonly { readonly base: number; readonly head: number }[];
}

/** The verdict on one metric. Effects are relative changes; positive is worse: 0.05 is 5 % slower. */
export interface MetricVerdict {
  readonly name: string;
  readonly verdict: Verdict;
  readonly effect: number;
  /** Confidence interval at 1 − 2α, of this metric at this look alone. */
  readonly interval: readonly [low: number, high: number];
  /** In the direction of the effect, adjusted over metrics and earlier looks. */
  readonly p: number;
  readonly pairs: number;
}

/** How {@link judge} decides. */
export interface JudgeOptions {
  /** Chance of any false alarm in one comparison, half of it for slower and half for faster. @defaultValue 0.01 */
  readonly alpha?: number;
  /** A significant effect below this is not reported. @defaultValue 0.015 */
  readonly tolerance?: number;
  /** `same` means that the interval lies within ± this. @defaultValue 0.05 */
  readonly effect?: number;
  /**
   * Every look up to this one, with the share of `alpha` that is spent by then. The last one uses all pairs.
   *
   * @defaultValue this look alone, which spends all of `alpha`
   */
  readonly looks?: readonly SpendingLook[];
  /** Largest number of sign flips, see {@link signFlipTest}. @defaultValue 65_536 */
  readonly flips?: number;
}

/** Default options of {@link judge}. */
const judgeDefaults: Readonly<Required<Omit<JudgeOptions, 'looks'>>> = Object.freeze({
  alpha: 0.01,
  tolerance: 0.015,
  effect: 0.05,
  flips: defaultFlips,
});

/**
 * Judges each metric by the exact sign-flip test of the log ratios of all metrics together, and by the Hodges–Lehmann estimate with its
 * interval. The unit is a pair of fresh processes; rounds within one process are not pairs.
 */
export function judge(metrics: readonly PairedMetric[], options: JudgeOptions = {}): MetricVerdict[] {
  const { alpha, tolerance, effect: asked, flips, looks = [] } = { ...judgeDefaults, ...options };
  const samples = metrics.map(logWorsening);
  // Whole pairs are flipped, so a pair keeps its place when one of its metrics is missing.
  const aligned = samples.map((sample) => sample.map((ratio) => ratio ?? 0));
  const spending = looks.map(({ pairs, spent }) => ({ pairs, spent: (spent * alpha) / 2 }));
  const tests = signFlipTest(aligned, { earlier: spending.slice(0, -1), flips });
  const spent = spending.at(-1)?.spent ?? alpha / 2;
  return metrics.map((metric, index) => {
    const sample = (samples[index] ?? []).filter((ratio) => ratio !== undefined);
    const location =
      sample.length === 0
        ? { estimate: 0, low: -Infinity, high: Infinity }
        : hodgesLehmann(sample, 1 - 2 * alpha);
    const effect = Math.expm1(location.estimate);
    const interval = [Math.expm1(location.low), Math.expm1(location.high)] as const;
    const p = (effect >= 0 ? tests[index]?.pGreater : tests[index]?.pLess) ?? 1;
    let verdict: Verdict = 'inconclusive';
    if (p <= spent && Math.abs(effect) > tolerance) verdict = effect > 0 ? 'slower' : 'faster';
    else if (interval[0] > -asked && interval[1] < asked) verdict = 'same';
    // A pair in which an arm measured nothing cannot make a metric `same` or `faster`.
    if (sample.length < metric.pairs.length && verdict !== 'slower') verdict = 'inconclusive';
    return { name: metric.name, verdict, effect, interval, p, pairs: sample.length };
  });
}

/** One slower metric makes the comparison `slower`. `faster` and `same` need a decision on every metric. */
export function overallVerdict(verdicts: readonly MetricVerdict[]): Verdict {
  const has = (verdict: Verdict): boolean => verdicts.some((metric) => metric.verdict === verdict);
  if (has('slower')) return 'slower';
  if (verdicts.length === 0 || has('inconclusive')) return 'inconclusive';
  return has('faster') ? 'faster' : 'same';
}

/** The numbers of pairs at which a sequential comparison looks at its data. */
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

/** Plan of slices, in which two equal builds differ by 3.3 %; in a duet they differ by 2 %. */
export const slicesPlan: Readonly<Required<SequentialPlan>> = Object.freeze({
  minPairs: 15,
  maxPairs: 21,
  step: 3,
});

/** The outcome of an interim look: stop with a verdict, or measure up to `pairs` pairs and look again. */
export type Look =
  | { readonly done: true; readonly verdict: Verdict; readonly metrics: readonly MetricVerdict[] }
  | { readonly done: false; readonly pairs: number; readonly metrics: readonly MetricVerdict[] };

/** Share of α that the first look spends. The later looks share the rest equally. */
const firstShare = 0.6;

/**
 * Judges the pairs measured so far when their number is one at which the plan looks. Between looks nothing is decided, since each look is
 * another chance of a false alarm. Each look spends a part of α, so the chance of a false alarm over all looks stays below α.
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

/** The numbers of pairs at which a plan looks. */
export function lookSizes(plan: SequentialPlan = {}): number[] {
  const { minPairs, maxPairs, step } = { ...sequentialDefaults, ...plan };
  const sizes: number[] = [];
  for (let size = minPairs; size < maxPairs; size += step) sizes.push(size);
  return [...sizes, Math.max(minPairs, maxPairs)];
}

/** Log ratio of each pair; `undefined` when an arm measured no positive value. */
function logWorsening({ better, pairs }: PairedMetric): (number | undefined)[] {
  return pairs.map(({ base, head }) => {
    const ratio = better === 'higher' ? Math.log(base / head) : Math.log(head / base);
    return base > 0 && head > 0 && Number.isFinite(ratio) ? ratio : undefined;
  });
}

/**
 * Hodges–Lehmann: the median of the Walsh averages (xᵢ + xⱼ) / 2, i ≤ j, and the interval that inverts the exact signed-rank
 * test: from the (c + 1)-th smallest Walsh average to the (c + 1)-th largest, with c the largest value for which
 * P(W⁺ ≤ c) ≤ (1 − confidence) / 2.
 */

/** An estimate with its interval. Both ends are infinite when the sample is too small for the confidence. */
export interface LocationEstimate {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/**
 * @param values at least one
 * @param confidence two-sided, in (0, 1)
 */
export function hodgesLehmann(values: readonly number[], confidence: number): LocationEstimate {
  const walsh: number[] = [];
  values.forEach((a, i) => {
    for (const b of values.slice(i)) walsh.push((a + b) / 2);
  });
  walsh.sort((a, b) => a - b);
  const cut = lowerCut(values.length, (1 - confidence) / 2);
  return {
    estimate: median(walsh),
    low: cut < 0 ? Number.NEGATIVE_INFINITY : (walsh[cut] ?? Number.NaN),
    high: cut < 0 ? Number.POSITIVE_INFINITY : (walsh[walsh.length - 1 - cut] ?? Number.NaN),
  };
}

/** The middle value, or the mean of the two. @param sorted ascending, at least one */
export function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Largest c with P(W⁺ ≤ c) ≤ tail, or −1 when even c = 0 is too likely. */
function lowerCut(count: number, tail: number): number {
  const upper = tailProbabilities(Array.from({ length: count }, (_, index) => index + 1));
  let cut = -1;
  // By symmetry P(W ≤ c) = P(W ≥ total − c).
  while ((upper[upper.length - 1 - (cut + 1)] ?? 1) <= tail) cut += 1;
  return cut;
}
