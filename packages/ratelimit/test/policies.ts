import fc from 'fast-check';
import type { Policy } from '../src/policy.ts';

/** Policies of every algorithm, small enough that arrivals of a few hundred meet their limits. */
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
    halves: fc.boolean(),
  })
  .map(({ algorithm, limit, windowMs, burst, halves }): Policy => {
    const base = { name: 'p', limit, windowMs };
    if (algorithm === 'gcra') return { ...base, algorithm, burst };
    if (algorithm === 'gcra-strict') return { ...base, algorithm, burst: Math.min(burst, limit) };
    if (algorithm === 'token-bucket') {
      return halves && windowMs >= 1000
        ? { ...base, algorithm, limit: limit * 2, burst, refillMs: windowMs / 2 }
        : { ...base, algorithm, burst };
    }
    return { ...base, algorithm };
  });
