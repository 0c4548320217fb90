import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import type { RateLimiter } from '../limiter.ts';
import type { RateLimiterOptions } from '../options.ts';
import type { Decision } from '../policies/decision.ts';
import type { Policy } from '../policies/policy.ts';

/** Makes a limiter on the store under test. Every call must start from fresh quotas for the given name. */
export type CreateLimiter = (options: Omit<RateLimiterOptions, 'redis' | 'clock'>) => RateLimiter;

/** One promise of a limiter: run it as a test of any framework. */
export interface ContractCase {
  readonly title: string;
  run(): Promise<void>;
}

const windowMs = 3_600_000;
const names = [
  'gcra',
  'gcra-strict',
  'fixed-window',
  'sliding-counter',
  'sliding-log',
  'token-bucket',
] as const;

/**
 * What every limiter keeps, whatever store it decides on. The cases finish within seconds and use windows of an hour,
 * so a store's clock needs no control.
 * @example for (const { title, run } of limiterContract(create)) test(title, run);
 */
export function limiterContract(create: CreateLimiter): ContractCase[] {
  return [...names.flatMap((algorithm) => algorithmCases(create, algorithm)), ...policyCases(create)];
}

function algorithmCases(create: CreateLimiter, algorithm: (typeof names)[number]): ContractCase[] {
  const policy: Policy = {
    name: 'p',
    algorithm,
    limit: 20,
    windowMs,
    ...(algorithm.startsWith('gcra') ? { burst: 5 } : {}),
  };
  const capacity = algorithm.startsWith('gcra') ? 5 : 20;
  const named = (suffix: string): string => `contract-${algorithm}-${suffix}`;
  const remaining = async (limiter: RateLimiter): Promise<number | undefined> =>
    (await limiter.peek('k')).policies[0]?.remaining;
  return [
    {
      title: `${algorithm}: grants exactly its capacity at once, then denies and names the policy`,
      async run() {
        const limiter = create({ name: named('capacity'), policies: [policy] });
        const decisions = await Promise.all(Array.from({ length: capacity + 3 }, () => limiter.consume('k')));
        equal(decisions.filter((decision) => decision.allowed).length, capacity);
        const denied = decisions.at(-1);
        deepEqual(denied?.violated, ['p']);
        // A sliding counter at the start of its window waits for that window's end and a share of the next one.
        ok((denied?.retryAfterMs ?? 0) > 0 && (denied?.retryAfterMs ?? 0) <= 2 * windowMs);
      },
    },
    {
      title: `${algorithm}: peek takes nothing, refund gives a decision back once`,
      async run() {
        const limiter = create({ name: named('refund'), policies: [policy] });
        const decision = await limiter.consume('k', { cost: 3 });
        equal(await remaining(limiter), capacity - 3);
        equal(await remaining(limiter), capacity - 3);
        equal(await limiter.refund('k', decision), true);
        equal(await limiter.refund('k', decision), false);
        equal(await remaining(limiter), capacity);
      },
    },
    {
      title: `${algorithm}: a request under a shorter window leaves what was used`,
      async run() {
        const limiter = create({ name: named('window'), policies: [policy] });
        await limiter.consume('k', { cost: capacity });
        const limit = algorithm === 'sliding-log' ? {} : { limit: 200 };
        for (const numbers of [{ windowMs: windowMs / 10 }, { windowMs: windowMs / 10, ...limit }]) {
          await limiter.consume('k', { limits: { p: numbers } });
          equal((await limiter.consume('k')).allowed, false);
          equal(await remaining(limiter), 0);
        }
      },
    },
    {
      title: `${algorithm}: reward never exceeds the full quota, penalize takes more than there is`,
      async run() {
        const limiter = create({ name: named('reward'), policies: [policy] });
        await limiter.reward('k', capacity);
        equal(await remaining(limiter), capacity);
        await limiter.consume('k');
        await limiter.penalize('k', capacity);
        equal((await limiter.consume('k')).allowed, false);
        await limiter.reset('k');
        equal(await remaining(limiter), capacity);
      },
    },
  ];
}

