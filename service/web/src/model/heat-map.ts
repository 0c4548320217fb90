import { type Labels, parseSample } from './frame.ts';

/** One bucket at one moment. */
interface HeatMapCell {
  readonly seconds: number;
  readonly low: number;
  readonly high: number;
  readonly perSecond: number;
}

/** A histogram over time, with its buckets apart instead of cumulative. */
export interface HeatMapCells {
  readonly times: readonly number[];
  /** Upper bounds, ascending; the last may be infinite. Buckets that never held anything at either end are left out. */
  readonly bounds: readonly number[];
  /** Lower bound of the lowest bucket shown. */
  readonly floor: number;
  /** By bucket, then by time; `null` is a gap. */
  readonly counts: readonly (readonly (number | null)[])[];
  readonly highest: number;
  /** The cell at a place of the plot, each coordinate from 0 to 1. */
  at(x: number, y: number): HeatMapCell | undefined;
  /** The distribution now in words. */
  summary(format: (value: number) => string): string;
}

interface BucketSeries {
  readonly labels: Labels;
  readonly values: readonly (number | null)[];
}

/**
 * Takes cumulative `le` series apart. A bucket is its series less the next lower one; never below zero. Bounds that are
 * written differently (`1` and `1.0`) are one bucket.
 */
export function heatMapCells(times: readonly number[], series: readonly BucketSeries[]): HeatMapCells {
  const byBound = new Map<number, readonly (number | null)[]>();
  for (const { labels, values } of series) {
    const bound = parseSample(labels.le ?? 'NaN');
    if (!Number.isNaN(bound)) byBound.set(bound, sum(byBound.get(bound), values));
  }
  const sorted = [...byBound].map(([bound, values]) => ({ bound, values })).sort((a, b) => a.bound - b.bound);
  const all = sorted.map(({ values }, index) => {
    const below = sorted[index - 1]?.values;
    return values.map((value, at) => (value === null ? null : Math.max(0, value - (below?.[at] ?? 0))));
  });
  const holds = all.map((values) => values.some((value) => value !== null && value > 0));
  const first = Math.max(0, holds.indexOf(true));
  const end = holds.lastIndexOf(true) + 1;
  const counts = all.slice(first, Math.max(end, first + 1));
  const bounds = sorted.slice(first, first + counts.length).map(({ bound }) => bound);
  const floor = sorted[first - 1]?.bound ?? 0;
  const highest = counts.flat().reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  const low = (bucket: number): number => (bucket === 0 ? floor : (bounds[bucket - 1] ?? floor));
  return {
    times,
    bounds,
    floor,
    counts,
    highest,
    at(x, y) {
      const column = Math.min(times.length - 1, Math.floor(x * times.length));
      const bucket = Math.min(counts.length - 1, Math.floor(y * counts.length));
      const perSecond = counts[bucket]?.[column];
      const seconds = times[column];
      if (perSecond == null || seconds === undefined) return undefined;
      return { seconds, low: low(bucket), high: bounds[bucket] ?? Number.POSITIVE_INFINITY, perSecond };
    },
    summary(format) {
      const column = times.findLastIndex((_, at) => counts.some((values) => values[at] !== null));
      const now = counts.map((values) => values[column] ?? 0);
      const busiest = now.indexOf(Math.max(...now));
      if (column < 0 || (now[busiest] ?? 0) === 0) return 'nothing now';
      return `most now between ${format(low(busiest))} and ${format(bounds[busiest] ?? Number.POSITIVE_INFINITY)}`;
    },
  };
}

function sum(
  a: readonly (number | null)[] | undefined,
  b: readonly (number | null)[],
): readonly (number | null)[] {
  if (a === undefined) return b;
  return b.map((value, index) => {
    const other = a[index] ?? null;
    return value === null ? other : value + (other ?? 0);
  });
}
