import { seededRandom } from '@weir/test-kit';
import { describe, expect, test } from 'vitest';
import {
  aimdLimit,
  type ConcurrencyLimit,
  createConcurrencyLimiter,
  createLoadShedder,
  gradient2Limit,
  type LoadShedder,
  vegasLimit,
} from '../src/overload/index.ts';
import { createManualClock, type SimulationOptions, simulateOverload } from '../src/testing/index.ts';

const workers = 10;
const serviceMs = 20;
const capacityPerMs = workers / serviceMs;

interface Result {
  goodput: number;
  refused: number;
  critical: number;
  p99Ms: number;
  limits: number[];
}

/** Runs one limit under a load given in capacities, and reports figures from `fromMs` on. */
async function under(
  makeLimit: () => ConcurrencyLimit,
  load: number,
  options: Partial<SimulationOptions> & { fromMs?: number } = {},
): Promise<Result> {
  const { fromMs = 5000, durationMs = 40_000 } = options;
  const counts = { good: 0, late: 0, refused: 0 };
  const critical = { good: 0, all: 0 };
  const latencies: number[] = [];
  const limits: number[] = [];
  let limit: ConcurrencyLimit | undefined;
  await simulateOverload({
    workers,
    serviceMs: () => serviceMs,
    arrivalsPerMs: () => load * capacityPerMs,
    timeoutMs: 500,
    durationMs,
    random: seededRandom(42),
    critical: 0.1,
    limiter: (clock) => {
      limit = makeLimit();
      return createConcurrencyLimiter({ limit, clock });
    },
    onOutcome: ({ arrivedMs, atMs, tier, result }) => {
      if (arrivedMs < fromMs) return;
      counts[result]++;
      if (tier === 'critical') {
        critical.all++;
        if (result === 'good') critical.good++;
      }
      if (result !== 'refused') latencies.push(atMs - arrivedMs);
      if (limits.length < Math.floor((atMs - fromMs) / 1000)) limits.push(limit?.limit ?? 0);
    },
    ...options,
  });
  latencies.sort((a, b) => a - b);
  return {
    goodput: counts.good / (durationMs - fromMs) / capacityPerMs,
    refused: counts.refused / (counts.good + counts.late + counts.refused),
    critical: critical.good / critical.all,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    limits,
  };
}

describe.each([
  ['Vegas', () => vegasLimit()],
  ['Gradient2', () => gradient2Limit()],
  ['AIMD', () => aimdLimit({ latencyMs: 100 })],
] as const)('%s before a service of known capacity', (_, limit) => {
  test('serves at least 93 % of capacity at 1.2 and 3 times of it, quickly, and critical requests nearly all', async () => {
    for (const load of [1.2, 3]) {
      const { goodput, critical, p99Ms } = await under(limit, load);
      expect(goodput).toBeGreaterThan(0.93);
      expect(critical).toBeGreaterThan(0.99);
      expect(p99Ms).toBeLessThan(300);
    }
  });

  test('loses at most a fifth of any three seconds to its probes at three times of capacity', async () => {
    const worst: number[] = [];
    for (let seed = 1; seed <= 6; seed++) {
      const good = new Array<number>(20).fill(0);
      await under(limit, 3, {
        durationMs: 60_000,
        random: seededRandom(seed),
        onOutcome: ({ arrivedMs, result }) => {
          if (result === 'good') (good[Math.floor(arrivedMs / 3000)] as number)++;
        },
      });
      // The first six seconds are learning, of the last some answers come after the end.
      worst.push(Math.min(...good.slice(2, 19)) / (3000 * capacityPerMs));
    }
    expect(Math.min(...worst)).toBeGreaterThan(0.8);
  });

  test('refuses next to nobody at 0.7 of capacity, also while service times vary', async () => {
    const refused: number[] = [];
    for (const seed of [2, 3, 5, 6, 42])
      refused.push((await under(limit, 0.7, { random: seededRandom(seed) })).refused);
    expect(refused.reduce((sum, share) => sum + share) / refused.length).toBeLessThan(0.001);
  });

  test('keeps serving critical requests while the service is three times slower, and finds its new capacity', async () => {
    const options = {
      serviceMs: (atMs: number) => (atMs > 20_000 ? serviceMs * 3 : serviceMs),
      fromMs: 22_000,
      durationMs: 60_000,
    };
    // Critical requests alone are 0.36 of what is left.
    const runs: Result[] = [];
    for (const seed of [1, 2, 5, 6])
      runs.push(await under(limit, 1.2, { ...options, random: seededRandom(seed) }));
    const mean = (value: (run: Result) => number): number =>
      runs.reduce((sum, run) => sum + value(run), 0) / runs.length;
    expect(mean(({ critical }) => critical)).toBeGreaterThan(0.99);
    expect(mean(({ goodput }) => goodput * 3)).toBeGreaterThan(0.93);
  });

  test('does not drift in 20 minutes at 1.2 of capacity', async () => {
    const { limits, goodput } = await under(limit, 1.2, { durationMs: 1_200_000, fromMs: 60_000 });
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const early = mean(limits.slice(0, 120));
    const late = mean(limits.slice(-120));
    expect(Math.abs(late - early) / early).toBeLessThan(0.3);
    expect(goodput).toBeGreaterThan(0.93);
  });

  test('recovers its goodput after the service was three times slower for 20 s', async () => {
    const { goodput } = await under(limit, 1.2, {
      serviceMs: (atMs) => (atMs > 20_000 && atMs < 40_000 ? serviceMs * 3 : serviceMs),
      durationMs: 80_000,
      fromMs: 55_000,
    });
    expect(goodput).toBeGreaterThan(0.93);
  });
});

