import { hodgesLehmann } from './hodges-lehmann.ts';
import { holm } from './holm.ts';
import { signedRankTest } from './signed-rank.ts';

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
  /** At the confidence 1 − 2α. */
  readonly interval: readonly [low: number, high: number];
  /** Of the direction that the effect has, Holm-adjusted. */
  readonly p: number;
  readonly pairs: number;
}

/** How {@link judge} decides. */
export interface JudgeOptions {
  /** Chance of any false alarm in one comparison. @defaultValue 0.01 */
  readonly alpha?: number;
  /** A significant effect below this is not reported as one. @defaultValue 0.015 */
  readonly tolerance?: number;
  /** `same` means: the interval lies within ± this. @defaultValue 0.05 */
  readonly effect?: number;
  /** Share of `alpha` that this look may spend. @defaultValue 1 */
  readonly spend?: number;
}

/** Default options of {@link judge}. */
export const judgeDefaults: Readonly<Required<JudgeOptions>> = Object.freeze({
  alpha: 0.01,
  tolerance: 0.015,
  effect: 0.05,
  spend: 1,
});

/** The larger half of the ranks weighs alike: one pair in twenty is out of all proportion (steady-hook.ts), and must not hide the others. */
const weighedRanks = 0.5;

/**
 * Judges each metric by the exact one-sided signed-rank test of its log ratios with bounded ranks, Holm-adjusted over the metrics, and the
 * Hodges–Lehmann estimate with its interval. The unit is the pair of fresh processes; rounds within one pair are not pairs.
 */
export function judge(metrics: readonly PairedMetric[], options: JudgeOptions = {}): MetricVerdict[] {
  const { alpha, tolerance, effect: asked, spend } = { ...judgeDefaults, ...options };
  const samples = metrics.map(logWorsening);
  const tests = samples.map((sample) => signedRankTest(sample, weighedRanks));
  const slower = holm(tests.map((test) => test.pGreater));
  const faster = holm(tests.map((test) => test.pLess));
  return metrics.map((metric, index) => {
    const sample = samples[index] ?? [];
    const location =
      sample.length === 0
        ? { estimate: 0, low: -Infinity, high: Infinity }
        : hodgesLehmann(sample, 1 - 2 * alpha);
    const effect = Math.expm1(location.estimate);
    const interval = [Math.expm1(location.low), Math.expm1(location.high)] as const;
    const p = (effect >= 0 ? slower[index] : faster[index]) ?? 1;
    let verdict: Verdict = 'inconclusive';
    if (p < alpha * spend && Math.abs(effect) > tolerance) verdict = effect > 0 ? 'slower' : 'faster';
    else if (interval[0] > -asked && interval[1] < asked) verdict = 'same';
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

/** Pairs in which either arm measured nothing positive say nothing and are left out. */
function logWorsening({ better, pairs }: PairedMetric): number[] {
  return pairs
    .filter(({ base, head }) => base > 0 && head > 0 && Number.isFinite(base) && Number.isFinite(head))
    .map(({ base, head }) => (better === 'higher' ? Math.log(base / head) : Math.log(head / base)));
}