/** What was used counts in units under whatever limit is given, alone in a record and beside other policies. */
function raisedLimit(
  create: CreateLimiter,
  algorithm: Exclude<(typeof names)[number], 'sliding-log'>,
  beside: readonly Policy[],
): ContractCase {
  const policy: Policy = { name: 'p', algorithm, limit: 20, windowMs };
  const own: Policy = algorithm.startsWith('gcra') ? ({ ...policy, burst: 10 } as Policy) : policy;
  const capacity = algorithm.startsWith('gcra') ? 10 : 20;
  const suffix = beside.length > 0 ? ' beside another policy' : '';
  return {
    title: `${algorithm}${suffix}: a raised limit takes effect at once, and so does the usual one after it`,
    async run() {
      const shadows = beside.map((other) => ({ ...other, shadow: true }));
      const limiter = create({
        name: `contract-${algorithm}-raised-${beside.length}`,
        policies: [own, ...shadows],
      });
      const paying = { limits: { p: { limit: 2000 } } };
      await limiter.consume('k', { cost: capacity });
      equal((await limiter.consume('k')).allowed, false);
      const raised = await limiter.consume('k', paying);
      equal(raised.allowed, true);
      equal(raised.policies[0]?.remaining, capacity * 100 - capacity - 1);
      await limiter.consume('k', { ...paying, cost: capacity * 50 });
      equal((await limiter.consume('k')).allowed, false);
      equal((await limiter.peek('k', paying)).policies[0]?.remaining, capacity * 49 - 1);
    },
  };
}