describe('a concurrency limiter', () => {
  test('as a bulkhead runs so many at once and refuses the rest without a queue', async () => {
    const limiter = createConcurrencyLimiter({ limit: 2, tiers: [{ name: 'all' }], queue: false });
    const permits = await Promise.all([1, 2, 3].map(() => limiter.acquire()));
    expect(permits.map((permit) => permit !== undefined)).toEqual([true, true, false]);
    permits[0]?.release();
    permits[0]?.release();
    expect(limiter.stats()).toMatchObject({ inFlight: 1, admitted: 2, refused: 1 });
    await expect(limiter.run(async () => 'done')).resolves.toBe('done');
    const held = limiter.tryAcquire();
    await expect(limiter.run(async () => 'never')).rejects.toMatchObject({
      code: 'ERR_WEIR_RATELIMIT_OVERLOADED',
    });
    held?.release();
    await expect(limiter.run(() => Promise.reject(new Error('own')))).rejects.toThrow('own');
    expect(limiter.stats().inFlight).toBe(1);
  });

  test('keeps room that lower tiers cannot take', async () => {
    const limiter = createConcurrencyLimiter({ limit: 10, queue: false });
    const normal = await Promise.all(
      Array.from({ length: 12 }, () => limiter.acquire({ tier: 'background' })),
    );
    expect(normal.filter((permit) => permit !== undefined)).toHaveLength(8);
    const critical = await Promise.all(
      Array.from({ length: 3 }, () => limiter.acquire({ tier: 'critical' })),
    );
    expect(critical.filter((permit) => permit !== undefined)).toHaveLength(2);
    expect(() => limiter.tryAcquire({ tier: 'typo' })).toThrow(/tier/);
  });

  test('serves a short queue in order, a standing one newest first, and drops who waited too long', async () => {
    const clock = createManualClock();
    const queue = { targetMs: 20, intervalMs: 100 };
    const limiter = createConcurrencyLimiter({ limit: 1, tiers: [{ name: 'all' }], queue, clock });
    const order: string[] = [];
    let held = await limiter.acquire();
    const wait = (name: string): Promise<void> =>
      limiter.acquire().then((permit) => {
        order.push(permit === undefined ? `${name} dropped` : name);
        if (permit !== undefined) held = permit;
      });
    const next = async (): Promise<void> => {
      held?.release();
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    };
    const all = [wait('a'), wait('b'), wait('c')];
    clock.advance(10);
    await next();
    clock.advance(80);
    all.push(wait('d'));
    await next();
    // Not empty for more than the interval: the queue stands. `c` has waited 105 ms, `d` 15 ms, `e` 0.
    clock.advance(15);
    all.push(wait('e'));
    await next();
    await next();
    await Promise.all(all);
    expect(order).toEqual(['a', 'b', 'c dropped', 'e', 'd']);
  });

  test('does not lose patience with one tier because another tier’s queue stands', async () => {
    const clock = createManualClock();
    const queue = { targetMs: 20, intervalMs: 100 };
    const limiter = createConcurrencyLimiter({ limit: 1, queue, clock });
    const held = await limiter.acquire();
    const background = [limiter.acquire({ tier: 'background' })];
    clock.advance(95);
    background.push(limiter.acquire({ tier: 'background' }));
    clock.advance(6);
    const critical = limiter.acquire({ tier: 'critical' });
    clock.advance(50);
    held?.release();
    expect(await critical).toBeDefined();
    expect(await Promise.all(background)).toEqual([undefined, undefined]);
  });

  test('a full queue drops the least important first; an aborted request leaves it', async () => {
    const limiter = createConcurrencyLimiter({ limit: 1, queue: { maxLength: 1 } });
    const held = await limiter.acquire();
    const background = limiter.acquire({ tier: 'background' });
    const abort = new AbortController();
    const normal = limiter.acquire({ tier: 'normal', signal: abort.signal });
    expect(await background).toBeUndefined();
    expect(await limiter.acquire({ tier: 'background' })).toBeUndefined();
    abort.abort();
    expect(await normal).toBeUndefined();
    expect(limiter.stats().queued).toBe(0);
    held?.release();
  });

  test.each([0, 1.5, Number.NaN])('refuses the limit %s', (limit) => {
    expect(() => createConcurrencyLimiter({ limit })).toThrow(/positive whole number/);
  });
});

