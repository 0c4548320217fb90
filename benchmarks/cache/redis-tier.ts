import assert from 'node:assert/strict';
import { type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { summarise } from './statistics.ts';
import { createSubject, redisSubjects, type Subject } from './subjects.ts';

/** One row: microseconds a read, one after the other (`sequential`) or with 50 in flight (`concurrent`). */
export interface TierRow {
  readonly name: string;
  readonly figures: Readonly<Record<TierFigure, { readonly median: number; readonly spread: number }>>;
}

const figureNames = ['sequentialHit', 'sequentialMiss', 'concurrentHit', 'concurrentMiss'] as const;
export type TierFigure = (typeof figureNames)[number];

interface Arm {
  readonly name: string;
  readonly server: RedisServer;
  readonly monitor: Redis;
  readonly writer: Subject;
  readonly times: Record<TierFigure, number[]>;
}

const lanes = 50;
const value = { id: 1, name: 'A product', tags: ['a', 'b'], price: 12.5, text: 'x'.repeat(200) };

/** Microseconds a read. What a cache still has on its way to Redis when its last read resolves counts as well. */
async function timeReads(
  subject: Subject,
  keys: readonly string[],
  inFlight: number,
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
  await Promise.all(Array.from({ length: inFlight }, lane));
  await subject.drain?.();
  return ((performance.now() - start) * 1_000) / keys.length;
}

async function counter(monitor: Redis, name: string): Promise<number> {
  return Number(new RegExp(`${name}:(\\d+)`).exec(await monitor.info('stats'))?.[1]);
}

/** Keys nobody has, then the same keys through an instance that has none of them in memory; equal work is asserted. */
async function round(
  arm: Arm,
  label: string,
  inFlight: number,
  count: number,
): Promise<[hit: number, miss: number]> {
  const { monitor, name, server, writer } = arm;
  const keys = Array.from({ length: count }, (_, index) => `key:${label}:${index}`);
  let loads = 0;
  const load = async () => {
    loads += 1;
    return value;
  };
  const stored = await monitor.dbsize();
  const miss = await timeReads(writer, keys, inFlight, load);
  assert.equal(loads, count, `${name} did not load each key once`);
  assert.ok((await monitor.dbsize()) - stored >= count, `${name} has not stored every key`);
  const reader = await createSubject(name, { ttlMs: 600_000, size: 20_000, redisUrl: server.url });
  await reader.read(keys[0] as string, load);
  const found = await counter(monitor, 'keyspace_hits');
  const hit = await timeReads(reader, keys.slice(1), inFlight, load);
  assert.equal(loads, count, `${name} loaded what Redis had`);
  assert.ok(
    (await counter(monitor, 'keyspace_hits')) - found >= count - 1,
    `${name} did not ask Redis for every key`,
  );
  await reader.close();
  return [hit, miss];
}

/** Interleaved rounds on real Redis servers, one a subject, after rounds that only warm up. */
export async function measureRedis(rounds: number): Promise<TierRow[]> {
  const arms: Arm[] = [];
  for (const name of redisSubjects) {
    const server = await startRedis();
    const writer = await createSubject(name, { ttlMs: 600_000, size: 20_000, redisUrl: server.url });
    const times = { sequentialHit: [], sequentialMiss: [], concurrentHit: [], concurrentMiss: [] };
    arms.push({ name, server, monitor: new Redis(server.url), writer, times });
  }
  try {
    for (let index = -4; index < rounds; index += 1) {
      // Another order in each round: no one always follows the same neighbour.
      const order = arms.map((_, place) => arms[(place + index + 4) % arms.length] as Arm);
      for (const arm of order) {
        const [sequentialHit, sequentialMiss] = await round(arm, `s${index}`, 1, 200);
        const [concurrentHit, concurrentMiss] = await round(arm, `c${index}`, lanes, 1_500);
        if (index < 0) continue;
        const figures = { sequentialHit, sequentialMiss, concurrentHit, concurrentMiss };
        for (const name of figureNames) arm.times[name].push(figures[name]);
      }
    }
    return arms.map(({ name, times }) => ({
      name,
      figures: {
        sequentialHit: summarise(times.sequentialHit),
        sequentialMiss: summarise(times.sequentialMiss),
        concurrentHit: summarise(times.concurrentHit),
        concurrentMiss: summarise(times.concurrentMiss),
      },
    }));
  } finally {
    for (const { monitor, server, writer } of arms) {
      await writer.close();
      monitor.disconnect();
      await server.stop();
    }
  }
}
