import { fork } from 'node:child_process';
import { join } from 'node:path';
import { createRateLimiter, type Policy, worstBurst } from '@weir/ratelimit';
import { startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { type Proof, rounded } from './report.ts';

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
const policies: Policy[] = names.map((algorithm) => ({ name: algorithm, algorithm, limit, windowMs }));

/** When a request left and when its answer came. */
type Trip = readonly [sentMs: number, answeredMs: number];

/**
 * Four processes whose clocks are off by −10, −3, +3 and +10 s attack one key of every algorithm at the windows' edges,
 * then the peers. A window counts the admissions whose whole trip lies inside it, so that answers which bunch up on a
 * busy machine are not taken for admissions that did.
 */
export async function proveExactness(): Promise<Proof> {
  const server = await startRedis();
  console.log('exactness: 4 processes, clocks skewed up to ±10 s, N = 100 per 1 s, attacked at the edges');
  let held = true;
  const rows: Record<string, object> = {};
  for (const [name, trips] of Object.entries(await attack(server.url, false))) {
    const most = mostIn(trips);
    const bound = worstBurst(policies.find((policy) => policy.name === name) as Policy);
    held &&= most <= bound && trips.length > limit;
    rows[name] = { admitted: trips.length, mostInAnyWindow: most / limit, bound: bound / limit };
    print(
      name,
      trips.length,
      most,
      `bound ${(bound / limit).toFixed(2)} ${most <= bound ? 'held' : 'EXCEEDED'}`,
    );
  }
  const unchanged = await denialsChangeNothing(server.url);
  const peers: Record<string, object> = {};
  for (const [name, trips] of Object.entries(await attack(server.url, true))) {
    const most = mostIn(trips);
    peers[name] = { admitted: trips.length, mostInAnyWindow: rounded(most / limit) };
    print(name, trips.length, most, '(peer)');
  }
  await server.stop();
  return {
    held: held && unchanged,
    figures: { limit, windowMs, algorithms: rows, denialsChangeNothing: unchanged, peers },
  };
}

function print(name: string, admitted: number, most: number, remark: string): void {
  console.log(
    `  ${name.padEnd(34)} admitted ${String(admitted).padStart(5)}, most in any window ÷ N = ${(most / limit).toFixed(2)}, ${remark}`,
  );
}

/** Trips of what was admitted, by arm, of all four processes together. */
async function attack(url: string, peers: boolean): Promise<Record<string, Trip[]>> {
  const workers = [-10_000, -3000, 3000, 10_000].map((skewMs, index) => {
    const options = JSON.stringify({ url, policies, limit, windowMs, skewMs, index, durationMs, peers });
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
  const arms = Object.keys(reports[0] ?? {});
  return Object.fromEntries(arms.map((arm) => [arm, reports.flatMap((report) => report[arm] ?? [])]));
}

/** The most trips that lie wholly inside any window. */
function mostIn(trips: readonly Trip[]): number {
  const answered = [...trips].sort((a, b) => a[1] - b[1]);
  let most = 0;
  let first = 0;
  for (const [from] of [...trips].sort((a, b) => a[0] - b[0])) {
    while (first < answered.length && (answered[first] as Trip)[1] < from) first++;
    let inside = 0;
    for (let index = first; index < answered.length; index++) {
      const [sentMs, answeredMs] = answered[index] as Trip;
      if (answeredMs > from + windowMs) break;
      if (sentMs >= from) inside++;
    }
    most = Math.max(most, inside);
  }
  return most;
}

async function denialsChangeNothing(url: string): Promise<boolean> {
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
