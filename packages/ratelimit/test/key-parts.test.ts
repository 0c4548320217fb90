import { createManualClock, type RedisServer, startRedis } from '@weir/test-kit';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRateLimiter, type Policy, type RateLimiter } from '../src/index.ts';

const windowMs = 3_600_000;
const policies: Policy[] = [
  { name: 'per-user', algorithm: 'fixed-window', limit: 4, windowMs, key: 'user' },
  { name: 'per-tenant', algorithm: 'fixed-window', limit: 7, windowMs, key: 'tenant' },
  { name: 'overall', algorithm: 'fixed-window', limit: 11, windowMs },
];

/** Counts what a limiter must have taken, the plain way. */
class Model {
  readonly #used = new Map<string, number>();

  consume(
    user: string,
    tenant: string,
    cost: number,
  ): { allowed: boolean; violated: string[]; remaining: number[] } {
    const ids = [`u${user}`, `t${tenant}`, 'all'];
    const left = ids.map((id, index) => (policies[index] as Policy).limit - (this.#used.get(id) ?? 0));
    const violated = policies.filter((_, index) => (left[index] as number) < cost).map(({ name }) => name);
    const allowed = violated.length === 0;
    if (allowed) for (const id of ids) this.#used.set(id, (this.#used.get(id) ?? 0) + cost);
    return { allowed, violated, remaining: left.map((units) => (allowed ? units - cost : units)) };
  }
}

const requests = fc.array(
  fc.record({
    user: fc.constantFrom('1', '2', '}'),
    tenant: fc.constantFrom('1', '2'),
    cost: fc.integer({ min: 1, max: 3 }),
  }),
  { maxLength: 25 },
);

async function agree(
  limiter: RateLimiter,
  list: readonly { user: string; tenant: string; cost: number }[],
): Promise<void> {
  const model = new Model();
  for (const { user, tenant, cost } of list) {
    const { allowed, violated, policies: states } = await limiter.consume({ user, tenant }, { cost });
    expect({ allowed, violated, remaining: states.map((state) => state.remaining) }).toEqual(
      model.consume(user, tenant, cost),
    );
  }
}

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

describe('policies that count by parts of the key', () => {
  test('debit all or none and name the violated ones, in memory', async () => {
    await fc.assert(
      fc.asyncProperty(requests, (list) =>
        agree(createRateLimiter({ name: 'a', policies, clock: createManualClock() }), list),
      ),
      { numRuns: 150 },
    );
  });

  test('debit all or none and name the violated ones, on Redis', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(requests, (list) =>
        agree(
          createRateLimiter({ name: `p${run++}`, redis, policies, deadlineMs: 10_000, denyCacheMs: 0 }),
          list,
        ),
      ),
      { numRuns: 40 },
    );
  });

  test('share records between requests of one tick', async () => {
    const limiter = createRateLimiter({ name: 'tick', redis, policies, deadlineMs: 10_000 });
    const decisions = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        limiter.consume({ user: String(index), tenant: String(index % 4) }),
      ),
    );
    expect(decisions.filter((decision) => decision.allowed)).toHaveLength(11);
    expect(decisions.at(-1)?.violated).toEqual(['overall']);
  });

  test('are changed part by part, never what counts all keys, and refunded whole', async () => {
    for (const store of [{ clock: createManualClock() }, { redis, deadlineMs: 10_000 }]) {
      const limiter = createRateLimiter({ name: 'adjust', policies, ...store });
      const key = { user: 'u', tenant: 't' };
      const decision = await limiter.consume(key, { cost: 2 });
      await limiter.penalize({ user: 'u' }, 1);
      const left = async (): Promise<number[]> =>
        (await limiter.peek(key)).policies.map((state) => state.remaining);
      expect(await left()).toEqual([1, 5, 9]);
      await limiter.refund(key, decision);
      expect(await left()).toEqual([3, 7, 11]);
      await limiter.block({ tenant: 't' }, 60_000);
      expect((await limiter.consume(key)).allowed).toBe(false);
      expect((await limiter.consume({ user: 'u', tenant: 'other' })).allowed).toBe(true);
      await limiter.reset({ tenant: 't' });
      expect((await limiter.consume(key)).allowed).toBe(true);
    }
  });

  test.each(['k', {}, { user: 'u' }, { user: 'u', tenant: '' }, { user: 'u', tenant: 't', other: 'x' }])(
    'refuse the key %j',
    async (key) => {
      const limiter = createRateLimiter({ name: 'a', policies });
      await expect(limiter.consume(key as never)).rejects.toMatchObject({ code: 'ERR_WEIR_RATELIMIT_KEY' });
    },
  );
});
