import { type RedisServer, seededRandom, startRedis } from '@weir/test-kit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TIME_ORIGIN_US } from '../src/clock.ts';
import { createVerdict, decide } from '../src/decide.ts';
import { adjustLua, decideLua } from '../src/lua/scripts.gen.ts';
import { compilePlan } from '../src/plan.ts';
import type { Policy } from '../src/policy.ts';
import { luaFor } from '../src/stores/redis-scripts.ts';

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
  'gcra-strict': [{ name: 'a', algorithm: 'gcra-strict', limit: 37, windowMs: W }],
  'fixed-window': [{ name: 'a', algorithm: 'fixed-window', limit: 37, windowMs: W }],
  'sliding-counter': [{ name: 'a', algorithm: 'sliding-counter', limit: 37, windowMs: W }],
  'sliding-log': [{ name: 'a', algorithm: 'sliding-log', limit: 37, windowMs: W }],
  'token-bucket': [
    { name: 'a', algorithm: 'token-bucket', limit: 36, windowMs: W, burst: 17, refillMs: W / 4 },
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
    const plan = compilePlan(policies[name] as Policy[]);
    const decideScript = luaFor(plan, givenTime, decideLua);
    const adjustScript = luaFor(plan, givenTime, adjustLua);
    const random = seededRandom(20_261_122);
    const cells = new Float64Array(plan.width);
    const verdict = createVerdict(plan);
    const key = `{${name}}`;
    let now = TIME_ORIGIN_US + 1e12;
    for (let step = 0; step < 1500; step++) {
      const draw = random();
      now += draw < 0.3 ? 0 : Math.floor(random() * (draw < 0.9 ? W * 40 : W * 1500));
      const units = 1 + Math.floor(random() * Math.min(8, plan.capacity));
      if (random() < 0.06) {
        const kind = random() < 0.5 ? 'credit' : 'debit';
        for (const [index, { algorithm, parameters }] of plan.policies.entries()) {
          algorithm[kind](parameters, cells, plan.offsets[index] as number, now, units);
        }
        await redis.eval(adjustScript, 1, key, 0, kind, units, ...plan.argv, now);
      }
      const count = Math.floor(random() * 4);
      decide(plan, cells, 0, now, units, count, verdict);
      const reply = (await redis.eval(decideScript, 1, key, 0, ...plan.argv, units, count, now)) as number[];
      const expected = [verdict.granted, Math.ceil(verdict.blockedUs), ...[...verdict.fields].map(Math.ceil)];
      expect({ step, reply: reply.slice(1) }).toEqual({ step, reply: expected });
    }
  });
});
