import { hash } from 'node:crypto';
import type { Labels, Matcher } from '@weir/promql';
import { MemorySeries } from './series.ts';

/** All known series by id, by labels and by label value. */
export class SeriesIndex {
  readonly #byId = new Map<number, MemorySeries>();
  /** By a digest of the labels, which takes a fifth of the labels' memory. */
  readonly #byDigest = new Map<string, MemorySeries>();
  readonly #postings = new Map<string, Map<string, MemorySeries[]>>();
  /** Label names and values, interned: thousands of series share each. */
  readonly #texts = new Map<string, string>();
  /** Label values that lost their last series since the last sweep of the texts; one may be counted twice. */
  #unusedTexts = 0;

  get size(): number {
    return this.#byId.size;
  }

  byId(id: number): MemorySeries | undefined {
    return this.#byId.get(id);
  }

  byLabels(labels: Labels): MemorySeries | undefined {
    return this.#byDigest.get(digest(labels));
  }

  /** Whether a series has this label. */
  has(name: string, value: string): boolean {
    return this.#postings.get(name)?.has(value) === true;
  }

  all(): IterableIterator<MemorySeries> {
    return this.#byId.values();
  }

  add(id: number, labels: Labels): MemorySeries {
    const series = new MemorySeries(
      id,
      labels.map((text) => this.#shared(text)),
    );
    this.#byId.set(id, series);
    this.#byDigest.set(digest(labels), series);
    for (const [name, value] of series.labels) {
      const values = this.#postings.get(name) ?? new Map<string, MemorySeries[]>();
      this.#postings.set(name, values);
      const members = values.get(value);
      if (members === undefined) values.set(value, [series]);
      else members.push(series);
    }
    return series;
  }

  #shared(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const own = detached(text);
    this.#texts.set(own, own);
    return own;
  }

  /** Removes them and marks them as removed. Cheap for those that were added last. */
  remove(gone: readonly MemorySeries[]): void {
    const touched = new Map<string, Map<string, number>>();
    for (const series of gone) {
      series.isRemoved = true;
      this.#byId.delete(series.id);
      this.#byDigest.delete(digest(series.labels));
      for (const [name, value] of series.labels) {
        const counts = touched.get(name) ?? new Map<string, number>();
        touched.set(name, counts.set(value, (counts.get(value) ?? 0) + 1));
      }
    }
    for (const [name, counts] of touched) {
      const values = this.#postings.get(name) as Map<string, MemorySeries[]>;
      for (const [value, count] of counts) {
        const left = withoutRemoved(values.get(value) as MemorySeries[], count);
        if (left.length > 0) values.set(value, left);
        else {
          values.delete(value);
          this.#unusedTexts++;
        }
      }
      if (values.size === 0) this.#postings.delete(name);
    }
    // Finding unused texts means a pass over all of them.
    if (this.#unusedTexts > this.#texts.size / 4) this.#forgetTexts();
  }

  #forgetTexts(): void {
    this.#unusedTexts = 0;
    this.#texts.clear();
    for (const [name, values] of this.#postings) {
      this.#texts.set(name, name);
      for (const value of values.keys()) this.#texts.set(value, value);
    }
  }

  clear(): void {
    this.#byId.clear();
    this.#byDigest.clear();
    this.#postings.clear();
    this.#texts.clear();
  }

  labelNames(): string[] {
    return [...this.#postings.keys()].sort();
  }

  labelValues(name: string): string[] {
    return [...(this.#postings.get(name)?.keys() ?? [])].sort();
  }

  /** Label names with how many values each has, most first. */
  cardinality(): { name: string; value: number }[] {
    return [...this.#postings]
      .map(([name, values]) => ({ name, value: values.size }))
      .sort((a, b) => b.value - a.value);
  }

  /** Values of a label with how many series have each, most first. */
  seriesCountBy(name: string): { name: string; value: number }[] {
    return [...(this.#postings.get(name) ?? [])]
      .map(([value, members]) => ({ name: value, value: members.length }))
      .sort((a, b) => b.value - a.value);
  }

  /** Bytes of the values of each label, most first. */
  memoryByLabel(): { name: string; value: number }[] {
    const size = (values: Map<string, MemorySeries[]>): number =>
      [...values.keys()].reduce((sum, value) => sum + Buffer.byteLength(value), 0);
    return [...this.#postings]
      .map(([name, values]) => ({ name, value: size(values) }))
      .sort((a, b) => b.value - a.value);
  }

  /** The label pairs that most series have. */
  seriesCountByPair(limit: number): { name: string; value: number }[] {
    const pairs: { name: string; value: number }[] = [];
    for (const [name, values] of this.#postings)
      for (const [value, { length }] of values) pairs.push({ name: `${name}=${value}`, value: length });
    return pairs.sort((a, b) => b.value - a.value).slice(0, limit);
  }

  /** Series for which every matcher passes. Starts from the matcher that leaves the fewest. */
  select(matchers: readonly Matcher[]): MemorySeries[] {
    let narrowest: Iterable<MemorySeries> = this.#byId.values();
    let size = this.#byId.size;
    for (const matcher of matchers) {
      if (matcher.matches('')) continue;
      const lists = this.#candidates(matcher);
      const total = lists.reduce((sum, list) => sum + list.length, 0);
      if (total < size || size === this.#byId.size) {
        narrowest = lists.length === 1 ? (lists[0] as MemorySeries[]) : lists.flat();
        size = total;
      }
    }
    const tests = matchers.map((matcher) => ({ name: matcher.name, test: memoised(matcher) }));
    const found: MemorySeries[] = [];
    for (const series of narrowest) {
      if (tests.every(({ name, test }) => test(series.labels.get(name)))) found.push(series);
    }
    return found;
  }

  #candidates(matcher: Matcher): MemorySeries[][] {
    const values = this.#postings.get(matcher.name);
    if (values === undefined) return [];
    if (matcher.set !== undefined && (matcher.operator === '=' || matcher.operator === '=~')) {
      return matcher.set.map((value) => values.get(value) ?? []);
    }
    const lists: MemorySeries[][] = [];
    for (const [value, members] of values) if (matcher.matches(value)) lists.push(members);
    return lists;
  }
}

function withoutRemoved(members: MemorySeries[], count: number): MemorySeries[] {
  let left = count;
  for (; left > 0 && members.at(-1)?.isRemoved === true; left--) members.pop();
  return left === 0 ? members : members.filter(({ isRemoved }) => !isRemoved);
}

function digest(labels: Labels): string {
  return hash('sha256', labels.signature, 'binary');
}

// A label has far fewer values than there are series, and regular expressions are expensive.
function memoised(matcher: Matcher): (value: string) => boolean {
  if (matcher.operator === '=' || matcher.operator === '!=') return matcher.matches;
  const known = new Map<string, boolean>();
  return (value) => {
    const result = known.get(value) ?? matcher.matches(value);
    known.set(value, result);
    return result;
  };
}

/**
 * An equal string with its own memory. A slice keeps its whole source alive: one retained label value would retain the exposition
 * that it came from.
 */
export function detached(text: string): string {
  // UTF-8 cannot encode a lone surrogate.
  return text.isWellFormed() ? Buffer.from(text).toString() : text;
}
