import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Labels } from '@weir/promql';
import { createManualClock, seededRandom } from '@weir/test-kit';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { type MessageDescription, readMessage } from '../src/ingest/otlp-messages.ts';
import { encodeRecord } from '../src/store/journal-record.ts';
import { MetricStore, type MetricStoreOptions } from '../src/store/metric-store.ts';
import { Outbox, type SentPart } from '../src/store/outbox.ts';
import { type MemorySeries, SampleBatch } from '../src/store/series.ts';
import { StoreMethods } from '../src/threads/store-methods.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const startMs = Date.UTC(2026, 0, 1);
const receiver = 'http://receiver/write';

function openOutbox(maxBytes: number): { outbox: Outbox; usedBytes: () => number } {
  const database = new DatabaseSync(join(temporaryDirectory(), 'outbox.db'));
  onTestFinished(() => database.close());
  database.exec('PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
  const outbox = new Outbox(database, maxBytes);
  outbox.setReceivers([receiver]);
  const read = (pragma: string): number =>
    Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
  return { outbox, usedBytes: () => (read('page_count') - read('freelist_count')) * 8_192 };
}

test.each([40, 400, 2_500, 4_200, 8_100, 8_200, 9_500, 20_000, 300_000])(
  'what batches of %i bytes take is known to within a few per cent',
  (length) => {
    const { outbox, usedBytes } = openOutbox(1e9);
    const before = usedBytes();
    for (let i = 0; i < 2_000_000 / (length + 1_000); i++) outbox.add(new Uint8Array(length));
    const taken = usedBytes() - before;
    expect(Math.abs(outbox.bytes - taken)).toBeLessThan(taken * 0.03 + 16_384);
    const { bytes } = outbox;
    outbox.recount();
    expect(outbox.bytes).toBe(bytes);
    outbox.confirm(receiver, 1e9);
    expect(outbox.bytes).toBe(0);
  },
);

test('a full outbox drops its oldest batches and counts their samples', () => {
  const record = (value: number): Uint8Array =>
    encodeRecord({ ids: [1, 2, 3], times: new Float64Array(3), values: new Float64Array(3).fill(value) });
  const { outbox } = openOutbox(20_000);
  for (let i = 0; i < 1_000; i++) outbox.add(record(i));
  const left = [...outbox.batches(receiver)].map(({ record: one }) => one?.values[0]);
  expect(outbox.bytes).toBeLessThanOrEqual(20_000);
  expect(left.length).toBeGreaterThan(20);
  expect(left).toEqual(Array.from({ length: left.length }, (_, i) => 1_000 - left.length + i));
  expect(outbox.dropped).toBe(3 * (1_000 - left.length));
});

test('a partly sent batch that a full outbox drops leaves nothing out of the batches that are kept', () => {
  const { outbox } = openOutbox(20_000);
  const add = (timeMs: number): void =>
    outbox.add(
      encodeRecord({
        ids: [1, 2, 3],
        times: new Float64Array(3).fill(timeMs),
        values: new Float64Array(3),
      }),
    );
  const labels = Labels.from({ __name__: 'm' });
  add(0);
  const part = outbox.next({ receiver, maxBytes: 1, skip: undefined }, () => labels);
  expect([part.samples, part.through]).toEqual([1, 0]);
  for (let i = 1; outbox.dropped === 0; i++) add(i);
  const kept = [...outbox.batches(receiver)].length;
  const rest = outbox.next({ receiver, maxBytes: 1e6, skip: part.skip }, () => labels);
  expect(rest.samples).toBe(3 * kept);
});

function openStore(options: Partial<MetricStoreOptions> & { now: () => number }): MetricStore {
  const path = join(temporaryDirectory(), 'metrics.db');
  const store = new MetricStore({ path, retentionMs: 86_400_000, blockMs: 600_000, ...options });
  onTestFinished(() => store.close());
  return store;
}

test.each([
  ['with a receiver that is away', [receiver], 100_000_000],
  ['with one whose backlog is full', [receiver], 100_000],
  ['without one', [], 100_000_000],
])('a store of bounded size %s keeps the same history', (_, receivers, backlogBytes) => {
  const clock = createManualClock(startMs);
  const random = seededRandom(5);
  const retentionBytes = 700_000;
  const store = openStore({ now: clock.now, retentionBytes, backlogBytes });
  store.outbox.setReceivers(receivers);
  for (let i = 0; i < 600; i++) {
    clock.advance(10_000);
    const batch = new SampleBatch<MemorySeries>();
    for (let n = 0; n < 100; n++)
      batch.add(store.resolve(Labels.from({ __name__: `m${n}` })) as MemorySeries, clock.now(), random());
    store.append(batch);
    while (store.maintain()) {}
  }
  const { oldestMs = Number.POSITIVE_INFINITY, bytes } = store.stats();
  expect(oldestMs).toBe(startMs);
  expect(store.outbox.bytes > 200_000).toBe(receivers.length > 0 && backlogBytes > 200_000);
  expect(bytes - store.outbox.bytes).toBeLessThan(retentionBytes);
});

const label: MessageDescription = {
  1: { name: 'name', kind: 'string' },
  2: { name: 'value', kind: 'string' },
};
const sample: MessageDescription = {
  1: { name: 'value', kind: 'double' },
  2: { name: 'timeMs', kind: 'int' },
};
const series: MessageDescription = {
  1: { name: 'labels', kind: () => label, isRepeated: true },
  2: { name: 'samples', kind: () => sample, isRepeated: true },
};
const writeRequest: MessageDescription = { 1: { name: 'series', kind: () => series, isRepeated: true } };

test('requests of whatever size bring every sample once, in the order of its series, and none is larger unless one sample is', () => {
  const batches = fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 0, maxLength: 40 }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(batches, fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1 }), (list, sizes) => {
      const clock = createManualClock(startMs);
      const store = openStore({ now: clock.now });
      const query = { timeoutMs: 1_000, maxSamples: 1_000, maxSeries: 1_000 };
      const host = new StoreMethods(store, { store: { path: '', retentionMs: 1 }, query });
      host.setReceivers([receiver]);
      const wanted: string[] = [];
      for (const names of list) {
        clock.advance(1_000);
        const batch = new SampleBatch<MemorySeries>();
        for (const name of names) {
          const labels = Labels.from({ __name__: `m${name}`, long: 'x'.repeat(name * 10) });
          batch.add(store.resolve(labels) as MemorySeries, clock.now(), wanted.length);
          wanted.push(`m${name} ${clock.now()} ${wanted.length}`);
        }
        store.append(batch);
      }
      const sent: string[] = [];
      let skip: SentPart | undefined;
      for (let i = 0; ; i++) {
        const maxBytes = sizes[i % sizes.length] as number;
        const request = { receiver, maxBytes, skip };
        const next = host.nextOutgoing(request);
        // A request that did not arrive comes again as it was.
        expect(host.nextOutgoing(request)).toEqual(next);
        if (next.samples === 0 && next.through === 0) break;
        expect(next.samples === 1 || next.data.length <= maxBytes).toBe(true);
        const { series: found = [] } = readMessage(next.data, writeRequest) as {
          series?: { labels: { value: string }[]; samples: { value?: number; timeMs: bigint }[] }[];
        };
        for (const { labels, samples } of found)
          for (const { value = 0, timeMs } of samples) sent.push(`${labels[0]?.value} ${timeMs} ${value}`);
        if (next.through > 0) host.confirmOutgoing({ receiver, through: next.through });
        skip = next.skip;
      }
      expect(sent.toSorted()).toEqual(wanted.toSorted());
      for (const name of new Set(wanted.map((text) => text.split(' ')[0])))
        expect(sent.filter((text) => text.startsWith(`${name} `))).toEqual(
          wanted.filter((text) => text.startsWith(`${name} `)),
        );
      expect(store.outbox.bytes).toBe(0);
    }),
    { numRuns: 40 },
  );
});
