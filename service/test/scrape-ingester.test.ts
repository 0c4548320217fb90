import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createMatcher, isStale } from '@weir/promql';
import { createManualClock } from '@weir/test-kit';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { ScrapeIngester } from '../src/ingest/scrape-ingester.ts';
import { MetricStore } from '../src/store/metric-store.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const startMs = Date.UTC(2026, 0, 1);
const limits = { maxSamples: 10_000, maxLabels: 10, maxLabelValueLength: 1_000 };

function openIngester(retentionMs = 86_400_000): {
  readonly store: MetricStore;
  /** Takes an exposition of the target in, a second after the last one. */
  scrape(body: string): void;
} {
  let nowMs = startMs;
  const path = join(temporaryDirectory(), 'metrics.db');
  const store = new MetricStore({ path, retentionMs, blockMs: 60_000, now: () => nowMs });
  onTestFinished(() => store.close());
  const ingester = new ScrapeIngester(store);
  const scrape = (text: string): void => {
    nowMs += 1_000;
    const body = new TextEncoder().encode(text);
    const outcome = ingester.ingest({ key: 't', labels: {}, timeMs: nowMs, elapsedMs: 1, body, limits });
    expect(outcome.error).toBeUndefined();
  };
  return { store, scrape };
}

test('series may come, go and change places from scrape to scrape: each gets its own samples, or a stale marker', () => {
  const name: fc.Arbitrary<string> = fc.constantFrom(
    'a',
    'ab',
    'a{x="1"}',
    'a {x="2"}',
    'ab{x="1"}',
    'b{x="}"}',
    'b{x="1",y="2"}',
  );
  const scrapes = fc.array(fc.uniqueArray(name, { maxLength: 7 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(scrapes, (list) => {
      const { store, scrape } = openIngester();
      const wanted = new Map<string, (number | 'stale')[]>();
      let count = 0;
      let shown: string[] = [];
      for (const names of list) {
        const lines: string[] = [];
        for (const text of names) {
          count++;
          lines.push(`${text} ${count}\n`);
          wanted.set(text, [...(wanted.get(text) ?? []), count]);
        }
        for (const text of shown) if (!names.includes(text)) wanted.get(text)?.push('stale');
        scrape(lines.join(''));
        shown = names;
      }
      const found = new Map<string, (number | 'stale')[]>();
      for (const { labels, values } of store.select([createMatcher('__name__', '=~', 'ab?|b')], 0, 1e15)) {
        const pairs = [...labels].filter(([label]) => label !== '__name__');
        const inside = pairs.map(([label, value]) => `${label}="${value}"`).join();
        const text = `${labels.get('__name__')}${inside === '' ? '' : `{${inside}}`}`;
        found.set(
          text === 'a{x="2"}' ? 'a {x="2"}' : text,
          Array.from(values, (value, i) => (isStale(values, i) ? 'stale' : value)),
        );
      }
      expect(found).toEqual(wanted);
    }),
    { numRuns: 60 },
  );
});

test('a target whose series come and go keeps no exposition in memory', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const { store, scrape } = openIngester(60_000);
  const filler = `# ${'-'.repeat(1_000_000)}\n`;
  const expose = (i: number): void => {
    scrape(`${filler}requests{path="/a/rather/long/path/${i}"} 1\n`);
    while (store.maintain()) {}
  };
  for (let i = 0; i < 10; i++) expose(i);
  const before = heap();
  for (let i = 10; i < 70; i++) expose(i);
  // A megabyte a scrape, were they kept.
  expect(heap() - before).toBeLessThan(10_000_000);
});

test('a series that retention took and the target still shows is made anew', () => {
  const { store, scrape } = openIngester(60_000);
  scrape('kept{x="1"} 1\nbare 1\n');
  for (let i = 0; i < 200; i++) {
    scrape('other 1\n');
    while (store.maintain()) {}
  }
  expect(store.index.labelValues('__name__')).not.toContain('kept');
  scrape('kept{x="1"} 2\nbare 2\nother 1\n');
  const [series] = store.select([createMatcher('__name__', '=', 'kept')], 0, 1e15);
  expect([...(series?.values ?? [])]).toEqual([2]);
  expect(store.index.select([createMatcher('x', '=', '1')])).toHaveLength(1);
});

test.each([
  ['ahead', 3 * 3_600_000],
  ['ahead by less than a block', 30_000],
  ['behind', -3 * 3_600_000],
])(
  'a clock that was %s and is set right: samples are refused in words until it has caught up',
  (_, jumpMs) => {
    const clock = createManualClock(startMs);
    const path = join(temporaryDirectory(), 'metrics.db');
    const store = new MetricStore({ path, retentionMs: 86_400_000, blockMs: 60_000, now: clock.now });
    onTestFinished(() => store.close());
    const ingester = new ScrapeIngester(store);
    const scrapeAt = (aheadMs: number): { error: string | undefined; refusal: string | undefined } => {
      clock.set(clock.now() + 1_000 + aheadMs);
      const body = new TextEncoder().encode('m 1\n');
      const outcome = ingester.ingest({
        key: 't',
        labels: {},
        timeMs: clock.now(),
        elapsedMs: 1,
        body,
        limits,
      });
      while (store.maintain()) {}
      return outcome;
    };
    expect(scrapeAt(0)).toMatchObject({ error: undefined, refusal: undefined });
    const [during, after] = [scrapeAt(jumpMs), scrapeAt(-jumpMs)];
    // Whichever of the two lies before what is stored.
    const [stored, refused] = jumpMs > 0 ? [during, after] : [after, during];
    expect([stored.refusal, refused.error]).toEqual([undefined, undefined]);
    expect(refused.refusal).toMatch(
      /^6 samples are (not newer than what is stored|too old or in the future)$/,
    );
    expect(store.refused.outOfOrder + store.refused.outOfBounds).toBe(6);
  },
);
