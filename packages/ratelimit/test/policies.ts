import fc from 'fast-check';
import type { Policy } from '../src/policies/policy.ts';

/** Policies of every algorithm, small enough that arrivals of a few hundred meet their limits. */
/** Rates of GCRA at which a unit takes less than a microsecond. */
export const steepPolicyArbitrary: fc.Arbitrary<Policy> = fc
  .record({
    algorithm: fc.constantFrom('gcra', 'gcra-strict'),
    limit: fc.integer({ min: 1_000_000, max: 1_000_000_000 }),
    windowMs: fc.constantFrom(1, 7, 1000),
    burstShare: fc.double({ min: 0.001, max: 0.9, noNaN: true }),
  })
  .map(({ burstShare, ...policy }) => ({
    ...policy,
    name: 'p',
    burst: Math.max(1, Math.floor(policy.limit * burstShare)),
  }));

export const policyArbitrary: fc.Arbitrary<Policy> = fc
  .record({
    algorithm: fc.constantFrom(
      'gcra',
      'gcra-strict',
      'fixed-window',
      'sliding-counter',
      'sliding-log',
      'token-bucket',
    ),
    limit: fc.integer({ min: 1, max: 30 }),
    windowMs: fc.constantFrom(1, 7, 1000, 10_000),
    burst: fc.integer({ min: 1, max: 30 }),
    /** Tenths of the window between refills; 6 and 4 do not divide it. */
    tenths: fc.constantFrom(10, 6, 5, 4),
  })
  .map(({ algorithm, limit, windowMs, burst, tenths }): Policy => {
    const base = { name: 'p', limit, windowMs };
    if (algorithm === 'gcra') return { ...base, algorithm, burst };
    if (algorithm === 'gcra-strict') return { ...base, algorithm, burst: Math.min(burst, limit) };
    if (algorithm === 'token-bucket') {
      return windowMs >= 1000
        ? { ...base, algorithm, limit: limit * 10, burst: burst * 4, refillMs: (windowMs * tenths) / 10 }
        : { ...base, algorithm, burst };
    }
    return { ...base, algorithm };
  });
