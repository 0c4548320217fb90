import type { BenchmarkResult, Run } from '../api/benchmarks.ts';
import type { ChartModel, ChartSeries } from '../model/chart-model.ts';

type Point = BenchmarkResult['timeline'][number];

/** A line over the seconds of a run. */
interface CourseLine {
  readonly name: string;
  readonly color: string;
  readonly dash?: readonly number[];
  /** One value for each time; `null` where the run was over. */
  readonly values: readonly (number | null)[];
}

/** A chart over the seconds since a run's start. */
export function courseModel(
  times: readonly number[],
  unit: string,
  lines: readonly CourseLine[],
): ChartModel {
  return {
    times,
    series: lines.map(
      (line): ChartSeries => ({ ...line, fillOpacity: 6, lineWidth: 1.5, unit, decimals: undefined }),
    ),
    stacked: false,
    log: false,
    unit,
    decimals: undefined,
    min: 0,
    max: undefined,
    limits: [],
    elapsed: true,
  };
}

/** One figure of two runs, second by second; a run that ended earlier leaves a gap. */
export function comparedCourse(base: Run, head: Run, unit: string, of: (point: Point) => number): ChartModel {
  const seconds = (run: Run): Map<number, number> =>
    new Map((run.result?.timeline ?? []).map((point) => [Math.round(point.atMs / 1000), of(point)]));
  const [before, after] = [seconds(base), seconds(head)];
  const times = [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => a - b);
  const values = (run: ReadonlyMap<number, number>): (number | null)[] =>
    times.map((second) => run.get(second) ?? null);
  return courseModel(times, unit, [
    { name: 'base', color: 'var(--ink-3)', dash: [5, 4], values: values(before) },
    { name: 'head', color: 'var(--accent)', values: values(after) },
  ]);
}
