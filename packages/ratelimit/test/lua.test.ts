import { type RedisServer, seededRandom, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { timeOriginUs } from '../src/clock.ts';
import { createVerdict, decide } from '../src/policies/decision.ts';
import { compilePlan, isLoneGcra, type Plan, type PlanPart } from '../src/policies/plan.ts';
import type { Policy } from '../src/policies/policy.ts';
import { luaFor } from '../src/stores/redis-scripts.ts';
import { adjustLua, decideGcraLua, decideLua } from '../src/stores/scripts.gen.ts';

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

// Time comes as the last argument here; everything else is what runs in production.
const givenTime = 'local now = tonumber(ARGV[#ARGV])\n';

const W = 120_000;
const policies: Record<string, Policy[]> = {
  gcra: [{ name: 'a', algorithm: 'gcra', limit: 37, windowMs: W, burst: 11 }],
  'gcra of a fractional interval': [
    { name: 'a', algorithm: 'gcra', limit: 9973, windowMs: 700 * W, burst: 50 },
  ],
  'gcra of a high rate': [
    { name: 'a', algorithm: 'gcra', limit: 333_333_331, windowMs: W, burst: 100_000_000 },
  ],
  'gcra-strict': [{ name: 'a', algorithm: 'gcra-strict', limit: 37, windowMs: W }],
  'fixed-window': [{ name: 'a', algorithm: 'fixed-window', limit: 37, windowMs: W }],
  'sliding-counter': [{ name: 'a', algorithm: 'sliding-counter', limit: 37, windowMs: W }],
  'sliding-log': [{ name: 'a', algorithm: 'sliding-log', limit: 37, windowMs: W }],
  'token-bucket': [
    { name: 'a', algorithm: 'token-bucket', limit: 36, windowMs: W, burst: 17, refillMs: W / 4 },
  ],
  'three without a log': [
    { name: 'a', algorithm: 'gcra', limit: 30, windowMs: W, burst: 20 },
    { name: 'b', algorithm: 'sliding-counter', limit: 35, windowMs: W, shadow: true },
    { name: 'c', algorithm: 'token-bucket', limit: 30, windowMs: W, burst: 25 },
  ],
  'parts of a key': [
    { name: 'a', algorithm: 'gcra', limit: 30, windowMs: W, burst: 20, key: 'user' },
    { name: 'b', algorithm: 'fixed-window', limit: 33, windowMs: W, key: 'tenant' },
    { name: 'c', algorithm: 'gcra', limit: 60, windowMs: W },
    { name: 'd', algorithm: 'token-bucket', limit: 36, windowMs: W, burst: 24, refillMs: W / 4, key: 'user' },
  ],
  'parts of a key with a log': [
    { name: 'a', algorithm: 'fixed-window', limit: 33, windowMs: W },
    { name: 'b', algorithm: 'sliding-log', limit: 29, windowMs: W, key: 'user' },
  ],
  'all six at once': [
    { name: 'a', algorithm: 'gcra', limit: 30, windowMs: W, burst: 20 },
    { name: 'b', algorithm: 'sliding-log', limit: 31, windowMs: W / 2 },
    { name: 'c', algorithm: 'fixed-window', limit: 33, windowMs: W },
    { name: 'd', algorithm: 'sliding-log', limit: 29, windowMs: W },
    { name: 'e', algorithm: 'sliding-counter', limit: 35, windowMs: W, shadow: true },
    { name: 'f', algorithm: 'token-bucket', limit: 30, windowMs: W, burst: 25 },
    { name: 'g', algorithm: 'gcra-strict', limit: 40, windowMs: W, burst: 20 },
  ],
};

describe('the Lua scripts', () => {
  test.each(Object.keys(policies))('decide as the pure functions do: %s', async (name) => {
    const usual = compilePlan(policies[name] as Policy[]);
    const raised = compilePlan((policies[name] as Policy[]).map(threefold));
    expect(raised.layout).toBe(usual.layout);
    const decideShared = luaFor(usual, givenTime, decideLua);
    const random = seededRandom(20_261_122);
    const cells = new Float64Array(usual.width);
    const verdict = createVerdict(usual);
    const keys = usual.parts.map((part) => `{${name}}${part.name ?? ''}`);
    let now = timeOriginUs + 1e12;
    for (let step = 0; step < 1200; step++) {
      const draw = random();
      now += draw < 0.3 ? 0 : Math.floor(random() * (draw < 0.9 ? W * 40 : W * 1500));
      // Some decisions are made under other limits, on the same record.
      const plan = random() < 0.15 ? raised : usual;
      const units = 1 + Math.floor(random() * Math.max(Math.min(8, plan.capacity), plan.capacity / 40));
      if (random() < 0.08) await adjustBoth(plan, cells, keys, random, now, units);
      const before = cells.slice();
      const count = Math.floor(random() * 4);
      decide(plan, cells, 0, now, units, count, verdict);
      // The quick script, for one key and for several, is held to the same answers as the general one.
      const quick = isLoneGcra(plan) && random() < 0.67;
      const source = quick ? givenTime + decideGcraLua : decideShared;
      const asked = quick && random() < 0.5 ? [...keys, `{${name}}other`] : keys;
      const entries = asked.length / keys.length;
      const args = [...asked, 0, 1, entries, units, count, ...plan.argv, now];
      const answer = doubles((await redis.callBuffer('eval', source, asked.length, ...args)) as Buffer);
      const reply = answer.slice(0, 1 + (answer.length - 1) / entries);
      await keep(keys);
      expect(reply[0]).toBe(now);
      if (plan.hasLog) {
        const expected = [verdict.granted, verdict.blockedUs, ...verdict.fields];
        expect({ step, reply: reply.slice(1) }).toEqual({ step, reply: expected });
      } else {
        expect({ step, reply: reply.slice(1) }).toEqual({ step, reply: [...before] });
        const stored = await Promise.all(keys.map((key) => redis.getBuffer(key)));
        for (const [index, { at, plan: own }] of plan.parts.entries()) {
          // A record that says no more than a missing one may be gone.
          const found = stored[index];
          if (found != null) expect(doubles(found)).toEqual([...cells.slice(at, at + own.width)]);
          else
            expect(
              plan.policies.every((_, number) => verdict.fields[number * 5 + 3] === 0 || plan.keyed),
            ).toBe(true);
        }
      }
    }
  });

  test('decide many entries in one call, also of one record', async () => {
    const plan = compilePlan(policies.gcra as Policy[]);
    const now = timeOriginUs + 2e12;
    const runs = [2, 2, 3, 1, 1, 40, 1, 5, 1];
    const keys = ['m{1}', 'm{2}', 'm{3}', 'm{1}'];
    const reply = doubles(
      (await redis.callBuffer(
        'eval',
        luaFor(plan, givenTime, decideLua),
        4,
        ...keys,
        0,
        3,
        ...runs,
        ...plan.argv,
        now,
      )) as Buffer,
    );
    const cells = new Float64Array(2);
    decide(plan, cells, 0, now, 2, 3, createVerdict(plan));
    expect(reply.slice(7)).toEqual([...cells]);
    const quick = doubles(
      (await redis.callBuffer(
        'eval',
        givenTime + decideGcraLua,
        3,
        'q{1}',
        'q{2}',
        'q{3}',
        0,
        2,
        2,
        2,
        3,
        1,
        1,
        40,
        ...plan.argv,
        now,
      )) as Buffer,
    );
    expect(quick).toEqual(reply.slice(0, 7));
    for (const index of [2, 3]) {
      expect(await redis.getBuffer(`q{${index}}`)).toEqual(await redis.getBuffer(`m{${index}}`));
    }
  });
});

/** Limits of three times as much, where the size of the record allows it. */
function threefold(policy: Policy): Policy {
  if (policy.algorithm === 'sliding-log') return policy;
  const burst = 'burst' in policy && policy.burst !== undefined ? { burst: policy.burst * 3 } : {};
  // Windows convert as well, a shorter one and a longer one by turns.
  const windowMs = policy.algorithm === 'sliding-counter' ? policy.windowMs / 4 : policy.windowMs;
  return { ...policy, ...burst, windowMs, limit: policy.limit * 3 } as Policy;
}

/** The same change of one of the records on both sides. */
async function adjustBoth(
  plan: Plan,
  cells: Float64Array,
  keys: readonly string[],
  random: () => number,
  now: number,
  units: number,
): Promise<void> {
  const number = Math.floor(random() * plan.parts.length);
  const { at, plan: own } = plan.parts[number] as PlanPart;
  const kinds = ['credit', 'debit', 'block', 'unblock'] as const;
  const kind = kinds[Math.floor(random() * 4)] as (typeof kinds)[number];
  if (kind === 'block') cells[at] = now + units * 20_000_000;
  else if (kind === 'unblock') {
    if ((cells[at] as number) > now) cells[at] = 0;
  } else {
    for (const [index, { algorithm, parameters }] of own.policies.entries()) {
      algorithm[kind](parameters, cells, at + (own.offsets[index] as number), now, units);
    }
  }
  const amount = kind === 'block' ? units * 20_000_000 : units;
  const concerned = '1'.repeat(own.policies.length);
  const args = [0, kind, amount, concerned, 1000, ...own.argv, now];
  const reply = await redis.callBuffer(
    'eval',
    luaFor(own, givenTime, adjustLua),
    1,
    keys[number] as string,
    ...args,
  );
  expect(doubles(reply as Buffer)).toEqual([now, 1]);
  await keep(keys);
  // A record that is written only to say nothing is deleted there: the same to every decision.
  if ((await redis.exists(keys[number] as string)) === 0) cells.fill(0, at, at + own.width);
}

/** Time is given here, but records expire by the server's own. */
async function keep(keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => redis.persist(key)));
}

function doubles(buffer: Buffer): number[] {
  return Array.from({ length: buffer.length / 8 }, (_, index) => buffer.readDoubleLE(index * 8));
}
