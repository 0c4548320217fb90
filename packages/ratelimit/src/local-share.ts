import type { Policy } from './policy.ts';

/**
 * The policies that one process enforces alone on its share: every limit and burst times `share`, rounded down, but at
 * least 1. A token bucket becomes GCRA of that rate, whose bound is the same and whose units need not be whole.
 */
export function localShare(policies: readonly Policy[], share: number): Policy[] {
  return policies.map((policy) => scaled(policy, (units) => Math.max(1, Math.floor(units * share))));
}

function scaled(policy: Policy, part: (units: number) => number): Policy {
  const limit = part(policy.limit);
  switch (policy.algorithm) {
    case 'gcra':
      return { ...policy, limit, burst: part(policy.burst ?? policy.limit) };
    case 'gcra-strict':
      return policy.burst === undefined
        ? { ...policy, limit }
        : { ...policy, limit, burst: part(policy.burst) };
    case 'token-bucket': {
      const { refillMs, ...rest } = policy;
      return { ...rest, algorithm: 'gcra', limit, burst: part(policy.burst ?? policy.limit) };
    }
    case 'fixed-window':
    case 'sliding-counter':
    case 'sliding-log':
      return { ...policy, limit };
  }
}
