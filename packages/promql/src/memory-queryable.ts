import { Labels } from './labels.ts';
import { type Queryable, type Series, writeStale } from './queryable.ts';
import type { Matcher } from './syntax/matcher.ts';
import { parseSelector } from './syntax/operand-parser.ts';
import { TokenCursor } from './syntax/token-cursor.ts';

export type Point = number | 'stale';

/** The labels a series is written with: `name{label="value"}`. */
export function labelsOf(series: string): Labels {
  const { matchers } = parseSelector(new TokenCursor(series));
  return Labels.from(matchers.map(({ name, value }) => [name, value] as const));
}

/** Series in plain arrays, for tests. */
export class MemoryQueryable implements Queryable {
  readonly #series = new Map<
    string,
    { labels: Labels; points: Map<number, Point>; view: Series | undefined }
  >();

  add(labels: Labels | string, points: Iterable<readonly [timeMs: number, value: Point]>): this {
    const set = typeof labels === 'string' ? labelsOf(labels) : labels;
    const known = this.#series.get(set.signature) ?? {
      labels: set,
      points: new Map<number, Point>(),
      view: undefined,
    };
    for (const [timeMs, value] of points) known.points.set(timeMs, value);
    known.view = undefined;
    this.#series.set(set.signature, known);
    return this;
  }

  select(matchers: readonly Matcher[]): Series[] {
    const found: Series[] = [];
    for (const entry of this.#series.values()) {
      if (!matchers.every((matcher) => matcher.matches(entry.labels.get(matcher.name)))) continue;
      entry.view ??= viewOf(entry.labels, entry.points);
      found.push(entry.view);
    }
    return found.sort((a, b) => a.labels.compare(b.labels));
  }
}

function viewOf(labels: Labels, points: ReadonlyMap<number, Point>): Series {
  const sorted = [...points].sort(([a], [b]) => a - b);
  const timestamps = Float64Array.from(sorted, ([timeMs]) => timeMs);
  const values = new Float64Array(sorted.length);
  for (const [index, [, value]] of sorted.entries()) {
    if (value === 'stale') writeStale(values, index);
    else values[index] = value;
  }
  return { labels, timestamps, values };
}

/** `0 1 2 …` at a fixed interval from time 0; `undefined` leaves a gap. */
export function every(intervalMs: number, values: readonly (Point | undefined)[]): [number, Point][] {
  return values.flatMap((value, index): [number, Point][] =>
    value === undefined ? [] : [[index * intervalMs, value]],
  );
}
