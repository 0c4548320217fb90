import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createMatcher, Labels } from '@weir/promql';
import { createManualClock } from '@weir/test-kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ingestOtlp } from '../src/ingest/otlp-ingester.ts';
import { ScrapeIngester, type ScrapeReport } from '../src/ingest/scrape-ingester.ts';
import { MetricStore, type MetricStoreOptions } from '../src/store/metric-store.ts';
import { SeriesIndex } from '../src/store/series-index.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const startMs = Date.UTC(2026, 0, 1);
const limits = { maxSamples: 100, maxLabels: 4, maxLabelValueLength: 100 };

function setUp(options: Partial<MetricStoreOptions> = {}) {
  const clock = createManualClock(startMs);
  const path = join(temporaryDirectory(), 'metrics.db');
  const open = (): MetricStore => {
    const store = new MetricStore({
      path,
      retentionMs: 3_600_000,
      blockMs: 600_000,
      now: clock.now,
      ...options,
    });
    return store;
  };
  const store = open();
  const ingester = new ScrapeIngester(store);
  const expose = (text: string, more: Partial<ScrapeReport> = {}) =>
    ingester.ingest({
      key: 'k',
      labels: { job: 'j' },
      timeMs: clock.now(),
      elapsedMs: 0,
      body: new TextEncoder().encode(text),
      limits,
      push: 'once',
      ...more,
    });
  return { clock, path, open, store, expose };
}

/** Rows in the file, which the store must have closed. */
const rows = (path: string, table: string): number => {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.rows);
  } finally {
    database.close();
  }
};
const described = (store: MetricStore): string[] => [...store.descriptions.all.keys()].sort();

test('a metric is described while the store holds a series of it, whatever that adds to its name', () => {
  const { store, expose, path } = setUp();
  const suffixes = ['', '_total', '_bucket', '_count', '_sum', '_created', '_info', '_gcount', '_gsum'];
  const lines = suffixes.map(
    (suffix, at) => `# HELP m${at} Text\n# TYPE m${at} unknown\nm${at}${suffix} 1\n`,
  );
  expose(`${lines.join('')}# HELP other Text\n# HELP m1_total_x Text\n`);
  expect(described(store)).toEqual(suffixes.map((_, at) => `m${at}`));
  store.close();
  expect(rows(path, 'metadata')).toBe(suffixes.length);
});

test('descriptions without series add up to nothing, in memory and in the file, by exposition and by OTLP', () => {
  const { clock, store, expose, path } = setUp();
  for (let push = 0; push < 20; push++) {
    clock.advance(1_000);
    const junk = Array.from({ length: 50 }, (_, at) => `# HELP junk_${push}_${at} x\n`).join('');
    expose(`${junk}# HELP kept Text ${push}\nkept 1\n`);
    const metrics = [{ name: `otlp_${push}`, description: 'x', gauge: { dataPoints: [] } }];
    const body = new TextEncoder().encode(
      JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }),
    );
    ingestOtlp(store, { body, encoding: 'json', timeMs: clock.now(), limits });
  }
  expect([...store.descriptions.all]).toEqual([['kept', { type: 'unknown', help: 'Text 19', unit: '' }]]);
  store.close();
  expect(rows(path, 'metadata')).toBe(1);
});

test('retention removes a description with the last series of its metric; one left in the file goes when the store opens', () => {
  const { clock, store, expose, path, open } = setUp();
  expose('# HELP old Text\nold 1\n# HELP both Text\nboth 1\n');
  for (let at = 0; at < 12; at++) {
    clock.advance(600_000);
    expose('# HELP both Text\nboth 1\n', { push: 'again' });
    while (store.maintain()) {}
  }
  expect(described(store)).toEqual(['both']);
  store.close();
  expect(rows(path, 'metadata')).toBe(1);
  const database = new DatabaseSync(path);
  database.exec(`INSERT INTO metadata VALUES ('junk', 'unknown', 'x', '')`);
  database.exec(`INSERT INTO series VALUES (1000, '[["__name__","junk"]]')`);
  database.close();
  const again = open();
  expect([described(again), again.index.labelValues('__name__')]).toEqual([['both'], ['both']]);
  again.close();
  expect([rows(path, 'metadata'), rows(path, 'series')]).toEqual([1, 1]);
});

