import { seededRandom } from '@weir/test-kit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { timeOriginUs } from '../src/clock.ts';
import { createVerdict, decide } from '../src/policies/decision.ts';
import { compilePlan } from '../src/policies/plan.ts';
import { type Policy, worstBurst } from '../src/policies/policy.ts';
import { policyArbitrary, steepPolicyArbitrary } from './policies.ts';

/** Runs arrivals `[gap in µs, cost]` and returns what was admitted, when. */
function run(
  policy: Policy,
  arrivals: readonly (readonly [number, number])[],
): { at: number; units: number }[] {
  const plan = compilePlan([policy]);
  const cells = new Float64Array(plan.width);
  const verdict = createVerdict(plan);
  const admitted: { at: number; units: number }[] = [];
  let now = timeOriginUs + 12_345;
  for (const [gap, cost] of arrivals) {
    now += gap;
    decide(plan, cells, 0, now, Math.min(cost, plan.capacity), 1, verdict);
    if (verdict.granted === 1) admitted.push({ at: now, units: Math.min(cost, plan.capacity) });
  }
  return admitted;
}

/** The most units in any closed window. */
function most(admitted: readonly { at: number; units: number }[], windowUs: number): number {
  let sum = 0;
  let first = 0;
  let result = 0;
  for (const { at, units } of admitted) {
    sum += units;
    while ((admitted[first] as { at: number }).at < at - windowUs) {
      sum -= (admitted[first] as { units: number }).units;
      first++;
    }
    result = Math.max(result, sum);
  }
  return result;
}

const arrivals = fc.array(
  fc.tuple(fc.oneof(fc.constant(0), fc.nat(2000), fc.nat(2_000_000)), fc.integer({ min: 1, max: 5 })),
  {
    minLength: 1,
    maxLength: 300,
  },
);

