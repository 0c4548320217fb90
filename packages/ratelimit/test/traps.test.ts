import { createServer, type Server } from 'node:net';
import { createManualClock, freePort, type RedisServer, seededRandom, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { partitionKey, rateLimitHeaders, retryAfterSeconds } from '../src/http-answer.ts';
import { createRateLimiter, type Decision, type Policy } from '../src/index.ts';

/** What limiters of this field were found to get wrong, each once. Algorithms, Lua, memory and outbound have their own files. */
let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const hundred: Policy = { name: 'p', algorithm: 'fixed-window', limit: 100, windowMs: 3_600_000 };
const allowed = (decisions: readonly Decision[]): number =>
  decisions.filter((decision) => decision.allowed).length;

describe('clocks', () => {
  test.each(['gcra', 'fixed-window', 'sliding-counter', 'sliding-log', 'token-bucket'] as const)(
    'of processes that are off by 10 s either way mint no quota: %s',
    async (algorithm) => {
      const decisions: Promise<Decision>[] = [];
      for (const skewMs of [-10_000, 0, 10_000]) {
        const clock = { now: () => performance.now() + skewMs };
        const policies: Policy[] = [{ ...hundred, algorithm }];
        const limiter = createRateLimiter({
          name: `skew-${algorithm}`,
          redis,
          policies,
          clock,
          deadlineMs: 10_000,
        });
        for (let index = 0; index < 60; index++) decisions.push(limiter.consume('k'));
      }
      expect(allowed(await Promise.all(decisions))).toBe(100);
    },
  );

  test('windows of 30 days hold without a timer', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const policies: Policy[] = [{ ...hundred, limit: 5, windowMs: 30 * 86_400_000 }];
    const limiter = createRateLimiter({ name: 'month', policies, clock: createManualClock() });
    const decisions = await Promise.all(Array.from({ length: 60 }, () => limiter.consume('k')));
    for (let index = 0; index < 1000; index++) await limiter.consume(`k${index}`);
    expect(allowed(decisions)).toBe(5);
    expect(timers()).toBe(before);
  });
});

describe('records in Redis', () => {
  test.each([
    'gcra',
    'gcra-strict',
    'fixed-window',
    'sliding-counter',
    'sliding-log',
    'token-bucket',
  ] as const)('expire, also those of windows below a second: %s', async (algorithm) => {
    const limiter = createRateLimiter({
      name: `short-${algorithm}`,
      redis,
      policies: [{ name: 'p', algorithm, limit: 5, windowMs: 500 }],
      deadlineMs: 10_000,
    });
    await limiter.consume('k');
    await limiter.block('k', 700);
    for (const key of await redis.keys(`weir:ratelimit:short-${algorithm}:*`))
      expect(await redis.pttl(key)).toBeGreaterThan(0);
  });
});

describe('a Redis that is away', () => {
  test.each([
    ['ioredis', 'a refused port'],
    ['ioredis', 'a silent socket'],
    ['node-redis', 'a refused port'],
    ['node-redis', 'a silent socket'],
  ])('does not keep a request of %s waiting: %s', async (library, fault) => {
    let mute: Server | undefined;
    let port = await freePort();
    if (fault === 'a silent socket') {
      mute = createServer((socket) => void socket.on('error', () => {}));
      await new Promise<void>((resolve) => mute?.listen(0, '127.0.0.1', resolve));
      port = (mute.address() as { port: number }).port;
    }
    const away =
      library === 'ioredis'
        ? new Redis(port, '127.0.0.1', { retryStrategy: () => 50 })
        : createClient({ socket: { host: '127.0.0.1', port } });
    away.on('error', () => {});
    // It never ends, or ends when the client is closed.
    if (!(away instanceof Redis)) away.connect().catch(() => {});
    const limiter = createRateLimiter({
      name: 'away',
      redis: away,
      policies: [{ ...hundred, limit: 8 }],
      onStoreError: { mode: 'local', share: 0.5 },
      deadlineMs: 30,
    });
    const decisions = await Promise.all(Array.from({ length: 10 }, () => limiter.consume('k')));
    expect(decisions.map(({ source }) => source)).toEqual(Array(10).fill('local'));
    expect(allowed(decisions)).toBe(4);
    await expect(limiter.peek('k')).rejects.toMatchObject({ code: 'ERR_WEIR_RATELIMIT_STORE' });
    if (away instanceof Redis) away.disconnect();
    else away.destroy();
    mute?.close();
  });
});

