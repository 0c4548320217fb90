import { BlockList } from 'node:net';
import { decorateLink, linkOf } from '@weir/redis';
import { createManualClock, type RedisServer, seededRandom, startRedis } from '@weir/test-kit';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRateLimiter, type Decision, ipKey, type Policy } from '../src/index.ts';

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

const perHour: Policy = { name: 'p', algorithm: 'fixed-window', limit: 30, windowMs: 3_600_000 };
const deadlineMs = 10_000;

/** EVALSHA calls that the server has seen. */
async function trips(): Promise<number> {
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
}

function sources(decisions: readonly Decision[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { allowed, source } of decisions) {
    const name = `${source} ${allowed ? 'allowed' : 'denied'}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe('trips to Redis', () => {
  test('up to 64 keys of one tick travel in one', async () => {
    const limiter = createRateLimiter({ name: 'many', redis, policies: [perHour], deadlineMs });
    await limiter.consume('warm-up');
    const before = await trips();
    await Promise.all(Array.from({ length: 128 }, (_, index) => limiter.consume(`k${index}`)));
    expect((await trips()) - before).toBe(2);
  });

  test('a denied key is denied again without one, for the same cost and above', async () => {
    const limiter = createRateLimiter({ name: 'denied', redis, policies: [perHour], deadlineMs });
    await limiter.consume('k', { cost: 28 });
    const first = await limiter.consume('k', { cost: 5 });
    const before = await trips();
    const dearer = await limiter.consume('k', { cost: 6 });
    expect(await trips()).toBe(before);
    expect([first.source, dearer.source, dearer.allowed, dearer.cost]).toEqual([
      'redis',
      'deny_cache',
      false,
      6,
    ]);
    expect(dearer.retryAfterMs).toBeLessThanOrEqual(first.retryAfterMs);
    expect((await limiter.consume('k', { cost: 2 })).allowed).toBe(true);
    await limiter.reset('k');
    expect((await limiter.consume('k', { cost: 5 })).allowed).toBe(true);
  });

  test('a remembered denial ends when its time is up', async () => {
    const clock = createManualClock();
    const limiter = createRateLimiter({ name: 'ends', redis, policies: [perHour], deadlineMs, clock });
    await limiter.consume('k', { cost: 30 });
    expect((await limiter.consume('k')).source).toBe('redis');
    clock.advance(999);
    expect((await limiter.consume('k')).source).toBe('deny_cache');
    clock.advance(1);
    expect((await limiter.consume('k')).source).toBe('redis');
  });
});

describe('leases', () => {
  test('serve most requests in the process, and never more in all than the quota', async () => {
    const options = {
      name: 'leased',
      redis,
      policies: [perHour],
      deadlineMs,
      lease: { units: 10, ttlMs: 60_000 },
    };
    const limiters = [createRateLimiter(options), createRateLimiter(options), createRateLimiter(options)];
    const random = seededRandom(3);
    const decisions: Decision[] = [];
    for (let index = 0; index < 90; index++) {
      const limiter = limiters[Math.floor(random() * 3)] as (typeof limiters)[number];
      decisions.push(await limiter.consume('k'));
    }
    expect(decisions.filter((decision) => decision.allowed)).toHaveLength(30);
    expect(sources(decisions)['lease allowed']).toBeGreaterThan(12);
  });

  test('give back on close what they did not use, to the unit', async () => {
    const options = { name: 'returned', redis, policies: [perHour], deadlineMs };
    const leased = createRateLimiter({ ...options, lease: { units: 10, ttlMs: 60_000 } });
    for (let index = 0; index < 7; index++) await leased.consume('k');
    const plain = createRateLimiter(options);
    expect((await plain.peek('k')).policies[0]?.remaining).toBeLessThan(23);
    await leased.close();
    expect((await plain.peek('k')).policies[0]?.remaining).toBe(23);
  });

  test.each(['flight', 'the same turn'])(
    'give back on close what a trip in %s brings, and every close waits for that',
    async (when) => {
      const options = { name: `brought-${when.length}`, redis, deadlineMs };
      const policies: Policy[] = [{ ...perHour, limit: 1000 }];
      const leased = createRateLimiter({ ...options, policies, lease: { units: 100, ttlMs: 60_000 } });
      for (let index = 0; index < 100; index++) await leased.consume('k');
      const calls = Array.from({ length: 150 }, () => leased.consume('k'));
      if (when === 'flight') await new Promise((resolve) => setImmediate(resolve));
      const closes = [leased.close(), leased.close()];
      expect(closes[0]).toBe(closes[1]);
      await closes[1];
      const allowed = (await Promise.all(calls)).filter((decision) => decision.allowed).length;
      const plain = createRateLimiter({ ...options, policies });
      expect((await plain.peek('k')).policies[0]?.remaining).toBe(900 - allowed);
    },
  );

  test('ask Redis twice a second whether another process blocked the key, and keep what they hold', async () => {
    const clock = createManualClock();
    const options = { redis, policies: [{ ...perHour, limit: 1000 }], deadlineMs, clock };
    const lease = { units: 100, ttlMs: 60_000 };
    for (const change of ['block', 'nothing', 'outage'] as const) {
      const name = `checked-${change}`;
      const serving = createRateLimiter({ ...options, name, lease });
      const other = createRateLimiter({ ...options, name });
      for (let request = 0; request < 100; request++) await serving.consume('k');
      if (change === 'block') await other.block('k', 60_000);
      clock.advance(499);
      expect((await serving.consume('k')).source).toBe('lease');
      clock.advance(1);
      if (change === 'outage') redis.callBuffer = () => Promise.reject(new Error('gone'));
      const checked = await serving.consume('k');
      Reflect.deleteProperty(redis, 'callBuffer');
      const next = await serving.consume('k');
      const found = [checked.source, checked.allowed, next.source, next.allowed];
      const expected = {
        block: ['redis', false, 'deny_cache', false],
        nothing: ['redis', true, 'lease', true],
        outage: ['open', true, 'lease', true],
      };
      expect([change, ...found]).toEqual([change, ...expected[change]]);
      await serving.close();
      const used = { block: 101, nothing: 103, outage: 102 }[change];
      await other.unblock('k');
      const { remaining = 0 } = (await other.peek('k')).policies[0] ?? {};
      // A block drops what is held: it does not come back before its time.
      if (change === 'block') expect(remaining).toBeLessThanOrEqual(1000 - used);
      else expect(remaining).toBe(1000 - used);
    }
  });

  test('expire by the clock and then ask Redis again', async () => {
    const clock = createManualClock();
    const lease = { units: 10, ttlMs: 500 };
    const limiter = createRateLimiter({
      name: 'expiring',
      redis,
      policies: [perHour],
      deadlineMs,
      lease,
      clock,
    });
    await Promise.all([limiter.consume('k'), limiter.consume('k')]);
    await limiter.consume('k');
    expect((await limiter.consume('k')).source).toBe('lease');
    const half = await limiter.consume('k');
    clock.advance(500);
    const after = await limiter.consume('k');
    expect([half.allowed, after.source, after.allowed]).toEqual([true, 'redis', true]);
    await limiter.close();
    const plain = createRateLimiter({ name: 'expiring', redis, policies: [perHour], deadlineMs });
    expect((await plain.peek('k')).policies[0]?.remaining).toBe(24);
  });
});

describe('the share of a process while Redis is away', () => {
  test.each([
    ['gcra', 0.5, { limit: 1000 }, 500],
    ['gcra', 0.5, { limit: 8, burst: 4 }, 2],
    ['gcra-strict', 1, { limit: 100, burst: 50 }, 50],
    ['fixed-window', 1, { limit: 1000 }, 1000],
    ['fixed-window', 0.5, { limit: 1 }, 1],
    ['sliding-counter', 0.25, { limit: 100 }, 25],
    ['token-bucket', 0.5, { limit: 100 }, 50],
    ['sliding-log', 0.5, { windowMs: 1000 }, 15],
  ] as const)(
    'is one of the limits that a request brings: %s, %d, %j',
    async (algorithm, share, limits, expected) => {
      const link = decorateLink(linkOf(redis), () => Promise.reject(new Error('gone')));
      const limiter = createRateLimiter({
        name: 'away',
        redis: link,
        clock: createManualClock(),
        onStoreError: { mode: 'local', share },
        policies: [{ ...perHour, algorithm }],
      });
      const ask = { limits: { p: limits } };
      let decision = await limiter.consume('k', ask);
      const first = decision;
      let allowed = 0;
      for (; decision.allowed; allowed++) decision = await limiter.consume('k', ask);
      expect([decision.source, allowed]).toEqual(['local', expected]);
      expect(await limiter.refund('k', first)).toBe(true);
      const again = [await limiter.consume('k', ask), await limiter.consume('k', ask)];
      expect(again.map((one) => one.allowed)).toEqual([true, false]);
    },
  );
});

describe.each(['memory', 'Redis'] as const)('a refund in %s', (store) => {
  const options = {
    policies: [perHour, { ...perHour, name: 'shadow', limit: 3, shadow: true }],
    deadlineMs,
  };

  test('counts a decision and its shallow copies once', async () => {
    const limiter = createRateLimiter({
      ...options,
      ...(store === 'memory' ? {} : { redis }),
      name: 'copies',
    });
    for (const limits of [undefined, { p: { limit: 60 } }]) {
      await limiter.reset('k');
      const ask = limits === undefined ? {} : { limits };
      for (let index = 0; index < 4; index++) await limiter.consume('k', ask);
      const decision = await limiter.consume('k', ask);
      expect(decision.violated).toEqual(['shadow']);
      const copies = [{ ...decision, request: 7 }, decision, Object.assign({}, decision)];
      const refunds: boolean[] = [];
      for (const copy of copies) refunds.push(await limiter.refund('k', copy));
      expect(refunds).toEqual([true, false, false]);
      expect((await limiter.peek('k')).policies[0]?.remaining).toBe(26);
    }
  });

  test('refuses deep copies and other values with a code, and gives nothing back', async () => {
    const limiter = createRateLimiter({
      ...options,
      ...(store === 'memory' ? {} : { redis }),
      name: 'deep-copies',
    });
    let decision = await limiter.consume('k');
    for (let index = 0; index < 3; index++) decision = await limiter.consume('k');
    for (const wrong of [structuredClone(decision), JSON.parse(JSON.stringify(decision)), {}, null, 'k'])
      await expect(limiter.refund('k', wrong)).rejects.toMatchObject({ code: 'ERR_WEIR_RATELIMIT_DECISION' });
    expect((await limiter.peek('k')).policies[0]?.remaining).toBe(26);
  });
});

describe('lists and modes', () => {
  test('the allow list wins over the deny list; ranges hold addresses and prefixes', async () => {
    const limiter = createRateLimiter({
      name: 'lists',
      policies: [{ ...perHour, limit: 1 }],
      allow: ['10.1.0.0/16', 'key:partner'],
      deny: ['10.0.0.0/8', '2001:db8::/32'],
    });
    const answers = [
      '10.1.2.3',
      'key:partner',
      '10.2.0.1',
      '2001:db8:7::/56',
      '2001:db9::1',
      '::ffff:10.2.0.1',
    ];
    const decisions = await Promise.all(answers.map((key) => limiter.consume(key)));
    expect(decisions.map(({ allowed, listed }) => `${allowed} ${listed}`)).toEqual([
      'true allow',
      'true allow',
      'false deny',
      'false deny',
      'true undefined',
      'false deny',
    ]);
    expect(() => createRateLimiter({ name: 'x', policies: [perHour], deny: ['10.0.0.0/33'] })).toThrow(
      /CIDR/,
    );
  });

  test('a listed address denies the IPv6 prefix that its key stands for, and allows one only as a whole', () => {
    const listed = (list: 'allow' | 'deny', entry: string, key: string): Promise<string | undefined> =>
      createRateLimiter({ name: 'prefixes', policies: [perHour], [list]: [entry] })
        .consume(key)
        .then((decision) => decision.listed);
    const address = fc.ipV6();
    return fc.assert(
      fc.asyncProperty(
        address,
        address,
        fc.integer({ min: 0, max: 128 }),
        fc.integer({ min: 32, max: 128 }),
        fc.boolean(),
        async (one, other, bits, ipv6Prefix, near) => {
          const key = ipKey(near ? one : other, { ipv6Prefix });
          if (!key.includes('/')) return;
          const entry = `${one}/${bits}`;
          // Two prefixes share addresses when the longer one begins like the shorter one.
          const within = (length: number): boolean => {
            const shared = new BlockList();
            shared.addSubnet(one, length, 'ipv6');
            return shared.check(key.slice(0, key.indexOf('/')), 'ipv6');
          };
          const overlaps = within(Math.min(bits, ipv6Prefix));
          expect(await listed('deny', entry, key)).toBe(overlaps ? 'deny' : undefined);
          expect(await listed('allow', entry, key)).toBe(
            overlaps && bits <= ipv6Prefix ? 'allow' : undefined,
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  test('addresses match in whatever notation either is written', async () => {
    for (const [entry, key] of [
      ['::ffff:203.0.113.7', '203.0.113.7'],
      ['203.0.113.0/24', '::ffff:cb00:7107'],
      ['::ffff:203.0.113.0/120', '203.0.113.7'],
      ['2001:DB8::bad', ipKey('2001:db8:0:1::1')],
      ['fe80::1%eth0', ipKey('fe80::1%eth0')],
    ] as const) {
      const limiter = createRateLimiter({ name: 'notations', policies: [perHour], deny: [entry] });
      expect([entry, (await limiter.consume(key)).listed]).toEqual([entry, 'deny']);
      expect((await limiter.consume('198.51.100.1')).listed).toBeUndefined();
    }
    for (const wrong of ['10.0.0.0/33', '::/129', '10.0.0.0/8/8', '10.0.0.0/', '::1/-1'])
      expect(() => createRateLimiter({ name: 'x', policies: [perHour], deny: [wrong] })).toThrow(/CIDR/);
  });

  test('shadow mode allows everything and counts what it would have denied', async () => {
    const limiter = createRateLimiter({
      name: 'shadow',
      policies: [{ ...perHour, limit: 2 }],
      mode: 'shadow',
    });
    const decisions = await Promise.all([1, 2, 3, 4].map(() => limiter.consume('k')));
    expect(decisions.every((decision) => decision.allowed)).toBe(true);
    expect(decisions.map((decision) => decision.violated.length)).toEqual([0, 0, 1, 1]);
    await limiter.block('k', 1000);
    expect((await limiter.consume('k')).allowed).toBe(true);
    expect(limiter.stats().violations).toEqual([{ policy: 'p', count: 3 }]);
  });

  test('decision logs are a sample, drawn with the given randomness', async () => {
    const seen: string[] = [];
    const limiter = createRateLimiter({
      name: 'logged',
      policies: [perHour],
      random: seededRandom(1),
      decisionLog: { sample: 0.25, write: ({ key }) => void seen.push(key) },
    });
    for (let index = 0; index < 400; index++) await limiter.consume(`k${index}`);
    expect(seen.length).toBeGreaterThan(60);
    expect(seen.length).toBeLessThan(140);
  });

  test('a decision log that fails fails no request: it is counted, and the first failure is a warning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const writes = {
      throws: () => {
        throw new Error('disk full');
      },
      rejects: async () => {
        throw new Error('disk full');
      },
    };
    for (const [name, write] of Object.entries(writes)) {
      const log = { decisionLog: { sample: 1, write } };
      for (const store of [{}, { redis, deadlineMs }]) {
        const limiter = createRateLimiter({ name: `log-${name}`, policies: [perHour], ...store, ...log });
        const decisions = await Promise.all([limiter.consume('k'), limiter.consume('k')]);
        expect(decisions.map((decision) => decision.allowed)).toEqual([true, true]);
        await expect.poll(() => limiter.stats().logErrors).toBe(2);
      }
    }
    await expect.poll(() => warnings).toHaveLength(4);
    for (const warning of warnings)
      expect(warning).toMatchObject({
        code: 'WEIR_RATELIMIT_LOG',
        message: expect.stringContaining('disk full'),
      });
    process.off('warning', onWarning);
    for (const decisionLog of [
      null,
      'log',
      {},
      { sample: 1 },
      { sample: '1', write: () => {} },
      { sample: 2, write: () => {} },
    ])
      expect(() => createRateLimiter({ name: 'log', policies: [perHour], decisionLog } as never)).toThrow(
        expect.objectContaining({ code: 'ERR_WEIR_RATELIMIT_OPTIONS' }),
      );
  });

  test('overrides of unknown policies and of a log’s size are refused', async () => {
    const log: Policy = { name: 'log', algorithm: 'sliding-log', limit: 5, windowMs: 1000 };
    const limiter = createRateLimiter({ name: 'overrides', policies: [log] });
    const code = 'ERR_WEIR_RATELIMIT_POLICY';
    const fixed = createRateLimiter({ name: 'overrides', policies: [perHour] });
    for (const limits of [
      Promise.resolve({ p: { limit: 9 } }),
      [],
      'p',
      7,
      null,
      new Map(),
      { p: 5 },
      { p: null },
    ])
      await expect(fixed.consume('k', { limits: limits as never })).rejects.toMatchObject({ code });
    for (const p of [{ limt: 9 }, { burst: 9 }, { limit: Promise.resolve(9) }, []])
      await expect(fixed.consume('k', { limits: { p } as never })).rejects.toMatchObject({ code });
    await expect(limiter.consume('k', { limits: { other: { limit: 1 } } })).rejects.toMatchObject({ code });
    await expect(limiter.consume('k', { limits: { log: { limit: 9 } } })).rejects.toMatchObject({ code });
    await expect(limiter.consume('k', { limits: { log: { windowMs: 0 } } })).rejects.toMatchObject({ code });
  });
});
