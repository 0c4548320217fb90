import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMatcher, isStale, Labels } from '@weir/promql';
import { createManualClock, seededRandom } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { MetricStore, type MetricStoreOptions } from '../src/store/metric-store.ts';
import { type MemorySeries, SampleBatch } from '../src/store/series.ts';
import { StoreMethods } from '../src/threads/store-methods.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const startMs = Date.UTC(2026, 0, 1);
const blockMs = 600_000;
const query = { timeoutMs: 30_000, maxSamples: 1_000_000, maxSeries: 1_000 };

function openStore(options: Partial<MetricStoreOptions> & { path: string; now: () => number }): MetricStore {
  return new MetricStore({ retentionMs: 86_400_000, blockMs, ...options });
}

function append(store: MetricStore, timeMs: number, values: Record<string, number | 'stale'>): unknown {
  const batch = new SampleBatch<MemorySeries>();
  for (const [name, value] of Object.entries(values)) {
    const series = store.resolve(Labels.from({ __name__: name, job: 'test' }));
    if (series === undefined) continue;
    if (value === 'stale') batch.addStale(series, timeMs);
    else batch.add(series, timeMs, value);
  }
  return store.append(batch);
}

function valuesOf(
  store: MetricStore,
  name: string,
  fromMs = 0,
  toMs = Number.MAX_SAFE_INTEGER,
): [number, number][] {
  const [series] = store.select([createMatcher('__name__', '=', name)], fromMs, toMs);
  return [...(series?.timestamps ?? [])].map((time, i) => [time, series?.values[i] as number]);
}

function maintainAll(store: MetricStore): void {
  while (store.maintain()) {}
}

test('samples read back the same from memory, after sealing and after a reopening of the file', () => {
  const path = join(temporaryDirectory(), 'metrics.db');
  const clock = createManualClock(startMs);
  const random = seededRandom(7);
  let store = openStore({ path, now: clock.now });
  const written: Record<string, [number, number][]> = {};
  for (let step = 0; step < 500; step++) {
    clock.advance(5_000);
    const values: Record<string, number> = {};
    for (let i = 0; i < 5; i++) {
      const value = i === 0 ? step : random() * 10 ** i;
      const name = `metric_${i}`;
      values[name] = value;
      written[name] = [...(written[name] ?? []), [clock.now(), value]];
    }
    append(store, clock.now(), values);
    if (step % 40 === 0) maintainAll(store);
    if (step % 130 === 129) {
      store.close();
      store = openStore({ path, now: clock.now });
    }
  }
  for (const [name, expected] of Object.entries(written)) expect(valuesOf(store, name)).toEqual(expected);
  const [from, to] = [startMs + 595_000, startMs + 1_300_000];
  expect(valuesOf(store, 'metric_3', from, to)).toEqual(
    written.metric_3?.filter(([time]) => time >= from && time <= to),
  );
  store.close();
});

test('a stale marker keeps its bits through journal and chunk, and any other NaN is not one', () => {
  const path = join(temporaryDirectory(), 'metrics.db');
  const clock = createManualClock(startMs);
  let store = openStore({ path, now: clock.now });
  append(store, startMs, { a: 'stale', b: Number.NaN });
  const check = (): void => {
    for (const [name, expected] of [
      ['a', true],
      ['b', false],
    ] as const) {
      const [series] = store.select([createMatcher('__name__', '=', name)], 0, startMs);
      expect(isStale(series?.values as Float64Array, 0)).toBe(expected);
      expect(series?.values[0]).toBeNaN();
    }
  };
  check();
  store.close();
  store = openStore({ path, now: clock.now });
  check();
  clock.advance(blockMs + 120_000);
  maintainAll(store);
  check();
  store.close();
});

test('series of a range are those with samples in it, in memory, sealed and after a reopening', () => {
  const path = join(temporaryDirectory(), 'metrics.db');
  const clock = createManualClock(startMs);
  let store = openStore({ path, now: clock.now });
  append(store, startMs + 1_000, { early: 1, both: 1 });
  append(store, startMs + 300_000, { both: 2, late: 1 });
  const names = (fromMs: number, toMs: number): string[] =>
    store.reader
      .seriesBetween([createMatcher('job', '=', 'test')], startMs + fromMs, startMs + toMs)
      .map(({ labels }) => labels.get('__name__'))
      .sort();
  const check = (): void => {
    expect(names(0, 999)).toEqual([]);
    expect(names(1_000, 1_000)).toEqual(['both', 'early']);
    expect(names(1_001, 299_999)).toEqual([]);
    expect(names(300_000, 400_000)).toEqual(['both', 'late']);
    expect(names(300_001, 400_000)).toEqual([]);
  };
  check();
  clock.advance(blockMs + 120_000);
  maintainAll(store);
  check();
  store.close();
  store = openStore({ path, now: clock.now });
  check();
  store.close();
});

