import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createMatcher, Labels } from '@weir/promql';
import { createManualClock, seededRandom } from '@weir/test-kit';
import { expect, onTestFinished, test } from 'vitest';
import { hasLostCommits } from '../src/store/database.ts';
import { MetricStore } from '../src/store/metric-store.ts';
import { type MemorySeries, SampleBatch } from '../src/store/series.ts';
import { startServiceProcess } from './support/service-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const startMs = Date.UTC(2026, 0, 1);
const series = 60;
const frameBytes = 24 + 8_192;

/** A store that appends until told to stop, and the files that a kill would leave behind. */
function openStore(path = join(temporaryDirectory(), 'metrics.db')) {
  const clock = createManualClock(startMs);
  const random = seededRandom(11);
  const store = new MetricStore({ path, retentionMs: 86_400_000, now: clock.now });
  onTestFinished(() => store.close());
  const append = (): void => {
    clock.advance(1_000);
    const batch = new SampleBatch<MemorySeries>();
    for (let i = 0; i < series; i++)
      batch.add(store.resolve(Labels.from({ __name__: `m${i}` })) as MemorySeries, clock.now(), random());
    store.append(batch);
  };
  const snapshot = (): string => {
    const copy = join(temporaryDirectory(), 'metrics.db');
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy + suffix);
    return copy;
  };
  return { store, append, snapshot };
}

function reopen(path: string): { samples: number; store: MetricStore } {
  const store = new MetricStore({ path, retentionMs: 86_400_000, now: () => startMs });
  const found = store.select([createMatcher('__name__', '=~', 'm.*')], 0, 1e15);
  store.close();
  return { samples: found.reduce((sum, { timestamps }) => sum + timestamps.length, 0), store };
}

test('what a kill leaves behind is no damage, at any moment, around checkpoints, and cut off anywhere', () => {
  const { append, snapshot } = openStore();
  const random = seededRandom(3);
  const sizes = new Set<number>();
  for (let i = 0; i < 400; i++) {
    append();
    if (i % 8 !== 0) continue;
    const copy = snapshot();
    expect(hasLostCommits(`${copy}-wal`)).toBe(false);
    const { length } = readFileSync(`${copy}-wal`);
    sizes.add(length);
    truncateSync(`${copy}-wal`, Math.floor(random() * length));
    expect(hasLostCommits(`${copy}-wal`)).toBe(false);
  }
  // The file was begun anew on the way.
  expect(sizes.size).toBeLessThan(45);
});

test('what a transaction that was rolled back leaves behind is no damage', () => {
  const path = join(temporaryDirectory(), 'a.db');
  const database = new DatabaseSync(path);
  onTestFinished(() => database.close());
  database.exec('PRAGMA journal_mode = WAL; PRAGMA cache_size = 4; CREATE TABLE t (data BLOB)');
  const insert = database.prepare('INSERT INTO t VALUES (zeroblob(?))');
  database.exec('BEGIN');
  for (let i = 0; i < 50; i++) insert.run(4_000);
  database.exec('ROLLBACK');
  insert.run(10);
  const size = readFileSync(`${path}-wal`).length;
  expect(size).toBeGreaterThan(100_000);
  expect(hasLostCommits(`${path}-wal`)).toBe(false);
});

test('wherever the write-ahead file is damaged, no committed sample is lost without a word', () => {
  const { append, snapshot } = openStore();
  for (let i = 0; i < 40; i++) append();
  const random = seededRandom(17);
  let lost = 0;
  for (let round = 0; round < 40; round++) {
    const copy = snapshot();
    const wal = readFileSync(`${copy}-wal`);
    // Before the last frame: the loss of a last one cannot be told from a commit that was never made.
    const end = wal.length - frameBytes;
    const at = round === 0 ? 0 : Math.floor(random() * end);
    const length = Math.min(end - at, 1 + Math.floor(random() ** 3 * 40_000));
    for (let i = at; i < at + length; i++) wal[i] = (wal[i] as number) ^ (1 + Math.floor(random() * 255));
    writeFileSync(`${copy}-wal`, wal);
    const { samples, store } = reopen(copy);
    if (samples < 40 * series) lost++;
    else continue;
    expect([round, at, length, store.lostCommits]).toEqual([
      round,
      at,
      length,
      expect.stringContaining('-wal.damaged-'),
    ]);
    expect(readFileSync(store.lostCommits as string).equals(wal)).toBe(true);
    // Told once.
    const again = reopen(copy);
    expect([again.samples, again.store.lostCommits]).toEqual([samples, undefined]);
  }
  expect(lost).toBeGreaterThan(25);
});

test('a damaged batch of the journal costs itself alone, and is counted', () => {
  const { append, snapshot, store } = openStore();
  for (let i = 0; i < 5; i++) append();
  const copy = snapshot();
  const database = new DatabaseSync(copy);
  database.exec('UPDATE journal SET data = zeroblob(200) WHERE id = 2');
  database.exec('UPDATE journal SET data = substr(data, 1, 40) WHERE id = 4');
  database.close();
  const { samples, store: opened } = reopen(copy);
  expect([samples, opened.damagedBatches, opened.setAside]).toEqual([3 * series, 2, undefined]);
  expect(store.damagedBatches).toBe(0);
});

test('the service logs that its newest samples may be lost, and goes on', async () => {
  const directory = temporaryDirectory();
  const config = { targets: [], store: { path: join(directory, 'data') } };
  const first = await startServiceProcess(directory, config);
  for (let i = 0; i < 4; i++) {
    const body = Array.from({ length: 200 }, (_, n) => `m${i}_${n} 1\n`).join('');
    expect((await fetch(`${first.url}/push/job${i}`, { method: 'POST', body })).status).toBe(204);
  }
  await first.end('SIGKILL');
  const path = join(directory, 'data/metrics.db-wal');
  const wal = readFileSync(path);
  writeFileSync(path, wal.fill(0, 100, 4_000));
  const second = await startServiceProcess(directory, config);
  const [line] = second.output().stderr.trim().split('\n');
  expect(JSON.parse(line ?? '')).toMatchObject({
    msg: 'damaged write-ahead file: the newest samples may be lost',
    file: expect.stringContaining('metrics.db-wal.damaged-'),
  });
  expect((await fetch(`${second.url}/push/more`, { method: 'POST', body: 'a 1\n' })).status).toBe(204);
});
