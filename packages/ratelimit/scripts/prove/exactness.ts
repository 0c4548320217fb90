import { fork } from 'node:child_process';
import { join } from 'node:path';
import { type Policy, worstBurst } from '@weir/ratelimit';
import { startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';

const names = [
  'gcra',
  'gcra-strict',
  'fixed-window',
  'sliding-counter',
  'sliding-log',
  'token-bucket',
] as const;
const windowMs = 1000;
const limit = 100;
const durationMs = 12_000;

/**
 * Four processes whose clocks are off by −10, −3, +3 and +10 s attack one key of every algorithm at the windows' edges.
 * A window counts the admissions whose whole trip lies inside it, so that answers which bunch up on a busy machine are
 * not taken for admissions that did.
 */
export async function proveExactness(): Promise<boolean> {
  const server = await startRedis();
  const policies: Policy[] = names.map((algorithm) => ({ name: algorithm, algorithm, limit, windowMs }));
  const workers = [-10_000, -3000, 3000, 10_000].map((skewMs, index) => {
    const options = JSON.stringify({ url: server.url, policies, skewMs, index, durationMs });
    const worker = fork(join(import.meta.dirname, '../exactness-process.ts'), [options], {
      execArgv: ['--conditions=@weir/source'],
    });
    return new Promise<Record<string, Trip[]>>((resolve, reject) => {
      worker.once('message', (message) => resolve(message as Record<string, Trip[]>));
      worker.once('error', reject);
      worker.once('exit', (code) =>
        code === 0 ? undefined : reject(new Error(`worker ended with ${code}`)),
      );
    });
  });
  const reports = await Promise.all(workers);
  let held = true;
  console.log('exactness: 4 processes, clocks skewed up to ±10 s, N = 100 per 1 s, attacked at the edges');
  for (const [index, algorithm] of names.entries()) {
    const times = reports.flatMap((report) => report[algorithm] ?? []);
    const most = mostIn(times);
    const bound = worstBurst(policies[index] as Policy);
    held &&= most <= bound && times.length > limit;
    console.log(
      `  ${algorithm.padEnd(16)} admitted ${String(times.length).padStart(5)}, most in any window ÷ N = ${(most / limit).toFixed(2)}, bound ${(bound / limit).toFixed(2)} ${most <= bound ? 'held' : 'EXCEEDED'}`,
    );
  }
  held = (await denialsChangeNothing(server.url)) && held;
  await server.stop();
  return held;
}

/** When a request left and when its answer came. */
type Trip = readonly [sentMs: number, answeredMs: number];

/** The most trips that lie wholly inside any window. */
function mostIn(trips: readonly Trip[]): number {
  const answered = [...trips].sort((a, b) => a[1] - b[1]);
  let most = 0;
  for (const [from] of trips) {
    let inside = 0;
    for (const [sentMs, answeredMs] of answered) {
      if (answeredMs > from + windowMs) break;
      if (sentMs >= from) inside++;
    }
    most = Math.max(most, inside);
  }
  return most;
}

async function denialsChangeNothing(url: string): Promise<boolean> {
  const { createRateLimiter } = await import('@weir/ratelimit');
  const redis = new Redis(url);
  let same = true;
  for (const algorithm of names) {
    const policy: Policy = { name: 'p', algorithm, limit: 5, windowMs: 3_600_000 };
    const limiter = createRateLimiter({
      name: `d-${algorithm}`,
      redis,
      policies: [policy],
      deadlineMs: 5000,
      denyCacheMs: 0,
    });
    while ((await limiter.consume('k')).allowed);
    const [key] = await redis.keys(`weir:ratelimit:d-${algorithm}:*`);
    const before = await redis.getBuffer(key as string);
    for (let index = 0; index < 200; index++) await limiter.consume('k');
    same &&= before?.equals((await redis.getBuffer(key as string)) ?? Buffer.alloc(0)) === true;
  }
  redis.disconnect();
  console.log(
    `  200 denials leave the record of every algorithm ${same ? 'byte for byte as it was' : 'CHANGED'}`,
  );
  return same;
}
