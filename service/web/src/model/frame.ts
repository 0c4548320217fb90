import type { TimeRange } from '../time/range.ts';
import type { Labels } from './legend.ts';

/** A series as the range API answers it: Unix seconds and the value as text. */
export interface MatrixSeries {
  readonly metric: Labels;
  readonly values: readonly (readonly [seconds: number, value: string])[];
}

/** The value as a number; NaN and infinities travel as text. */
export function parseSample(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}

/** Points of every step of `range` in Unix seconds, both ends included. */
export function timeline(range: TimeRange, stepMs: number): readonly number[] {
  const count = Math.floor((range.toMs - range.fromMs) / stepMs) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => (range.fromMs + index * stepMs) / 1000);
}

/** The values of `series` at each point of `times`; `null` where the series has none or NaN. */
export function alignValues(
  series: MatrixSeries,
  times: readonly number[],
  stepMs: number,
): (number | null)[] {
  const values: (number | null)[] = new Array(times.length).fill(null);
  const start = times[0] ?? 0;
  for (const [seconds, text] of series.values) {
    const index = Math.round(((seconds - start) * 1000) / stepMs);
    const value = parseSample(text);
    if (index >= 0 && index < values.length && !Number.isNaN(value)) values[index] = value;
  }
  return values;
}

/**
 * The series laid on one another: each is the sum of itself and those before. A gap counts as nothing, unless all
 * have it.
 */
export function stackValues(all: readonly (readonly (number | null)[])[]): (number | null)[][] {
  const length = all[0]?.length ?? 0;
  const sums = new Array<number>(length).fill(0);
  const present = Array.from({ length }, (_, index) => all.some((values) => values[index] !== null));
  return all.map((values) =>
    sums.map((_, index) => {
      sums[index] = (sums[index] ?? 0) + (values[index] ?? 0);
      return present[index] ? (sums[index] ?? 0) : null;
    }),
  );
}