test.each<[string, (set: ReturnType<typeof setUp>, at: number) => unknown]>([
  ['in an exposition that is wrong further down', ({ expose }, at) => expose(`new_${at} 1\nwrong{ 1\n`)],
  [
    'in a scrape with too many samples',
    ({ expose }, at) =>
      expose(Array.from({ length: 101 }, (_, line) => `new_${at}{line="${line}"} 1\n`).join(''), {
        key: `${at}`,
      }),
  ],
  ['with a time too far back', ({ expose }, at) => expose(`new_${at} 1 1000\n`, { push: 'again' })],
  ['with a time in the future', ({ expose }, at) => expose(`new_${at} 1 ${startMs + 1e9}\n`)],
  [
    'beside a sample that is refused, in a push that is taken whole',
    ({ expose }, at) => expose(`new_${at} 1\nother 1 1000\n`),
  ],
  [
    'with a time too far back, by OTLP',
    ({ store }, at) =>
      ingestOtlp(store, {
        body: new TextEncoder().encode(
          JSON.stringify({
            resourceMetrics: [
              {
                scopeMetrics: [
                  {
                    metrics: [
                      { name: `new_${at}`, gauge: { dataPoints: [{ timeUnixNano: '1000000', asInt: 1 }] } },
                    ],
                  },
                ],
              },
            ],
          }),
        ),
        encoding: 'json',
        timeMs: startMs,
        limits,
      }),
  ],
])('a series whose only sample is refused %s takes no place of `maxSeries`', (_name, refuse) => {
  const set = setUp({ maxSeries: 500 });
  for (let at = 0; at < 50; at++) refuse(set, at);
  expect(set.store.index.size).toBe(0);
  expect(set.store.index.labelNames()).toEqual([]);
  expect(set.expose('fine 1\n')).toMatchObject({ samples: 1, error: undefined });
  expect(set.store.index.size).toBe(1);
  set.store.close();
  expect(rows(set.path, 'series')).toBe(1);
});

test('an exemplar with long labels is left out', () => {
  const { clock, store, expose } = setUp();
  const sample = (length: number) => `a_total 1 # {trace_id="${'x'.repeat(length)}"} 1\n`;
  const openmetrics = { contentType: 'application/openmetrics-text', push: 'again' } as const;
  expose(`${sample(2_000)}# EOF\n`, openmetrics);
  clock.advance(1_000);
  expose(`${sample(32)}# EOF\n`, openmetrics);
  const [series] = store.index.select([createMatcher('__name__', '=', 'a_total')]);
  expect(store.exemplars.of(series as never, 0, clock.now())).toHaveLength(1);
});

test('whatever series come and go, in whatever order, the index answers as a list of them would', () => {
  const series = fc.record({ __name__: fc.constantFrom('a', 'b'), x: fc.constantFrom('1', '2', '3', '') });
  const step = fc.oneof(
    fc.record({ add: series }),
    fc.record({ drop: fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const index = new SeriesIndex();
      let id = 0;
      for (const one of steps) {
        if ('add' in one) {
          const labels = Labels.from({ ...one.add, id: String(++id) });
          index.add(id, labels);
        } else {
          const all = [...index.all()];
          index.remove([...new Set(one.drop)].flatMap((at) => all[at] ?? []));
        }
        const all = [...index.all()];
        for (const name of ['a', 'b'])
          for (const x of ['1', '2', '3', ''])
            expect(index.select([createMatcher('__name__', '=', name), createMatcher('x', '=', x)])).toEqual(
              all.filter(({ labels }) => labels.get('__name__') === name && labels.get('x') === x),
            );
        const valuesOf = (name: string) =>
          [...new Set(all.map(({ labels }) => labels.get(name)))].filter((value) => value !== '').sort();
        for (const name of ['__name__', 'x', 'id']) expect(index.labelValues(name)).toEqual(valuesOf(name));
        for (const value of ['1', '2', '3'])
          expect(index.has('x', value)).toBe(all.some(({ labels }) => labels.get('x') === value));
      }
    }),
    { numRuns: 100, seed: 55 },
  );
});