test('the status counts the chunks in memory: two of a series on both sides of the end of a block, one after sealing', () => {
  const clock = createManualClock(startMs);
  const store = openStore({ path: join(temporaryDirectory(), 'metrics.db'), now: clock.now });
  const host = new StoreMethods(store, { store: { path: '', retentionMs: 1, maxSeries: 1 }, query });
  const counts = (): [number, number] => {
    const text = new TextDecoder().decode(host.tsdbStatus({ limit: 0 }).data);
    const { headStats } = JSON.parse(text) as { headStats: { numSeries: number; chunkCount: number } };
    return [headStats.numSeries, headStats.chunkCount];
  };
  expect(counts()).toEqual([0, 0]);
  append(store, startMs, { a: 1, b: 1, c: 1 });
  expect(counts()).toEqual([3, 3]);
  clock.advance(blockMs);
  append(store, clock.now(), { a: 2, b: 2 });
  expect(counts()).toEqual([3, 5]);
  clock.advance(120_000);
  maintainAll(store);
  expect(counts()).toEqual([3, 2]);
  store.close();
});

test('samples that are not newer, too old or far in the future are refused and counted', () => {
  const clock = createManualClock(startMs);
  const store = openStore({ path: join(temporaryDirectory(), 'metrics.db'), now: clock.now });
  expect(append(store, startMs, { a: 1 })).toEqual({ accepted: 1, outOfOrder: 0, outOfBounds: 0 });
  expect(append(store, startMs, { a: 2 })).toEqual({ accepted: 0, outOfOrder: 1, outOfBounds: 0 });
  expect(append(store, startMs + 700_000, { a: 2 })).toEqual({ accepted: 0, outOfOrder: 0, outOfBounds: 1 });
  clock.advance(blockMs + 120_000);
  maintainAll(store);
  expect(append(store, startMs + 1_000, { b: 2 })).toEqual({ accepted: 0, outOfOrder: 0, outOfBounds: 1 });
  expect(valuesOf(store, 'a')).toEqual([[startMs, 1]]);
  expect(store.refused).toEqual({ outOfOrder: 1, outOfBounds: 2 });
  store.close();
});

test('the same sample again is a no-op, until it is sealed', () => {
  const clock = createManualClock(startMs);
  const path = join(temporaryDirectory(), 'metrics.db');
  let store = openStore({ path, now: clock.now });
  append(store, startMs, { a: 1, gone: 'stale', b: Number.NaN });
  const again = (): unknown => append(store, startMs, { a: 1, gone: 'stale', b: Number.NaN });
  expect(again()).toEqual({ accepted: 0, outOfOrder: 0, outOfBounds: 0 });
  store.close();
  store = openStore({ path, now: clock.now });
  expect(again()).toEqual({ accepted: 0, outOfOrder: 0, outOfBounds: 0 });
  expect(append(store, startMs, { a: -1, gone: 1, b: 1 })).toMatchObject({ accepted: 0, outOfOrder: 3 });
  clock.advance(blockMs + 120_000);
  maintainAll(store);
  expect(again()).toMatchObject({ accepted: 0, outOfBounds: 3 });
  store.close();
});

test('a sample that retention would remove at once is refused', () => {
  const store = openStore({
    path: join(temporaryDirectory(), 'metrics.db'),
    now: () => startMs,
    retentionMs: 3_600_000,
  });
  expect(append(store, startMs - 3_600_001, { a: 1 })).toMatchObject({ accepted: 0, outOfBounds: 1 });
  expect(append(store, startMs - 3_600_000, { a: 1 })).toMatchObject({ accepted: 1 });
  store.close();
});

test('a batch that is to be taken whole leaves nothing behind when one of its samples is refused', () => {
  const path = join(temporaryDirectory(), 'metrics.db');
  const store = openStore({ path, now: () => startMs });
  append(store, startMs, { a: 1 });
  const batch = new SampleBatch<MemorySeries>();
  for (const name of ['fresh', 'fresh', 'a'])
    batch.add(store.resolve(Labels.from({ __name__: name, job: 'test' })) as MemorySeries, startMs, 2);
  expect(store.append(batch, [], true)).toEqual({ accepted: 0, outOfOrder: 2, outOfBounds: 0 });
  expect([valuesOf(store, 'a'), valuesOf(store, 'fresh')]).toEqual([[[startMs, 1]], []]);
  expect(append(store, startMs, { fresh: 3 })).toMatchObject({ accepted: 1 });
  store.close();
});

