import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createCache } from '@weir/cache';
import { startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import type { RaceJob, RaceResult } from './race-worker.ts';

/** A worker process that has got its job. */
export function startWorker(job: RaceJob): ChildProcess {
  const child = fork(join(import.meta.dirname, 'race-worker.ts'), {
    execArgv: ['--conditions=@weir/source'],
  });
  child.send(job);
  return child;
}

/** The next message of a worker; rejects when it ends instead. */
export async function answerOf<T>(child: ChildProcess): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a worker ended with code ${code}`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as T);
    });
  });
}

/** One subject raced by several processes against a versioned database; the sums of what they saw. */
export async function race(options: {
  readonly subject: string;
  readonly operations: number;
  readonly seed: number;
  readonly processes: number;
}): Promise<RaceResult> {
  const { operations, processes, seed, subject } = options;
  const [cache, database] = await Promise.all([startRedis(), startRedis()]);
  const job = { kind: 'race', subject, cacheUrl: cache.url, databaseUrl: database.url, keys: 24 } as const;
  const share = Math.ceil(operations / processes);
  const children = Array.from({ length: processes }, (_, index) =>
    startWorker({ ...job, operations: share, seed: seed + index }),
  );
  try {
    const results = await Promise.all(children.map((child) => answerOf<RaceResult>(child)));
    return results.reduce((sum, one) => ({
      reads: sum.reads + one.reads,
      updates: sum.updates + one.updates,
      loads: sum.loads + one.loads,
      stale: sum.stale + one.stale,
      unconfirmed: sum.unconfirmed + one.unconfirmed,
      errors: sum.errors + one.errors,
    }));
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
    await Promise.all([cache.stop(), database.stop()]);
  }
}

/** SIGKILL of the process that loads a key, some time into its load: how long the next reader waits for its own load. */
export async function killHolder(leaseMs: number, holdMs: number): Promise<number> {
  const server = await startRedis();
  const child = startWorker({ kind: 'hold', cacheUrl: server.url, leaseMs });
  const redis = new Redis(server.url);
  const cache = createCache({ name: 'held', redis, l2: { leaseMs, deadlineMs: 2_000 } });
  try {
    await cache.ready();
    await answerOf(child);
    await new Promise((resolve) => setTimeout(resolve, holdMs));
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