describe('bad input', () => {
  const five: Policy = { ...hundred, limit: 5 };
  const stores = {
    memory: () => createRateLimiter({ name: 'bad', policies: [five] }),
    Redis: () => createRateLimiter({ name: 'bad', policies: [five], redis, deadlineMs: 10_000 }),
  };
  const numbers = [0, -5, -1, 0.5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1e300, '1', {}, null];

  test.each(Object.keys(stores))('is refused with a code and mints or burns nothing: %s', async (name) => {
    const limiter = stores[name as keyof typeof stores]();
    await limiter.consume('k', { cost: 2 });
    const code = 'ERR_WEIR_RATELIMIT_COST';
    for (const number of numbers as number[]) {
      await expect(limiter.consume('k', { cost: number })).rejects.toMatchObject({ code });
      await expect(limiter.peek('k', { cost: number })).rejects.toMatchObject({ code });
      await expect(limiter.reward('k', number)).rejects.toMatchObject({ code });
      await expect(limiter.penalize('k', number)).rejects.toMatchObject({ code });
    }
    await expect(limiter.consume('k', { cost: 6 })).rejects.toMatchObject({
      code: 'ERR_WEIR_RATELIMIT_COST_ABOVE_BURST',
    });
    for (const key of ['', 'x'.repeat(10_240), undefined, 7, ['k']] as string[]) {
      const calls = [limiter.consume(key), limiter.peek(key), limiter.reset(key), limiter.block(key, 1000)];
      const reasons = (await Promise.allSettled(calls)).map(
        (call) => call.status === 'rejected' && call.reason.code,
      );
      expect(reasons).toEqual(Array(4).fill('ERR_WEIR_RATELIMIT_KEY'));
    }
    for (const durationMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      await expect(limiter.block('k', durationMs)).rejects.toMatchObject({
        code: 'ERR_WEIR_RATELIMIT_OPTIONS',
      });
    expect((await limiter.peek('k')).policies[0]?.remaining).toBe(3);
    expect(limiter.stats().decisions.reduce((sum, { count }) => sum + count, 0)).toBe(1);
  });

  test.each(numbers.filter((number) => number !== 1))('no policy has a limit or window of %s', (number) => {
    const code = 'ERR_WEIR_RATELIMIT_POLICY';
    for (const policy of [
      { ...five, limit: number },
      { ...five, windowMs: number },
    ])
      expect(() => createRateLimiter({ name: 'bad', policies: [policy as Policy] })).toThrow(
        expect.objectContaining({ code }),
      );
  });

  test('a blocked key costs no more to deny than another, however many are blocked', async () => {
    const limiter = createRateLimiter({ name: 'many', policies: [five], clock: createManualClock() });
    for (let index = 0; index < 40_000; index++) await limiter.block(`k${index}`, 60_000);
    expect((await limiter.consume('k0')).allowed).toBe(false);
    expect((await limiter.consume('k39999')).allowed).toBe(false);
    expect((await limiter.consume('other')).allowed).toBe(true);
  });
});

describe('what clients are told', () => {
  const decision: Decision = {
    allowed: false,
    source: 'memory',
    cost: 1,
    retryAfterMs: 1001,
    violated: ['p'],
    policies: [{ name: 'p', limit: 5, windowMs: 1500, remaining: 0.9, resetMs: 4001, nextMs: 1001 }],
  };

  test('rounds times up and units down in every style', () => {
    const policies = [{ name: 'p', limit: 5, windowMs: 1500 }];
    const fields = (style: 'draft-11' | 'draft-7' | 'legacy') => rateLimitHeaders(style, policies, decision);
    expect(fields('draft-11')).toEqual({ 'ratelimit-policy': '"p";q=5;w=2', ratelimit: '"p";r=0;t=2' });
    expect(fields('draft-7').ratelimit).toBe('limit=5, remaining=0, reset=5');
    expect(fields('legacy')['x-ratelimit-reset']).toBe('5');
  });

  test('never sends a client back early, nor all clients at once', () => {
    const random = seededRandom(1);
    const seconds = Array.from({ length: 1000 }, () => retryAfterSeconds(60_000, random));
    expect(Math.min(...seconds)).toBeGreaterThanOrEqual(60);
    expect(Math.max(...seconds)).toBeLessThanOrEqual(66);
    expect(new Set(seconds).size).toBeGreaterThan(4);
    expect(retryAfterSeconds(1, () => 0)).toBe(1);
  });

  test('names a partition by a keyed hash', () => {
    const address = '203.0.113.7';
    expect(partitionKey('one secret of ours', address)).not.toBe(partitionKey('another of ours', address));
    expect(partitionKey('one secret of ours', address)).toMatch(/^:[\w+/]{16}:$/);
  });
});
