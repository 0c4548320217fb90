import type { Labels } from '../../src/labels.ts';
import { MemoryQueryable, type Point } from '../../src/memory-queryable.ts';
import type { Queryable, Series } from '../../src/queryable.ts';
import type { Matcher } from '../../src/syntax/matcher.ts';
import type { Statement } from './test-script.ts';

/** What the engine leaves out by design: not a failure. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported';
}

interface Native {
  readonly labels: Labels;
  readonly timesMs: number[];
  readonly what: string;
}

/** The data of a script. A query that reaches native histograms or start timestamps is `Unsupported`. */
export class ScriptData implements Queryable {
  readonly #floats = new MemoryQueryable();
  readonly #native = new Map<string, Native>();

  load({ gapMs, customBuckets, series }: Extract<Statement, { kind: 'load' }>): void {
    for (const { labels, values, startTimestamps } of series) {
      const points: [number, Point][] = [];
      for (const [index, value] of values.entries()) {
        if (value === undefined) continue;
        if (value === 'histogram') this.#mark(labels, index * gapMs, 'native histograms');
        else points.push([index * gapMs, value]);
      }
      if (startTimestamps) this.#mark(labels, 0, 'start timestamps');
      if (points.length > 0) this.#floats.add(labels, points);
      const name = labels.get('__name__');
      if (!customBuckets || !name.endsWith('_bucket')) continue;
      const base = labels.with({ __name__: name.slice(0, -'_bucket'.length), le: '' });
      for (const [timeMs] of points) this.#mark(base, timeMs, 'native histograms');
    }
  }

  select(matchers: readonly Matcher[], startMs: number, endMs: number): Series[] {
    for (const { labels, timesMs, what } of this.#native.values()) {
      if (!matchers.every((matcher) => matcher.matches(labels.get(matcher.name)))) continue;
      if (what !== 'native histograms' || timesMs.some((timeMs) => timeMs >= startMs && timeMs <= endMs))
        throw new Unsupported(what);
    }
    return this.#floats.select(matchers);
  }

  #mark(labels: Labels, timeMs: number, what: string): void {
    const key = `${what} ${labels.signature}`;
    const native = this.#native.get(key) ?? { labels, timesMs: [], what };
    native.timesMs.push(timeMs);
    this.#native.set(key, native);
  }
}
