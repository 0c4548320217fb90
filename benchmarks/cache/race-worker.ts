/**
 * One process of the harness in `race.ts` and `herd.ts`. The race's database is a version for each key in a Redis of its own;
 * an update raises the version, then deletes the cached value, and only after that delete has resolved notes the version as
 * the floor. A read notes the floor before it starts: a value below it was stale by a delete that had resolved.
 */

import { createCache } from '@weir/cache';
import { seededRandom } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { createSubject } from './subjects.ts';

/** What a process is started for; the first message it gets. */
export type RaceJob =
  | {
      readonly kind: 'race';
      readonly subject: string;
      readonly cacheUrl: string;
      readonly databaseUrl: string;
      readonly operations: number;
      readonly keys: number;
      readonly seed: number;
    }
  | { readonly kind: 'hold'; readonly cacheUrl: string; readonly leaseMs: number }
  | { readonly kind: 'herd'; readonly cacheUrl: string; readonly deadlineMs: number };

export interface RaceResult {
  readonly reads: number;
  readonly updates: number;
  readonly loads: number;
  readonly stale: number;
  readonly unconfirmed: number;
  readonly errors: number;
}

/** One process' part of one stampede: how often it loaded, and how many Redis operations passed their deadline. */
export interface HerdResult {
  readonly loads: number;
  readonly redisErrors: number;
}

const raise =
  "if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end";
const lanes = 16;

async function race(job: Extract<RaceJob, { kind: 'race' }>): Promise<RaceResult> {
  const database = new Redis(job.databaseUrl);
  const random = seededRandom(job.seed);
  const pick = (below: number) => Math.floor(random() * below);
  const pause = async () => {
    const kind = pick(4);
    if (kind === 1) await new Promise(setImmediate);
    if (kind === 2) await new Promise((resolve) => setTimeout(resolve, pick(4)));
  };
  const result = { reads: 0, updates: 0, loads: 0, stale: 0, unconfirmed: 0, errors: 0 };
  // Processes that starve each other for the processor answer late: that is not what is under test.
  const options = { ttlMs: 60_000, size: 10_000, redisUrl: job.cacheUrl, deadlineMs: 10_000 };
  const subject = await createSubject(job.subject, options);
  const load = async (key: string) => {
    result.loads += 1;
    await pause();
    const version = Number((await database.get(`version:${key}`)) ?? 0);
    await pause();
    return { version };
  };

  const read = async (key: string) => {
    const floor = Number((await database.get(`floor:${key}`)) ?? 0);
    const value = (await subject.read(key, () => load(key))) as { version: number };
    result.reads += 1;
    if (value.version < floor) result.stale += 1;
  };
  const update = async (key: string) => {
    const version = await database.incr(`version:${key}`);
    const isConfirmed = await subject.remove(key);
    result.updates += 1;
    // A cache that says it could not tell everyone has promised nothing.
    if (job.subject === 'weir' && isConfirmed === false) result.unconfirmed += 1;
    else await database.eval(raise, 1, `floor:${key}`, version);
  };

  let left = job.operations;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      const key = `k${pick(job.keys)}`;
      try {
        await (random() < 0.1 ? update(key) : read(key));
      } catch {
        result.errors += 1;
      }
      if (pick(8) === 0) await pause();
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  // The process stays until all are done: one that leaves owes the others answers.
  return result;
}

/** Takes the lease of a key and never lets go of it: the process is to be killed. */
async function hold(job: Extract<RaceJob, { kind: 'hold' }>): Promise<never> {
  const cache = createCache({
    name: 'held',
    redis: new Redis(job.cacheUrl),
    l2: { leaseMs: job.leaseMs, deadlineMs: 2_000 },
  });
  await cache.ready();
  return await cache.getOrSet('k', () => {
    process.send?.('holding');
    return new Promise<never>(() => {});
  });
}

/** Ready once connected and warm; then each message names a key, and 500 callers here want it at once. */
async function herd(job: Extract<RaceJob, { kind: 'herd' }>): Promise<string> {
  const redis = new Redis(job.cacheUrl);
  const cache = createCache({ name: 'herd', redis, l2: { deadlineMs: job.deadlineMs } });
  await cache.ready();
  await cache.getOrSet(`warm ${process.pid}`, () => 1);
  process.on('message', async (key: string) => {
    const before = cache.stats().redisErrors;
    let loads = 0;
    const load = async () => {
      loads += 1;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { version: 1 };
    };
    await Promise.all(Array.from({ length: 500 }, () => cache.getOrSet(key, load)));
    const result: HerdResult = { loads, redisErrors: cache.stats().redisErrors - before };
    process.send?.(result);
  });
  return 'ready';
}

process.once('message', (job: RaceJob) => {
  const work = job.kind === 'hold' ? hold(job) : job.kind === 'herd' ? herd(job) : race(job);
  void work.then((result) => {
    process.send?.(result);
  });
});
process.on('disconnect', () => process.exit());
