import type { BenchmarkResult } from '@weir/bench';
import type { Run } from './run-store.ts';

export type Verdict = 'better' | 'worse' | 'within noise' | 'unknown';

/** One figure of two runs, or of a run and those before it. */
export interface ComparedMetric {
  readonly metric: string;
  readonly base: number;
  readonly head: number;
  /** `head / base − 1`, or `null` where base is 0. */
  readonly change: number | null;
  /** The change that a run of the same build may show by chance, as a ratio; `null` with fewer than five earlier runs. */
  readonly noise: number | null;
  readonly verdict: Verdict;
}

/** Two runs side by side. */
export interface Comparison {
  readonly base: Run;
  readonly head: Run;
  readonly metrics: readonly ComparedMetric[];
  readonly verdict: Verdict | 'mixed';
  /** Why the two may not be comparable. */
  readonly doubts: readonly string[];
}

const figures: readonly { name: string; better: 1 | -1; read: (result: BenchmarkResult) => number }[] = [
  { name: 'requestsPerSecond', better: 1, read: ({ requests }) => requests.perSecond },
  { name: 'p50Ms', better: -1, read: ({ latencyMs }) => latencyMs.p50 },
  { name: 'p90Ms', better: -1, read: ({ latencyMs }) => latencyMs.p90 },
  { name: 'p99Ms', better: -1, read: ({ latencyMs }) => latencyMs.p99 },
  { name: 'p999Ms', better: -1, read: ({ latencyMs }) => latencyMs.p999 },
  {
    name: 'errorRatio',
    better: -1,
    read: ({ requests }) => (requests.total === 0 ? 0 : 1 - requests.ok / requests.total),
  },
];

const enoughRuns = 5;
/** The least noise: a few runs may be equal by chance. */
const leastNoise = 0.03;
/**
 * Student's t by degrees of freedom, for one false alarm in a hundred comparisons of six figures (Bonferroni, two-sided).
 * It is large for few runs because they say little about the spread.
 */
const quantiles: readonly (readonly [freedom: number, t: number])[] = [
  [4, 7.54],
  [5, 6.09],
  [6, 5.34],
  [7, 4.89],
  [9, 4.39],
  [14, 3.88],
  [19, 3.68],
  [29, 3.49],
  [60, 3.3],
  [200, 3.18],
];

/**
 * Compares two runs. A single run has no spread, so a difference is judged by the spread of the benchmark's other runs: it counts
 * outside of their prediction interval. For a verdict on a release, use `weir-bench compare`, which interleaves both builds.
 *
 * @param history Other runs of the benchmark, without these two.
 */
export function compareRuns(
  base: BenchmarkResult,
  head: BenchmarkResult,
  history: readonly Run[],
): ComparedMetric[] {
  const results = wholeResults(history);
  return figures.map((figure) =>
    compareFigure(figure, figure.read(base), figure.read(head), results.map(figure.read)),
  );
}

/** Compares a run with the median of earlier runs. With fewer than five, every verdict is `unknown`. */
export function judgeAgainst(earlier: readonly Run[], head: BenchmarkResult): ComparedMetric[] {
  const results = wholeResults(earlier);
  return figures.map((figure) => {
    const values = results.map(figure.read);
    const after = figure.read(head);
    return compareFigure(figure, values.length === 0 ? after : median(values), after, values);
  });
}

/** The verdict of all figures together. */
export function overallVerdict(metrics: readonly ComparedMetric[]): Comparison['verdict'] {
  const has = (verdict: Verdict): boolean => metrics.some((metric) => metric.verdict === verdict);
  if (has('worse')) return has('better') ? 'mixed' : 'worse';
  if (has('better')) return 'better';
  return has('unknown') ? 'unknown' : 'within noise';
}

/** Reasons why two results may not be comparable, one sentence each. */
export function comparisonDoubts(base: BenchmarkResult, head: BenchmarkResult): string[] {
  const doubts: string[] = [];
  const differs = (what: string, read: (result: BenchmarkResult) => unknown): void => {
    const [before, after] = [JSON.stringify(read(base)), JSON.stringify(read(head))];
    if (before !== after) doubts.push(`They differ in ${what}: ${before} and ${after}.`);
  };
  differs('benchmark', ({ name }) => name);
  differs('target', ({ target }) => target);
  differs('load', ({ load }) => load);
  differs(
    'machine',
    ({ environment: { cpu, cores, platform, arch } }) => `${cpu}, ${cores} cores, ${platform} ${arch}`,
  );
  differs('Node version', ({ environment }) => environment.node);
  for (const [name, result] of [
    ['Base', base],
    ['Head', head],
  ] as const) {
    if (result.partial) doubts.push(`${name} was cut short.`);
    for (const { message } of result.doubts ?? []) doubts.push(`${name}: ${message}`);
  }
  return doubts;
}

function wholeResults(history: readonly Run[]): BenchmarkResult[] {
  return history.flatMap(({ result }) => (result === null || result.partial ? [] : [result]));
}

function compareFigure(
  { name, better }: (typeof figures)[number],
  before: number,
  after: number,
  history: readonly number[],
): ComparedMetric {
  const noise = history.length < enoughRuns ? null : chance(history);
  return {
    metric: name,
    base: before,
    head: after,
    change: before === 0 ? null : after / before - 1,
    noise,
    verdict: judge(before, after, noise, better),
  };
}

function judge(before: number, after: number, noise: number | null, better: 1 | -1): Verdict {
  if (noise === null) return 'unknown';
  if (before === after) return 'within noise';
  // Any error is a change from 0 errors.
  const change = before === 0 ? Number.POSITIVE_INFINITY : Math.abs(after / before - 1);
  if (change <= noise) return 'within noise';
  return Math.sign(after - before) === better ? 'better' : 'worse';
}

/** Half the prediction interval of one further run around the median of these, as a share of the mean. */
function chance(values: readonly number[]): number {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (mean === 0) return leastNoise;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const t = quantiles.findLast(([freedom]) => freedom <= count - 1)?.[1] ?? Number.POSITIVE_INFINITY;
  return Math.max(leastNoise, (t * Math.sqrt(variance * (1 + 2 / count))) / Math.abs(mean));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? 0)) / 2;
}