describe('a load shedder', () => {
  const load = { delayMs: 0, utilization: 0.5 };
  const make = () => createLoadShedder({ measure: () => load, random: seededRandom(1), sampleMs: 1e9 });
  const underLoad = (shedder: LoadShedder, samples: number) => {
    for (let index = 0; index < samples; index++) {
      shedder.sheds('critical');
      shedder.sample();
    }
  };

  test('sheds the least important first, holds between its bounds, and ends by steps', () => {
    const shedder = make();
    const shares = () =>
      ['critical', 'normal', 'background'].map((tier) => {
        let shed = 0;
        for (let index = 0; index < 1000; index++) shed += Number(shedder.sheds(tier));
        return Math.round(shed / 100) / 10;
      });
    shedder.sample();
    expect([shedder.level, ...shares()]).toEqual([0, 0, 0, 0]);
    Object.assign(load, { delayMs: 150, utilization: 1 });
    underLoad(shedder, 2);
    expect(shares()).toEqual([0, 0, 0.9]);
    underLoad(shedder, 2);
    const [critical, normal, background] = shares();
    expect([critical, background]).toEqual([0, 1]);
    expect(normal).toBeGreaterThan(0.6);
    const { level } = shedder;
    Object.assign(load, { delayMs: 80, utilization: 0.9 });
    for (let index = 0; index < 20; index++) shedder.sample();
    expect(shedder.level).toBe(level);
    load.delayMs = 10;
    for (let index = 0; index < 20; index++) shedder.sample();
    expect([shedder.level, ...shares()]).toEqual([0, 0, 0, 0]);
    shedder.close();
  });

  test('does not shed for one late tick more than its step', () => {
    const shedder = make();
    Object.assign(load, { delayMs: 5000, utilization: 1 });
    underLoad(shedder, 1);
    expect(shedder.level).toBe(0.2);
    shedder.close();
  });

  test('a loop that is late while nobody asks does not shed who asks next', () => {
    const shedder = make();
    Object.assign(load, { delayMs: 5000, utilization: 1 });
    for (let index = 0; index < 50; index++) shedder.sample();
    expect([shedder.level, shedder.sheds('background')]).toEqual([0, false]);
    shedder.close();
  });

  test.each([10, 55])(
    'a loop blocked for 60 ms in each turn is late, sampled each %s ms',
    async (sampleMs) => {
      const shedder = createLoadShedder({ sampleMs, maxDelayMs: 40 });
      for (let turn = 0; turn < 12; turn++) {
        shedder.sheds();
        const endMs = performance.now() + 60;
        while (performance.now() < endMs);
        await new Promise(setImmediate);
      }
      expect(shedder.level).toBeGreaterThan(0.9);
      shedder.close();
    },
  );

  test('a busy loop that is not late is no overload', () => {
    const shedder = make();
    Object.assign(load, { delayMs: 3, utilization: 1 });
    underLoad(shedder, 50);
    expect(shedder.level).toBe(0);
    shedder.close();
  });
});
