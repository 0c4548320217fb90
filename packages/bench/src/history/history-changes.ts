import type { BenchmarkResult } from '../result.ts';
import { type ChangePoint, type ChangePointOptions, findChangePoints } from '../stats/change-points.ts';

/** A change with the run that first shows it; `index` is that run's place among all results, unsound ones included. */
export interface HistoryChange extends ChangePoint {
  readonly metric: 'perSecond' | 'p50' | 'p99';
  /** Whether the change is for the worse. */
  readonly worse: boolean;
  readonly startedAt: string;
  /** Absent when the run knew none. */
  readonly commit?: string;
  /** The commit of the run before it. */
  readonly previousCommit?: string;
}

const series: readonly {
  readonly metric: HistoryChange['metric'];
  readonly better: 1 | -1;
  readonly read: (result: BenchmarkResult) => number;
}[] = [
  { metric: 'perSecond', better: 1, read: ({ requests }) => requests.perSecond },
  { metric: 'p50', better: -1, read: ({ latencyMs }) => latencyMs.p50 },
  { metric: 'p99', better: -1, read: ({ latencyMs }) => latencyMs.p99 },
];

/**
 * Change points of a benchmark's history. Partial runs and runs that could not be believed are left out. An open loop's rate is its
 * schedule, so there only latencies count.
 */
export function findHistoryChanges(
  results: readonly BenchmarkResult[],
  options: ChangePointOptions = {},
): HistoryChange[] {
  const sound = results.filter(
    ({ partial, doubts, requests }) => !partial && (doubts ?? []).length === 0 && requests.total > 0,
  );
  const open = sound.some(({ load }) => load.mode === 'open');
  return series
    .filter(({ metric }) => !open || metric !== 'perSecond')
    .flatMap(({ metric, better, read }) =>
      findChangePoints(sound.map(read), options).map((point): HistoryChange => {
        const run = sound[point.index];
        const commit = run?.environment.commit;
        const previousCommit = sound[point.index - 1]?.environment.commit;
        return {
          ...point,
          index: run === undefined ? point.index : results.indexOf(run),
          metric,
          worse: point.change * better < 0,
          startedAt: run?.startedAt ?? '',
          ...(commit === undefined ? {} : { commit }),
          ...(previousCommit === undefined ? {} : { previousCommit }),
        };
      }),
    );
}
