import type { TimeRange } from './time-range.ts';

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

/** Values of one series in time order; `null` is a gap. */
export type Values = readonly (number | null)[];

/** One number of a series by a calculation of Grafana's; `null` if there is none. Unknown names give the last value. */
export function reduce(values: Values, calc: string): number | null {
  const numbers = values.filter((value) => value !== null && !Number.isNaN(value)) as number[];
  if (numbers.length === 0) return null;
  switch (calc) {
    case 'max':
      return numbers.reduce((a, b) => Math.max(a, b));
    case 'min':
      return numbers.reduce((a, b) => Math.min(a, b));
    case 'sum':
      return numbers.reduce((a, b) => a + b);
    case 'mean':
      return numbers.reduce((a, b) => a + b) / numbers.length;
    case 'count':
      return numbers.length;
    case 'first':
    case 'firstNotNull':
      return numbers[0] ?? null;
    case 'last':
      return values.at(-1) ?? null;
    default:
      return numbers.at(-1) ?? null;
  }
}

/** The calculation as a legend writes it. */
export function calcLabel(calc: string): string {
  return calc === 'lastNotNull' || calc === 'last' ? 'last' : calc;
}

/** Labels of a series as the API answers them; `__name__` is the metric. */
export type Labels = Readonly<Record<string, string>>;

/** The name of a series: the template with `{{label}}` filled in, or without one the series as PromQL writes it. */
export function legendName(template: string | undefined, labels: Labels): string {
  if (template === undefined || template === '' || template === '__auto') return seriesName(labels);
  return (
    template.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label: string) => labels[label] ?? '').trim() ||
    seriesName(labels)
  );
}

/** `metric{label="value"}`, as PromQL writes a series; `{}` for one without labels. */
function seriesName(labels: Labels): string {
  const { __name__: metric = '', ...rest } = labels;
  const matchers = Object.entries(rest).map(([label, value]) => `${label}="${value}"`);
  return matchers.length === 0 && metric !== '' ? metric : `${metric}{${matchers.join(', ')}}`;
}
