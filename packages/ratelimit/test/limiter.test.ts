import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { createManualClock, type RedisServer, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRateLimiter, type LimitKey, type Policy, RateLimitError } from '../src/index.ts';

const tenPerSecond: Policy = { name: 'per-client', algorithm: 'gcra', limit: 10, windowMs: 1000 };

describe('a limiter in memory', () => {
  test('allows the burst, denies the next, and allows again after the time it named', async () => {
    const clock = createManualClock();
    const limiter = createRateLimiter({ name: 'a', policies: [tenPerSecond], clock });
    for (let index = 0; index < 10; index++) expect((await limiter.consume('k')).allowed).toBe(true);
    const denied = await limiter.consume('k');
    expect(denied).toEqual({
      allowed: false,
      source: 'memory',
      cost: 1,
      retryAfterMs: 100,
      violated: ['per-client'],
      policies: [{ name: 'per-client', limit: 10, windowMs: 1000, remaining: 0, resetMs: 1000, nextMs: 100 }],
    });
    clock.advance(denied.retryAfterMs);
    expect((await limiter.consume('k')).allowed).toBe(true);
    expect((await limiter.consume('other')).allowed).toBe(true);
  });

  test('debits no policy when one of them denies, and names that one', async () => {
    const clock = createManualClock();
    const day: Policy = { name: 'daily', algorithm: 'fixed-window', limit: 3, windowMs: 86_400_000 };
    const limiter = createRateLimiter({ name: 'a', policies: [tenPerSecond, day], clock });
    await limiter.consume('k', { cost: 2 });
    const denied = await limiter.consume('k', { cost: 2 });
    expect(denied.violated).toEqual(['daily']);
    expect(denied.policies.map((policy) => policy.remaining)).toEqual([8, 1]);
    expect((await limiter.consume('k')).allowed).toBe(true);
  });

  test.each([0, -5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1' as unknown as number])(
    'refuses the cost %s and touches no quota',
    async (cost) => {
      const limiter = createRateLimiter({ name: 'a', policies: [tenPerSecond], clock: createManualClock() });
      await expect(limiter.consume('k', { cost })).rejects.toMatchObject({ code: 'ERR_WEIR_RATELIMIT_COST' });
      expect((await limiter.consume('k')).policies[0]?.remaining).toBe(9);
    },
  );

  test('tells a cost above the burst from a denial', async () => {
    const limiter = createRateLimiter({ name: 'a', policies: [tenPerSecond] });
    await expect(limiter.consume('k', { cost: 11 })).rejects.toMatchObject({
      code: 'ERR_WEIR_RATELIMIT_COST_ABOVE_BURST',
    });
  });

  test.each(['', 'x'.repeat(10_000), undefined as unknown as string])(
    'refuses an unusable key',
    async (key) => {
      const limiter = createRateLimiter({ name: 'a', policies: [tenPerSecond] });
      await expect(limiter.consume(key)).rejects.toBeInstanceOf(RateLimitError);
      expect(limiter.stats().keys).toBe(0);
    },
  );

  test('counts every decision once and announces itself, also to a subscriber that comes late', async () => {
    const limiter = createRateLimiter({
      name: 'counted',
      policies: [tenPerSecond],
      clock: createManualClock(),
    });
    const denials: unknown[] = [];
    const onDenied = (message: unknown): void => void denials.push(message);
    subscribe('weir:ratelimit:denied', onDenied);
    for (let index = 0; index < 12; index++) await limiter.consume('k');
    unsubscribe('weir:ratelimit:denied', onDenied);
    expect(limiter.stats()).toEqual({
      decisions: [
        { decision: 'allowed', source: 'memory', count: 10 },
        { decision: 'denied', source: 'memory', count: 2 },
      ],
      violations: [{ policy: 'per-client', count: 2 }],
      shadowDenials: 0,
      redisErrors: 0,
      logErrors: 0,
      keys: 1,
    });
    expect(denials[0]).toEqual({
      limiter: 'counted',
      policies: ['per-client'],
      cost: 1,
      retryAfterMs: 100,
      source: 'memory',
    });
    const { channel } = await import('node:diagnostics_channel');
    const found: unknown[] = [];
    const discover = channel('weir:ratelimit:discover');
    discover.publish({ announce: (other: unknown) => found.push(other) });
    expect(found).toContain(limiter);
    await limiter.close();
    found.length = 0;
    discover.publish({ announce: (other: unknown) => found.push(other) });
    expect(found).not.toContain(limiter);
    await expect(limiter.consume('k')).rejects.toMatchObject({ code: 'ERR_WEIR_RATELIMIT_CLOSED' });
  });
});

describe('a limiter on Redis', () => {
  let server: RedisServer;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    redis.on('error', () => {});
  });

  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  const perHour: Policy = { name: 'per-client', algorithm: 'gcra', limit: 10, windowMs: 3_600_000 };

  test('shares one quota between processes of one name', async () => {
    const one = createRateLimiter({ name: 'shared', redis, policies: [perHour], deadlineMs: 5000 });
    const two = createRateLimiter({ name: 'shared', redis, policies: [perHour], deadlineMs: 5000 });
    const decisions = await Promise.all(
      Array.from({ length: 40 }, (_, index) => (index % 2 ? one : two).consume('k')),
    );
    expect(decisions.filter((decision) => decision.allowed)).toHaveLength(10);
    expect(decisions.every((decision) => decision.source === 'redis')).toBe(true);
  });

  test('numbers merged requests of one tick as if they had come one by one', async () => {
    const limiter = createRateLimiter({ name: 'merged', redis, policies: [perHour], deadlineMs: 5000 });
    const decisions = await Promise.all(Array.from({ length: 12 }, () => limiter.consume('k')));
    expect(decisions.map((decision) => decision.policies[0]?.remaining)).toEqual([
      9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0,
    ]);
    expect(decisions.map((decision) => decision.violated.length)).toEqual([...Array(10).fill(0), 1, 1]);
  });

  test('decides on after SCRIPT FLUSH without counting twice', async () => {
    const limiter = createRateLimiter({ name: 'flushed', redis, policies: [perHour], deadlineMs: 5000 });
    await limiter.consume('k');
    await redis.script('FLUSH');
    expect((await limiter.consume('k')).policies[0]?.remaining).toBe(8);
  });

  test.each([
    'gcra',
    'gcra-strict',
    'fixed-window',
    'sliding-counter',
    'sliding-log',
    'token-bucket',
  ] as const)(
    'keeps the usage of policies that are given in another order, and lends none to a renamed one: %s',
    async (algorithm) => {
      const policy = { algorithm, limit: 100, windowMs: 3_600_000 };
      const burst = algorithm.startsWith('gcra') ? { burst: 50 } : {};
      const day: Policy = { ...policy, ...burst, name: 'day', limit: 200 };
      const hour: Policy = { ...policy, ...burst, name: 'hour' };
      const user: Policy = {
        name: 'user',
        algorithm: 'fixed-window',
        limit: 50,
        windowMs: 1000,
        key: 'user',
      };
      const whole: Policy = { ...user, name: 'whole', limit: 500, windowMs: 3_600_000 };
      const used = async (policies: Policy[], key: LimitKey, taken = 0): Promise<Record<string, number>> => {
        const limiter = createRateLimiter({ name: `order-${algorithm}`, redis, policies, deadlineMs: 5000 });
        if (taken > 0) await limiter.consume(key, { cost: taken });
        const full = await limiter.peek(typeof key === 'string' ? 'fresh' : { user: 'fresh' });
        const { policies: states } = await limiter.peek(key);
        return Object.fromEntries(
          states.map(({ name, remaining }, index) => [
            name,
            (full.policies[index]?.remaining ?? 0) - remaining,
          ]),
        );
      };
      const penalized = createRateLimiter({
        name: `order-${algorithm}`,
        redis,
        policies: [hour, day],
        deadlineMs: 5000,
      });
      await penalized.consume('k', { cost: 7 });
      await penalized.consume('k', { cost: 3, limits: { day: { limit: 200 } } });
      expect(await used([hour, day], 'k')).toEqual({ hour: 10, day: 10 });
      expect(await used([day, hour], 'k')).toEqual({ hour: 10, day: 10 });
      expect(await used([{ ...day, name: 'a' }, hour], 'k')).toEqual({ hour: 0, a: 0 });
      const keyed = [hour, day].map((shared) => ({ ...shared, key: 'user' }) as Policy);
      await used([user, whole, ...keyed], { user: 'u' }, 4);
      const reversed = await used([...keyed, whole, user].reverse(), { user: 'u' });
      expect(reversed).toMatchObject({ whole: 4, hour: 4, day: 4 });
    },
  );

  test.each([
    [50, 60],
    [60, 50],
    [7, 1],
    [1, 7],
  ])(
    'carries a sliding log over when its limit changes from %i to %i, and what stands beside it',
    async (from, to) => {
      const day: Policy = { name: 'day', algorithm: 'fixed-window', limit: 1000, windowMs: 86_400_000 };
      const left = async (limit: number, beside: Policy[], cost = 0): Promise<number[]> => {
        const log: Policy = { name: 'log', algorithm: 'sliding-log', limit, windowMs: 3_600_000 };
        const name = `log-${from}-${to}-${beside.length}`;
        const limiter = createRateLimiter({ name, redis, policies: [log, ...beside], deadlineMs: 5000 });
        for (let unit = 0; unit < cost; unit++) await limiter.consume('k');
        return (await limiter.peek('k')).policies.map(({ remaining }) => remaining);
      };
      const other: Policy = { name: 'other', algorithm: 'sliding-log', limit: 90, windowMs: 3_600_000 };
      for (const beside of [[], [day, other], [{ ...other, name: 'before' }, day]]) {
        expect(await left(from, beside, from)).toEqual([0, ...beside.map(({ limit }) => limit - from)]);
        expect(await left(to, beside)).toEqual([
          Math.max(0, to - from),
          ...beside.map(({ limit }) => limit - from),
        ]);
        expect((await left(to, beside, 3))[0]).toBe(Math.max(0, to - from - 3));
        const now = from + Math.max(0, Math.min(3, to - from));
        expect((await left(from, beside))[0]).toBe(Math.max(0, from - now));
        await redis.del(await redis.keys(`weir:ratelimit:log-${from}-${to}-*`));
      }
    },
  );

  test('leaves every record with an expiry', async () => {
    const keys = await redis.keys('weir:ratelimit:*');
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(await redis.pttl(key)).toBeGreaterThan(0);
  });

  test('publishes every call of Redis with what came of it', async () => {
    const events: unknown[] = [];
    const onCall = (message: unknown): void => void events.push(message);
    const durationMs = expect.any(Number);
    subscribe('weir:ratelimit:redis', onCall);
    const limiter = createRateLimiter({ name: 'published', redis, policies: [perHour], deadlineMs: 5000 });
    await limiter.consume('k');
    await limiter.reward('k', 1);
    redis.callBuffer = () => Promise.reject(new Error('gone'));
    await limiter.consume('k');
    Reflect.deleteProperty(redis, 'callBuffer');
    unsubscribe('weir:ratelimit:redis', onCall);
    expect(events).toEqual([
      { limiter: 'published', operation: 'decide', durationMs, outcome: 'ok' },
      { limiter: 'published', operation: 'adjust', durationMs, outcome: 'ok' },
      { limiter: 'published', operation: 'decide', durationMs, outcome: 'error' },
    ]);
  });

  test('hears of a client that connects by one listener an event, however many limiters and calls wait', async () => {
    const connecting = Object.assign(new EventEmitter(), {
      status: 'connecting',
      options: {},
      connect: () => Promise.resolve(),
      duplicate: () => connecting,
      callBuffer: () => Promise.reject(new Error('not yet')),
    });
    const limiters = Array.from({ length: 20 }, (_, index) =>
      createRateLimiter({ name: `n${index}`, redis: connecting, policies: [perHour], deadlineMs: 20 }),
    );
    const decisions = await Promise.all(limiters.map((limiter) => limiter.consume('k')));
    expect(decisions.map(({ source }) => source)).toEqual(Array(20).fill('open'));
    for (const event of ['ready', 'close', '-node']) expect(connecting.listenerCount(event)).toBe(1);
  });
});
