import type { BenchmarkResult } from '@weir/bench';
import type { Run } from './run-store.ts';

/** One figure of two runs. */
export interface ComparedMetric {
  readonly metric: string;
  readonly base: number;
  readonly head: number;
  /** `head / base − 1`, or `null` where base is 0. */
  readonly change: number | null;
  /** By how much this figure differs between runs anyway, as a share; `null` with too little history. */
  readonly noise: number | null;
  readonly verdict: 'better' | 'worse' | 'within noise' | 'unknown';
}

const metrics: readonly { name: string; better: 1 | -1; read: (result: BenchmarkResult) => number }[] = [
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

/**
 * Two runs side by side. Single runs carry no spread of their own, so a difference is judged by the history's: it counts
 * when it exceeds three times the scaled median absolute deviation (Rousseeuw and Croux 1993) of this benchmark's
 * runs. For a verdict that a release may rest on, let `weir-bench compare` interleave both builds.
 */
export function compareRuns(
  base: BenchmarkResult,
  head: BenchmarkResult,
  history: readonly Run[],
): ComparedMetric[] {
  const results = history.flatMap(({ result }) => (result === null || result.partial ? [] : [result]));
  return metrics.map(({ name, better, read }) => {
    const [before, after] = [read(base), read(head)];
    const noise = results.length < enoughRuns ? null : spread(results.map(read));
    const change = before === 0 ? null : after / before - 1;
    return {
      metric: name,
      base: before,
      head: after,
      change,
      noise,
      verdict: judge(before, after, noise, better),
    };
  });
}

function judge(
  before: number,
  after: number,
  noise: number | null,
  better: 1 | -1,
): ComparedMetric['verdict'] {
  if (before === after) return 'within noise';
  if (noise === null) return 'unknown';
  // From 0 errors every error is a change.
  const change = before === 0 ? Number.POSITIVE_INFINITY : Math.abs(after / before - 1);
  if (change <= 3 * noise) return 'within noise';
  return Math.sign(after - before) === better ? 'better' : 'worse';
}

function spread(values: readonly number[]): number {
  const middle = median(values);
  if (middle === 0) return 0;
  return (1.4826 * median(values.map((value) => Math.abs(value - middle)))) / middle;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? 0)) / 2;
}