function policyCases(create: CreateLimiter): ContractCase[] {
  const wide: Policy = { name: 'wide', algorithm: 'fixed-window', limit: 10, windowMs };
  const narrow: Policy = { name: 'narrow', algorithm: 'sliding-log', limit: 3, windowMs };
  return [
    {
      title: 'block denies without using quota, unblock ends it',
      async run() {
        const limiter = create({ name: 'contract-block', policies: [wide] });
        await limiter.block('k', 60_000);
        const denied = await limiter.consume('k');
        equal(denied.allowed, false);
        ok(denied.retryAfterMs > 50_000 && denied.retryAfterMs <= 60_000);
        deepEqual(denied.violated, []);
        equal((await limiter.peek('k')).allowed, false);
        await limiter.unblock('k');
        const allowed = await limiter.consume('k');
        equal(allowed.allowed, true);
        equal(allowed.policies[0]?.remaining, 9);
      },
    },
    {
      title: 'a denial by one policy debits none of the others',
      async run() {
        const limiter = create({ name: 'contract-atomic', policies: [wide, narrow] });
        await Promise.all(Array.from({ length: 6 }, () => limiter.consume('k')));
        const state = await limiter.peek('k');
        deepEqual(
          state.policies.map((policy) => policy.remaining),
          [7, 0],
        );
        deepEqual(state.violated, ['narrow']);
      },
    },
    {
      title: 'a shadow policy names itself and denies nothing',
      async run() {
        const limiter = create({ name: 'contract-shadow', policies: [wide, { ...narrow, shadow: true }] });
        const decisions = await Promise.all(Array.from({ length: 6 }, () => limiter.consume('k')));
        deepEqual(
          decisions.map((decision) => decision.allowed),
          Array(6).fill(true),
        );
        deepEqual(
          decisions.map((decision) => decision.violated.length),
          [0, 0, 0, 1, 1, 1],
        );
        equal(limiter.stats().violations.find(({ policy }) => policy === 'narrow')?.count, 3);
      },
    },
    {
      title:
        'a refund gives each policy back what it had been debited, a shadow policy beyond its quota nothing',
      async run() {
        const limiter = create({
          name: 'contract-shadow-refund',
          policies: [wide, { ...narrow, shadow: true }, { ...wide, name: 'other' }],
        });
        const decisions: Decision[] = [];
        for (let request = 0; request < 5; request++) decisions.push(await limiter.consume('k'));
        const left = async (): Promise<number[]> =>
          (await limiter.peek('k')).policies.map((policy) => policy.remaining);
        deepEqual(await left(), [5, 0, 5]);
        await limiter.refund('k', decisions[4] as Decision);
        deepEqual(await left(), [6, 0, 6]);
        await limiter.refund('k', decisions[0] as Decision);
        deepEqual(await left(), [7, 1, 7]);
      },
    },
    ...names.map((algorithm) => ({
      title: `a shadow policy denies no cost, not even one that it could never grant: ${algorithm}`,
      async run() {
        const shadow: Policy = { name: 'next', algorithm, limit: 3, windowMs, shadow: true };
        const limiter = create({ name: `contract-shadow-cost-${algorithm}`, policies: [wide, shadow] });
        for (const cost of [7, 2]) {
          const { allowed, violated } = await limiter.consume('k', { cost });
          deepEqual(
            [allowed, violated],
            [true, cost > 3 ? ['next'] : algorithm === 'gcra-strict' ? ['next'] : []],
          );
        }
        equal((await limiter.peek('k')).policies[0]?.remaining, 1);
      },
    })),
    {
      title: 'what took nothing gives nothing back: a peek, a blocked key in shadow mode',
      async run() {
        const limiter = create({ name: 'contract-nothing', policies: [wide], mode: 'shadow' });
        await limiter.consume('k', { cost: 4 });
        equal(await limiter.refund('k', await limiter.peek('k')), false);
        await limiter.block('k', 60_000);
        const passed = await limiter.consume('k');
        equal(passed.allowed, true);
        equal(await limiter.refund('k', passed), false);
        equal((await limiter.peek('k')).policies[0]?.remaining, 6);
      },
    },
    {
      title: 'reward and penalize reach every policy, each as far as its own quota goes',
      async run() {
        const daily: Policy = { name: 'daily', algorithm: 'fixed-window', limit: 1000, windowMs };
        const small = names.map((algorithm): Policy => ({ name: algorithm, algorithm, limit: 5, windowMs }));
        const limiter = create({ name: 'contract-units', policies: [...small, daily] });
        const left = async (): Promise<Set<number>[]> => {
          const { policies } = await limiter.peek('k');
          const remaining = policies.map((policy) => policy.remaining);
          return [
            new Set(remaining.slice(0, -1).map((units) => Math.min(units, 1))),
            new Set(remaining.slice(-1)),
          ];
        };
        await limiter.penalize('k', 400);
        deepEqual(await left(), [new Set([0]), new Set([600])]);
        await limiter.reward('k', 100);
        deepEqual(await left(), [new Set([1]), new Set([700])]);
        await limiter.reward('k', Number.MAX_SAFE_INTEGER);
        deepEqual(await left(), [new Set([1]), new Set([1000])]);
        await limiter.penalize('k', Number.MAX_SAFE_INTEGER);
        deepEqual(await left(), [new Set([0]), new Set([0])]);
        await limiter.reward('k', 1000 + 1);
        deepEqual((await left())[1], new Set([1]));
      },
    },
    ...names
      .filter((algorithm) => algorithm !== 'sliding-log')
      .flatMap((algorithm) => [raisedLimit(create, algorithm, []), raisedLimit(create, algorithm, [narrow])]),
    {
      title: 'wrong costs and keys are refused before they reach a store',
      async run() {
        const limiter = create({ name: 'contract-input', policies: [wide] });
        for (const cost of [0, -5, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
          await rejects(limiter.consume('k', { cost }), { code: 'ERR_WEIR_RATELIMIT_COST' });
        }
        await rejects(limiter.consume('k', { cost: 11 }), { code: 'ERR_WEIR_RATELIMIT_COST_ABOVE_BURST' });
        for (const key of ['', 'x'.repeat(10_240)]) {
          await rejects(limiter.consume(key), { code: 'ERR_WEIR_RATELIMIT_KEY' });
        }
        equal((await limiter.peek('k')).policies[0]?.remaining, 10);
      },
    },
    {
      title: 'keys of odd characters are kept apart',
      async run() {
        const limiter = create({ name: 'contract-keys', policies: [{ ...wide, limit: 1 }] });
        const keys = ['a', 'a}', 'a%7D', '{a}', '}{', 'ä', '\u0000', '😀', '😁', ' ', 'a b', 'aa', 'aaa'];
        const decisions = await Promise.all(keys.map((key) => limiter.consume(key)));
        deepEqual(
          decisions.map((decision) => decision.allowed),
          keys.map(() => true),
        );
      },
    },
  ];
}