test('retention removes old blocks and the series that lived in them alone', () => {
  const path = join(temporaryDirectory(), 'metrics.db');
  const clock = createManualClock(startMs);
  let store = openStore({ path, now: clock.now, retentionMs: 3_600_000 });
  append(store, clock.now(), { old: 1, both: 1 });
  for (let i = 0; i < 12; i++) {
    clock.advance(blockMs);
    append(store, clock.now(), { both: i + 2 });
    maintainAll(store);
  }
  expect(valuesOf(store, 'old')).toEqual([]);
  expect(store.index.labelValues('__name__')).toEqual(['both']);
  expect(valuesOf(store, 'both').length).toBeLessThanOrEqual(8);
  store.close();
  store = openStore({ path, now: clock.now, retentionMs: 3_600_000 });
  expect(store.index.labelValues('__name__')).toEqual(['both']);
  expect(valuesOf(store, 'both').at(-1)).toEqual([clock.now(), 13]);
  store.close();
});

test('a store of bounded size gives up its oldest block first', () => {
  const clock = createManualClock(startMs);
  const random = seededRandom(3);
  const store = openStore({
    path: join(temporaryDirectory(), 'metrics.db'),
    now: clock.now,
    retentionBytes: 400_000,
  });
  for (let i = 0; i < 600; i++) {
    clock.advance(10_000);
    const values: Record<string, number> = {};
    for (let n = 0; n < 100; n++) values[`m${n}`] = random();
    append(store, clock.now(), values);
    maintainAll(store);
  }
  expect(store.stats().oldestMs).toBeGreaterThan(startMs);
  expect(valuesOf(store, 'm1').at(-1)?.[0]).toBe(clock.now());
  store.close();
});

test('a damaged file is set aside, reported, and a new store begins', () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'metrics.db');
  const clock = createManualClock(startMs);
  writeFileSync(path, Buffer.alloc(40_000, 'not a database '));
  const store = openStore({ path, now: clock.now });
  expect(store.setAside).toContain('metrics.db.damaged-');
  expect(readdirSync(directory)).toContain(store.setAside?.slice(directory.length + 1));
  append(store, startMs, { a: 1 });
  expect(valuesOf(store, 'a')).toEqual([[startMs, 1]]);
  store.close();
});

test('a second store on the same file is refused with the reason', () => {
  const path = join(temporaryDirectory(), 'metrics.db');
  const store = openStore({ path, now: () => startMs });
  append(store, startMs, { a: 1 });
  expect(() => openStore({ path, now: () => startMs })).toThrow('another process has it open');
  store.close();
});

test('a store full of series takes samples of known ones and no new ones', () => {
  const path = join(temporaryDirectory(), 'metrics.db');
  const store = openStore({ path, now: () => startMs, maxSeries: 2 });
  append(store, startMs, { a: 1, b: 1, c: 1 });
  expect(store.index.labelValues('__name__')).toEqual(['a', 'b']);
  store.close();
});

test('matchers find exactly the series for which all of them hold', () => {
  const store = openStore({ path: join(temporaryDirectory(), 'metrics.db'), now: () => startMs });
  const sets = [
    { __name__: 'm', job: 'a', code: '200' },
    { __name__: 'm', job: 'b', code: '404' },
    { __name__: 'm', job: 'b' },
    { __name__: 'n', job: 'a', code: '500' },
  ];
  for (const labels of sets) store.resolve(Labels.from(labels));
  const find = (...matchers: Parameters<typeof createMatcher>[]): unknown[] =>
    store.index
      .select(matchers.map((matcher) => createMatcher(...matcher)))
      .map(({ labels }) => labels.toJSON());
  expect(find(['__name__', '=', 'm'], ['job', '=', 'b'])).toEqual([sets[1], sets[2]]);
  expect(find(['code', '=', ''])).toEqual([sets[2]]);
  expect(find(['code', '!=', ''])).toEqual([sets[0], sets[1], sets[3]]);
  expect(find(['__name__', '=', 'm'], ['code', '!~', '4..'])).toEqual([sets[0], sets[2]]);
  expect(find(['code', '=~', '200|500'])).toEqual([sets[0], sets[3]]);
  expect(find(['code', '=~', '.*0'], ['job', '=', 'a'], ['__name__', '!=', 'n'])).toEqual([sets[0]]);
  expect(find(['nothing', '=', 'x'])).toEqual([]);
  store.close();
});