describe('every algorithm', () => {
  test('admits at most its worst burst in any closed window, whatever the arrivals', () => {
    fc.assert(
      fc.property(policyArbitrary, arrivals, (policy, list) => {
        expect(most(run(policy, list), policy.windowMs * 1000)).toBeLessThanOrEqual(worstBurst(policy));
      }),
      { numRuns: 400 },
    );
  });

  test('of sliding counters admits at most the worst burst of each window, where requests come under several', () => {
    const windows = fc.uniqueArray(fc.constantFrom(7, 300, 400, 1000, 1500, 10_000), {
      minLength: 2,
      maxLength: 3,
    });
    const mixed = fc.array(
      fc.tuple(
        fc.oneof(fc.constant(0), fc.nat(2000), fc.nat(700_000)),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(2),
      ),
      { minLength: 1, maxLength: 300 },
    );
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 12 }), mixed, (each, limit, list) => {
        const policies = each.map(
          (windowMs): Policy => ({ name: 'p', algorithm: 'sliding-counter', limit, windowMs }),
        );
        const plans = policies.map((policy) => compilePlan([policy]));
        const cells = new Float64Array((plans[0] as (typeof plans)[number]).width);
        const verdict = createVerdict(plans[0] as (typeof plans)[number]);
        const admitted = plans.map((): { at: number; units: number }[] => []);
        let now = timeOriginUs + 12_345;
        for (const [gap, wanted, drawn] of list) {
          now += gap;
          const index = drawn % plans.length;
          const plan = plans[index] as (typeof plans)[number];
          const units = Math.min(wanted, limit);
          decide(plan, cells, 0, now, units, 0, verdict);
          const wait = Math.ceil(verdict.fields[1] as number);
          const later = cells.slice();
          decide(plan, later, 0, now + wait, units, 1, verdict);
          expect(verdict.granted).toBe(1);
          decide(plan, cells, 0, now, units, 1, verdict);
          if (verdict.granted === 1) admitted[index]?.push({ at: now, units });
        }
        for (const [index, units] of admitted.entries())
          expect(most(units, (each[index] as number) * 1000)).toBeLessThanOrEqual(2 * limit);
      }),
      { numRuns: 300 },
    );
  });

  test('admits at most its worst burst also where a unit takes less than a microsecond', () => {
    fc.assert(
      fc.property(steepPolicyArbitrary, arrivals, (policy, list) => {
        const { capacity } = compilePlan([policy]);
        const unit = Math.max(1, Math.floor(capacity / 12));
        const steep = list.map(([gap, cost]): [number, number] => [Math.ceil(gap / 100), cost * unit]);
        expect(most(run(policy, steep), policy.windowMs * 1000)).toBeLessThanOrEqual(worstBurst(policy));
      }),
      { numRuns: 200 },
    );
  });

  test.each([1, 60, 1000, 160_000, 300_000, 1_000_000, 3_333_333, 15_900_000, 77_777_777, 1_000_000_000])(
    'grants %i units a window, never more, and at most 1 %% less',
    (limit) => {
      for (const algorithm of ['gcra', 'gcra-strict'] as const) {
        for (const windowMs of [1, 1000, 86_400_000]) {
          const policy = { name: 'p', algorithm, limit: limit * 2, windowMs, burst: limit };
          if (limit * 2 > 1e9) policy.limit = policy.burst = limit;
          const rate = algorithm === 'gcra' ? policy.limit : policy.limit - policy.burst;
          if (rate === 0) continue;
          const plan = compilePlan([policy]);
          const cells = new Float64Array(plan.width);
          const verdict = createVerdict(plan);
          // Empties the burst, then takes what ten windows bring back, in pieces of a hundredth.
          const start = timeOriginUs + 12_345;
          decide(plan, cells, 0, start, policy.burst, 1, verdict);
          const piece = Math.max(1, Math.floor(rate / 100));
          let granted = 0;
          for (let step = 1; step <= 1000; step++) {
            const now = start + Math.floor((step * windowMs * 1000) / 100);
            decide(plan, cells, 0, now, piece, Math.ceil(rate / 100 / piece) + 2, verdict);
            granted += verdict.granted * piece;
          }
          const found = { algorithm, windowMs, share: granted / (rate * 10) };
          expect(found.share, JSON.stringify(found)).toBeLessThanOrEqual(1);
          expect(found.share, JSON.stringify(found)).toBeGreaterThan(0.97);
        }
      }
    },
  );

  test('admits a cost after exactly the wait it named', () => {
    fc.assert(
      fc.property(policyArbitrary, arrivals, fc.integer({ min: 1, max: 5 }), (policy, list, wanted) => {
        const plan = compilePlan([policy]);
        const cells = new Float64Array(plan.width);
        const verdict = createVerdict(plan);
        let now = timeOriginUs;
        for (const [gap, cost] of list) {
          now += gap;
          decide(plan, cells, 0, now, Math.min(cost, plan.capacity), 1, verdict);
        }
        const cost = Math.min(wanted, plan.capacity);
        decide(plan, cells, 0, now, cost, 0, verdict);
        const wait = Math.ceil(verdict.fields[1] as number);
        decide(plan, cells, 0, now + wait, cost, 1, verdict);
        expect(verdict.granted).toBe(1);
      }),
      { numRuns: 400 },
    );
  });

  test('changes nothing by a denial', () => {
    fc.assert(
      fc.property(policyArbitrary, arrivals, (policy, list) => {
        const plan = compilePlan([policy]);
        const cells = new Float64Array(plan.width);
        const verdict = createVerdict(plan);
        let now = timeOriginUs;
        for (const [gap, cost] of list) {
          now += gap;
          const before = cells.slice();
          decide(plan, cells, 0, now, Math.min(cost, plan.capacity), 1, verdict);
          if (verdict.granted === 0) expect(cells).toEqual(before);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('grants n equal requests at once as it would one by one', () => {
    fc.assert(
      fc.property(policyArbitrary, arrivals, fc.integer({ min: 1, max: 40 }), (policy, list, count) => {
        const plan = compilePlan([policy]);
        const merged = new Float64Array(plan.width);
        const verdict = createVerdict(plan);
        let now = timeOriginUs;
        for (const [gap, cost] of list) {
          now += gap;
          decide(plan, merged, 0, now, Math.min(cost, plan.capacity), 1, verdict);
        }
        const single = merged.slice();
        let granted = 0;
        for (let index = 0; index < count; index++) {
          decide(plan, single, 0, now, 1, 1, verdict);
          granted += verdict.granted;
        }
        decide(plan, merged, 0, now, 1, count, verdict);
        expect(verdict.granted).toBe(granted);
        expect(merged).toEqual(single);
      }),
      { numRuns: 200 },
    );
  });

  test('comes back to its full quota after the reset it named', () => {
    fc.assert(
      fc.property(policyArbitrary, arrivals, (policy, list) => {
        const plan = compilePlan([policy]);
        const cells = new Float64Array(plan.width);
        const verdict = createVerdict(plan);
        let now = timeOriginUs;
        for (const [gap, cost] of list) {
          now += gap;
          decide(plan, cells, 0, now, Math.min(cost, plan.capacity), 1, verdict);
        }
        decide(plan, cells, 0, now + Math.ceil(verdict.fields[3] as number), 1, 0, verdict);
        expect(verdict.fields[0]).toBe(plan.capacity);
      }),
      { numRuns: 200 },
    );
  });
});

describe('documented worst bursts', () => {
  const policy = { name: 'p', limit: 100, windowMs: 10_000 } as const;

  test.each([
    ['fixed-window', 200],
    ['sliding-counter', 200],
    ['gcra', 200],
    ['gcra-strict', 100],
    ['sliding-log', 100],
    ['token-bucket', 200],
  ] as const)('%s of N = 100 publishes %i', (algorithm, bound) => {
    expect(worstBurst({ ...policy, algorithm })).toBe(bound);
  });

  test('are reached by an attacker who waits for the edges', () => {
    const random = seededRandom(7);
    for (const algorithm of ['fixed-window', 'gcra', 'gcra-strict', 'sliding-log', 'token-bucket'] as const) {
      const list: [number, number][] = [[0, 1]];
      // One unit late in the first window, everything at its end, then as much as is let in.
      list.push([9_990_000, 1]);
      for (let index = 0; index < 400; index++) list.push([0, 1]);
      for (let index = 0; index < 4000; index++) list.push([Math.floor(random() * 5000), 1]);
      const bound = worstBurst({ ...policy, algorithm });
      expect(most(run({ ...policy, algorithm }, list), 10_000_000)).toBeGreaterThanOrEqual(bound * 0.95);
    }
  });
});
