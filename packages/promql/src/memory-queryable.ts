import { Labels } from './labels.ts';
import { type Queryable, type Series, writeStale } from './queryable.ts';
import type { Matcher } from './syntax/matcher.ts';
import { parseSelector } from './syntax/operand-parser.ts';
import { TokenCursor } from './syntax/token-cursor.ts';

/** A sample's value, or a stale marker: the series ends here. */
export type Point = number | 'stale';

/** The labels of a series written as `name{label="value"}`. @throws {PromqlError} `bad_data` where it is no selector. */
export function labelsOf(series: string): Labels {
  const { matchers } = parseSelector(new TokenCursor(series));
  return Labels.from(matchers.map(({ name, value }) => [name, value] as const));
}

/** A store of series in plain arrays: for tests, and for data that fit into memory. */
export class MemoryQueryable implements Queryable {
  readonly #series = new Map<
    string,
    { labels: Labels; points: Map<number, Point>; view: Series | undefined }
  >();

  /**
   * Adds points to a series, in any order; a second point at the same time replaces the first. `timeMs` is in Unix
   * milliseconds.
   */
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
