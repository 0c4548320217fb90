import { gatedMetrics } from '../../src/compare/compare-builds.ts';
import { doubtComparison } from '../../src/compare/doubts.ts';
import type { PairSample } from '../../src/index.ts';
import { mulberry32 } from '../../src/stats/sign-flip.ts';
import { look, lookSizes } from '../../src/stats/verdict.ts';

/** How comparisons of one kind ended, as shares of the trials. */
export interface Outcomes {
  readonly trials: number;
  readonly slower: number;
  readonly faster: number;
  readonly same: number;
  readonly inconclusive: number;
  readonly invalid: number;
  /** Pairs a verdict took, on average. */
  readonly meanPairs: number;
}

/** Runs whole sequential comparisons on measured pairs: on disjoint stretches in their order, then on `resamples` random draws. */
export function evaluate(
  pairs: readonly PairSample[],
  resamples: number,
): { readonly disjoint: Outcomes; readonly resampled: Outcomes } {
  const sizes = lookSizes();
  const longest = sizes.at(-1) ?? 0;
  const disjoint: PairSample[][] = [];
  for (let from = 0; from + longest <= pairs.length; ) {
    const trial = pairs.slice(from, from + longest);
    disjoint.push(trial);
    from += runTrial(trial).pairs;
  }
  const random = mulberry32(7);
  const drawn = Array.from({ length: pairs.length < longest ? 0 : resamples }, () =>
    draw(pairs, longest, random),
  );
  return { disjoint: count(disjoint), resampled: count(drawn) };
}

/** The rule that most projects use: median of five runs against a stored median of five, flagged above a threshold. */
export function evaluateStoredBaseline(
  base: readonly PairSample[],
  head: readonly PairSample[],
  threshold: number,
  resamples: number,
): number {
  const random = mulberry32(11);
  let flagged = 0;
  for (let trial = 0; trial < resamples; trial += 1) {
    // Stored and new runs come from different moments, as they do between two CI jobs.
    const stored = middle(stretch(base, 5, random).map((pair) => pair.base.perSecond));
    const now = middle(stretch(head, 5, random).map((pair) => pair.head.perSecond));
    if (now < stored * (1 - threshold)) flagged += 1;
  }
  return flagged / resamples;
}

type Ending = Exclude<keyof Outcomes, 'trials' | 'meanPairs'>;

function runTrial(trial: readonly PairSample[]): { readonly ending: Ending; readonly pairs: number } {
  for (const size of lookSizes()) {
    const pairs = trial.slice(0, size);
    const result = look(gatedMetrics(pairs));
    if (!result.done) continue;
    return { ending: doubtComparison(pairs).length > 0 ? 'invalid' : result.verdict, pairs: size };
  }
  return { ending: 'inconclusive', pairs: trial.length };
}

function count(trials: readonly (readonly PairSample[])[]): Outcomes {
  const ended = trials.map(runTrial);
  const share = (ending: Ending): number =>
    trials.length === 0 ? 0 : ended.filter((trial) => trial.ending === ending).length / trials.length;
  return {
    trials: trials.length,
    slower: share('slower'),
    faster: share('faster'),
    same: share('same'),
    inconclusive: share('inconclusive'),
    invalid: share('invalid'),
    meanPairs: trials.length === 0 ? 0 : ended.reduce((sum, trial) => sum + trial.pairs, 0) / trials.length,
  };
}

function draw<T>(values: readonly T[], size: number, random: () => number): T[] {
  const left = [...values];
  return Array.from({ length: size }, () => left.splice(Math.floor(random() * left.length), 1)[0] as T);
}

function stretch<T>(values: readonly T[], size: number, random: () => number): readonly T[] {
  const from = Math.floor(random() * Math.max(values.length - size + 1, 1));
  return values.slice(from, from + size);
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
