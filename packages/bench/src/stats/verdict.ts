import { hodgesLehmann } from './hodges-lehmann.ts';
import { defaultFlips, type SpendingLook, signFlipTest } from './sign-flip.ts';

/** What can be said of a metric, or of the whole comparison. */
export type Verdict = 'faster' | 'slower' | 'same' | 'inconclusive';

/** A metric measured in pairs. The two arms of a pair ran at the same time. */
export interface PairedMetric {
  readonly name: string;
  /** `higher`: more is better, as of requests per second. */
  readonly better: 'higher' | 'lower';
  readonly pairs: readonly { readonly base: number; readonly head: number }[];
}

/** What a metric's pairs say. Effects are relative changes in which positive is worse: 0.05 is 5 % slower. */
export interface MetricVerdict {
  readonly name: string;
  readonly verdict: Verdict;
  readonly effect: number;
  /** Of this metric at this look alone, at the confidence 1 − 2α. */
  readonly interval: readonly [low: number, high: number];
  /** Of the direction that the effect has, adjusted over metrics and earlier looks. */
  readonly p: number;
  readonly pairs: number;
}

/** How {@link judge} decides. */
export interface JudgeOptions {
  /** Chance of any false alarm in one comparison: half for slower, half for faster. @defaultValue 0.01 */
  readonly alpha?: number;
  /** A significant effect below this is not reported as one. @defaultValue 0.015 */
  readonly tolerance?: number;
  /** `same` means: the interval lies within ± this. @defaultValue 0.05 */
  readonly effect?: number;
  /**
   * Every look up to this one, with the share of `alpha` that may be spent until then; the last sees all pairs.
   *
   * @defaultValue this look alone, with all of it
   */
  readonly looks?: readonly SpendingLook[];
  /** At most so many sign flips (sign-flip.ts). @defaultValue 65_536 */
  readonly flips?: number;
}

/** Default options of {@link judge}. */
export const judgeDefaults: Readonly<Required<Omit<JudgeOptions, 'looks'>>> = Object.freeze({
  alpha: 0.01,
  tolerance: 0.015,
  effect: 0.05,
  flips: defaultFlips,
});

/**
 * Judges each metric by the exact sign-flip test of the log ratios of all metrics together, and the Hodges–Lehmann estimate with its
 * interval. The unit is the pair of fresh processes; rounds within one pair are not pairs.
 */
export function judge(metrics: readonly PairedMetric[], options: JudgeOptions = {}): MetricVerdict[] {
  const { alpha, tolerance, effect: asked, flips, looks = [] } = { ...judgeDefaults, ...options };
  const samples = metrics.map(logWorsening);
  // Flips are of whole pairs, so a pair keeps its place where one metric of it says nothing.
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
    // A pair in which an arm measured nothing never counts as good.
    if (sample.length < metric.pairs.length && verdict !== 'slower') verdict = 'inconclusive';
    return { name: metric.name, verdict, effect, interval, p, pairs: sample.length };
  });
}

/** One slower metric makes the whole slower; `faster` and `same` need every metric to be decided. */
export function overallVerdict(verdicts: readonly MetricVerdict[]): Verdict {
  const has = (verdict: Verdict): boolean => verdicts.some((metric) => metric.verdict === verdict);
  if (has('slower')) return 'slower';
  if (verdicts.length === 0 || has('inconclusive')) return 'inconclusive';
  return has('faster') ? 'faster' : 'same';
}

/** Log ratio of each pair; none where either arm measured nothing positive. */
function logWorsening({ better, pairs }: PairedMetric): (number | undefined)[] {
  return pairs.map(({ base, head }) => {
    const ratio = better === 'higher' ? Math.log(base / head) : Math.log(head / base);
    return base > 0 && head > 0 && Number.isFinite(ratio) ? ratio : undefined;
  });
}
