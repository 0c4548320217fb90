import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createCache } from '@weir/cache';
import { startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import type { RaceJob, RaceResult } from './race-worker.ts';

export const processes = 8;

function start(job: RaceJob): { readonly result: Promise<RaceResult>; end(): void } {
  const child = fork(join(import.meta.dirname, 'race-worker.ts'), {
    execArgv: ['--conditions=@weir/source'],
  });
  const result = new Promise<RaceResult>((resolve, reject) => {
    child.once('message', (message) => resolve(message as RaceResult));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`a race worker ended with code ${code}`)));
  });
  child.send(job);
  return { result, end: () => child.connected && child.disconnect() };
}

/** One subject raced by 8 processes against a versioned database; the sums of what they saw. */
export async function race(subject: string, operations: number, seed: number): Promise<RaceResult> {
  const [cache, database] = await Promise.all([startRedis(), startRedis()]);
  const job = { subject, cacheUrl: cache.url, databaseUrl: database.url, keys: 24 };
  const share = Math.ceil(operations / processes);
  const children = Array.from({ length: processes }, (_, index) =>
    start({ ...job, operations: share, seed: seed + index }),
  );
  try {
    const results = await Promise.all(children.map((child) => child.result));
    return results.reduce((sum, one) => ({
      reads: sum.reads + one.reads,
      updates: sum.updates + one.updates,
      loads: sum.loads + one.loads,
      stale: sum.stale + one.stale,
      unconfirmed: sum.unconfirmed + one.unconfirmed,
      errors: sum.errors + one.errors,
    }));
  } finally {
    for (const child of children) child.end();
    await Promise.all([cache.stop(), database.stop()]);
  }
}

/** SIGKILL of the process that loads a key: how long the next reader, in another process, waits for its own load. */
export async function killHolder(leaseMs: number): Promise<number> {
  const server = await startRedis();
  const child = fork(join(import.meta.dirname, 'race-worker.ts'), {
    execArgv: ['--conditions=@weir/source'],
  });
  const redis = new Redis(server.url);
  const cache = createCache({ name: 'held', redis, l2: { leaseMs } });
  try {
    await cache.ready();
    child.send({ subject: 'hold', cacheUrl: server.url });
    await once(child, 'message');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const start = performance.now();
    await cache.getOrSet('k', () => 'loaded');
    return performance.now() - start;
  } finally {
    await cache.close();
    redis.disconnect();
    await server.stop();
  }
}
