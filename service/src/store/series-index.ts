import type { Labels } from '../promql/labels.ts';
import type { Matcher } from '../promql/matcher.ts';
import { MemorySeries } from './series.ts';

/** All known series by id, by labels and by label value. */
export class SeriesIndex {
  readonly #byId = new Map<number, MemorySeries>();
  readonly #bySignature = new Map<string, MemorySeries>();
  readonly #postings = new Map<string, Map<string, Set<MemorySeries>>>();

  get size(): number {
    return this.#byId.size;
  }

  byId(id: number): MemorySeries | undefined {
    return this.#byId.get(id);
  }

  byLabels(labels: Labels): MemorySeries | undefined {
    return this.#bySignature.get(labels.signature);
  }

  all(): IterableIterator<MemorySeries> {
    return this.#byId.values();
  }

  add(id: number, labels: Labels): MemorySeries {
    const series = new MemorySeries(id, labels);
    this.#byId.set(id, series);
    this.#bySignature.set(labels.signature, series);
    for (const [name, value] of labels) {
      const values = this.#postings.get(name) ?? new Map<string, Set<MemorySeries>>();
      this.#postings.set(name, values);
      const members = values.get(value);
      if (members === undefined) values.set(value, new Set([series]));
      else members.add(series);
    }
    return series;
  }

  remove(series: MemorySeries): void {
    this.#byId.delete(series.id);
    this.#bySignature.delete(series.labels.signature);
    for (const [name, value] of series.labels) {
      const values = this.#postings.get(name);
      const members = values?.get(value);
      members?.delete(series);
      if (members?.size === 0) values?.delete(value);
      if (values?.size === 0) this.#postings.delete(name);
    }
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
      .map(([value, members]) => ({ name: value, value: members.size }))
      .sort((a, b) => b.value - a.value);
  }

  /** Bytes of the values of each label, most first. */
  memoryByLabel(): { name: string; value: number }[] {
    const size = (values: Map<string, Set<MemorySeries>>): number =>
      [...values.keys()].reduce((sum, value) => sum + Buffer.byteLength(value), 0);
    return [...this.#postings]
      .map(([name, values]) => ({ name, value: size(values) }))
      .sort((a, b) => b.value - a.value);
  }

  /** The label pairs that most series have. */
  seriesCountByPair(limit: number): { name: string; value: number }[] {
    const pairs: { name: string; value: number }[] = [];
    for (const [name, values] of this.#postings)
      for (const [value, { size }] of values) pairs.push({ name: `${name}=${value}`, value: size });
    return pairs.sort((a, b) => b.value - a.value).slice(0, limit);
  }

  /** Series for which every matcher passes. Starts from the matcher that leaves the fewest. */
  select(matchers: readonly Matcher[]): MemorySeries[] {
    let narrowest: Iterable<MemorySeries> = this.#byId.values();
    let size = this.#byId.size;
    for (const matcher of matchers) {
      if (matcher.matches('')) continue;
      const sets = this.#candidates(matcher);
      const total = sets.reduce((sum, set) => sum + set.size, 0);
      if (total < size || size === this.#byId.size) {
        narrowest = sets.length === 1 ? (sets[0] as Set<MemorySeries>) : sets.flatMap((set) => [...set]);
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

  #candidates(matcher: Matcher): Set<MemorySeries>[] {
    const values = this.#postings.get(matcher.name);
    if (values === undefined) return [];
    if (matcher.set !== undefined && (matcher.operator === '=' || matcher.operator === '=~')) {
      return matcher.set.flatMap((value) => values.get(value) ?? []);
    }
    const sets: Set<MemorySeries>[] = [];
    for (const [value, members] of values) if (matcher.matches(value)) sets.push(members);
    return sets;
  }
}

// A label has far fewer values than there are series, and a regular expression is dear.
function memoised(matcher: Matcher): (value: string) => boolean {
  if (matcher.operator === '=' || matcher.operator === '!=') return matcher.matches;
  const known = new Map<string, boolean>();
  return (value) => {
    const result = known.get(value) ?? matcher.matches(value);
    known.set(value, result);
    return result;
  };
}
