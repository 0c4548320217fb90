import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createCache } from '@weir/cache';
import { LRUCache } from 'lru-cache';
import { summarise } from './statistics.ts';
import { createSubject, memorySubjects } from './subjects.ts';

const keyCount = 1_000;
const keys = Array.from({ length: keyCount }, (_, index) => `key:${index}`);

/** One row: nanoseconds an awaited hit, and how often lru-cache's get with an await fits in. */
export interface HitRow {
  readonly name: string;
  readonly medianNs: number;
  readonly spread: number;
  readonly ratio: number;
}

type Reader = (key: string) => unknown;

const baseline = 'lru-cache get + await';

/** Interleaved rounds of awaited L1 hits; every subject has loaded each key once and loads nothing while timed. */
export async function measureHits(rounds: number): Promise<HitRow[]> {
  const readers = new Map<string, Reader>();
  const loads = new Map<string, number>();
  const lru = new LRUCache<string, object>({ max: 10_000, ttl: 600_000 });
  for (const key of keys) lru.set(key, { key });
  readers.set(baseline, (key) => lru.get(key));
  const cache = createCache({ name: 'hits', defaults: { ttlMs: 600_000 } });
  const defined = cache.define('item', { key: (key: string) => key, load: (key) => ({ key }) });
  readers.set('weir definition.get', (key) => defined.get(key));
  for (const name of memorySubjects) {
    const subject = await createSubject(name, { ttlMs: 600_000, size: 10_000 });
    const load = async () => {
      loads.set(name, (loads.get(name) ?? 0) + 1);
      return { value: 1 };
    };
    readers.set(name, (key) => subject.read(key, load));
  }
  for (const read of readers.values()) for (const key of keys) await read(key);

  const times = new Map<string, number[]>([...readers.keys()].map((name) => [name, []]));
  for (let round = -2; round < rounds; round += 1) {
    for (const [name, read] of readers) {
      const passes = name === 'cachified' || name === 'cacheable' || name === 'bentocache' ? 5 : 40;
      const start = process.hrtime.bigint();
      for (let pass = 0; pass < passes; pass += 1) for (const key of keys) await read(key);
      const ns = Number(process.hrtime.bigint() - start) / (passes * keyCount);
      if (round >= 0) times.get(name)?.push(ns);
    }
  }
  for (const name of memorySubjects)
    assert.equal(loads.get(name), keyCount, `${name} did other work than the rest`);
  const base = summarise(times.get(baseline) ?? []).median;
  return [...times].map(([name, values]) => {
    const { median, spread } = summarise(values);
    return { name, medianNs: median, spread, ratio: median / base };
  });
}

/** Bytes of heap one hit leaves behind, without the caller's own `await`: the least of several runs. */
export async function measureAllocation(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const cache = createCache({ name: 'heap', defaults: { ttlMs: 600_000 } });
  const item = cache.define('item', { key: (key: string) => key, load: (key) => ({ key }) });
  for (const key of keys) await item.get(key);
  const hits = 100_000;
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 10; run += 1) {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let hit = 0; hit < hits; hit += 1) item.get(keys[hit % keyCount] as string);
    least = Math.min(least, (process.memoryUsage().heapUsed - before) / hits);
  }
  return least;
}
