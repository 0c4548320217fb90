import assert from 'node:assert/strict';
import { startRedis } from '@weir/test-kit';
import { summarise } from './statistics.ts';
import { createSubject, redisSubjects, type Subject } from './subjects.ts';

/** One row: microseconds an operation, with `lanes` operations in flight. */
export interface TierRow {
  readonly name: string;
  readonly hitUs: number;
  readonly hitSpread: number;
  readonly missUs: number;
  readonly missSpread: number;
}

const perRound = 1_000;
const lanes = 16;
const value = { id: 1, name: 'A product', tags: ['a', 'b'], price: 12.5, text: 'x'.repeat(200) };

async function timeReads(
  subject: Subject,
  keys: readonly string[],
  load: () => Promise<unknown>,
): Promise<number> {
  const start = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < keys.length) {
      const key = keys[next] as string;
      next += 1;
      await subject.read(key, load);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return ((performance.now() - start) * 1_000) / keys.length;
}

/** Interleaved rounds on one real Redis: keys that only another instance has loaded, then keys nobody has. */
export async function measureRedis(rounds: number): Promise<TierRow[]> {
  const times = new Map(redisSubjects.map((name) => [name, { hit: [] as number[], miss: [] as number[] }]));
  for (let round = -1; round < rounds; round += 1) {
    for (const name of redisSubjects) {
      // A server a subject and round: no one's keys slow another.
      const server = await startRedis();
      const options = { ttlMs: 600_000, size: 100_000, redisUrl: server.url };
      const [writer, reader] = [await createSubject(name, options), await createSubject(name, options)];
      let loads = 0;
      const load = async () => {
        loads += 1;
        return value;
      };
      const keys = Array.from({ length: perRound }, (_, index) => `key:${round}:${index}`);
      const missUs = await timeReads(writer, keys, load);
      assert.equal(loads, perRound);
      const hitUs = await timeReads(reader, keys, load);
      assert.equal(loads, perRound, `${name} loaded what Redis had`);
      if (round >= 0) {
        times.get(name)?.hit.push(hitUs);
        times.get(name)?.miss.push(missUs);
      }
      await Promise.all([writer.close(), reader.close()]);
      await server.stop();
    }
  }
  return [...times].map(([name, { hit, miss }]) => {
    const [hits, misses] = [summarise(hit), summarise(miss)];
    return {
      name,
      hitUs: hits.median,
      hitSpread: hits.spread,
      missUs: misses.median,
      missSpread: misses.spread,
    };
  });
}

/** How many loads 1000 concurrent misses of one key cost over 4 instances on one Redis. */
export async function measureHerd(): Promise<Record<string, number>> {
  const loads: Record<string, number> = {};
  for (const name of redisSubjects) {
    const server = await startRedis();
    const options = { ttlMs: 600_000, size: 1_000, redisUrl: server.url };
    const instances = await Promise.all([1, 2, 3, 4].map(() => createSubject(name, options)));
    loads[name] = 0;
    const load = async () => {
      loads[name] = (loads[name] ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return value;
    };
    await Promise.all(
      instances.flatMap((instance) => Array.from({ length: 250 }, () => instance.read('herd', load))),
    );
    await Promise.all(instances.map((instance) => instance.close()));
    await server.stop();
  }
  return loads;
}
