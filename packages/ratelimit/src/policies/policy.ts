import type { Algorithm, Parameters } from '../algorithms/algorithm.ts';
import { fixedWindow } from '../algorithms/fixed-window.ts';
import { gcra, gcraIntervalUs, strictIntervalUs } from '../algorithms/gcra.ts';
import { slidingCounter } from '../algorithms/sliding-counter.ts';
import { slidingLog } from '../algorithms/sliding-log.ts';
import { tokenBucket } from '../algorithms/token-bucket.ts';
import { maxWindowMs } from '../clock.ts';
import { RateLimitError, shown } from '../errors.ts';

interface PolicyBase {
  /** Names the policy in decisions, headers and metrics: 1–64 of `A–Z a–z 0–9 . _ -`. */
  readonly name: string;
  /** N: units granted per window. */
  readonly limit: number;
  /** W in ms: a whole number, at most five years. */
  readonly windowMs: number;
  /** Count and report what this policy would deny, but deny nothing. @defaultValue false */
  readonly shadow?: boolean;
  /**
   * The part of the key that this policy counts by: `'tenant'` where keys are `{ user, tenant }`. In a limiter with
   * such policies one without counts all keys together. 1–64 of `A–Z a–z 0–9 _`, beginning with a letter.
   */
  readonly key?: string;
}

/** One quota. What `burst` means is the algorithm's own; docs/ has a page on each. */
export type Policy =
  | (PolicyBase & { readonly algorithm: 'fixed-window' | 'sliding-counter' | 'sliding-log' })
  | (PolicyBase & {
      readonly algorithm: 'gcra';
      /** Units one instant can take. @defaultValue `limit` */
      readonly burst?: number;
    })
  | (PolicyBase & {
      readonly algorithm: 'gcra-strict';
      /** Units one instant can take, at most `limit`; the rest of the limit is the steady rate. @defaultValue a fifth of `limit` */
      readonly burst?: number;
    })
  | (PolicyBase & {
      readonly algorithm: 'token-bucket';
      /** Size of the bucket. @defaultValue `limit` */
      readonly burst?: number;
      /** Time between refills; must divide the window into whole units. @defaultValue `windowMs` */
      readonly refillMs?: number;
    });

/** A checked policy with its numbers prepared. Frozen. */
export interface CompiledPolicy {
  readonly name: string;
  readonly algorithmName: AlgorithmName;
  readonly algorithm: Algorithm;
  readonly parameters: Parameters;
  readonly limit: number;
  readonly windowMs: number;
  readonly shadow: boolean;
  /** The part of the key it counts by. */
  readonly key: string | undefined;
  /** What a decision names when this policy alone is violated. */
  readonly violation: readonly string[];
}

/** The most units a limit or burst may have. */
const maxUnits = 1_000_000_000;
/** A sliding log holds 8 bytes a unit for every key. */
const maxLogLimit = 10_000;

/**
 * Checks one policy and prepares its numbers.
 * @throws {RateLimitError} `ERR_WEIR_RATELIMIT_POLICY` with what was expected, what was given and a repair.
 */
export function compilePolicy(policy: Policy): CompiledPolicy {
  if (typeof policy !== 'object' || policy === null)
    throw wrong(`Expected a policy object, got ${shown(policy)}.`);
  const { name, algorithm: algorithmName, limit, windowMs } = policy;
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
    throw wrong(`Expected policy \`name\` to be 1–64 of A–Z a–z 0–9 . _ -, got ${shown(name)}.`);
  }
  if (!Object.hasOwn(algorithms, algorithmName)) {
    throw wrong(
      `Expected \`algorithm\` of policy "${name}" to be one of ${Object.keys(algorithms).join(', ')}, got ${shown(algorithmName)}.`,
    );
  }
  whole(name, 'limit', limit, algorithmName === 'sliding-log' ? maxLogLimit : maxUnits);
  whole(name, 'windowMs', windowMs, maxWindowMs);
  if (policy.shadow !== undefined && typeof policy.shadow !== 'boolean') {
    throw wrong(`Expected \`shadow\` of policy "${name}" to be a boolean, got ${shown(policy.shadow)}.`);
  }
  if (
    policy.key !== undefined &&
    !(typeof policy.key === 'string' && /^[A-Za-z]\w{0,63}$/.test(policy.key))
  ) {
    throw wrong(
      `Expected \`key\` of policy "${name}" to name a part of the key: 1–64 of A–Z a–z 0–9 _, got ${shown(policy.key)}.`,
    );
  }
  return Object.freeze({
    name,
    algorithmName,
    algorithm: algorithms[algorithmName],
    parameters: Object.freeze(parametersOf(policy)),
    limit,
    windowMs,
    shadow: policy.shadow ?? false,
    key: policy.key,
    violation: Object.freeze([name]),
  });
}

/**
 * The most units that any closed window of `windowMs` can see admitted under a policy, whatever the arrivals.
 * @example worstBurst({ name: 'a', algorithm: 'fixed-window', limit: 10, windowMs: 1000 }) // 20
 */
export function worstBurst(policy: Policy): number {
  const compiled = compilePolicy(policy);
  return compiled.algorithm.worstBurst(compiled.parameters);
}

function parametersOf(policy: Policy): Parameters {
  const { name, limit } = policy;
  const windowUs = policy.windowMs * 1000;
  const plain = {
    limit,
    windowUs,
    capacity: limit,
    intervalUs: 0,
    refill: 0,
    rounds: false,
    intervalCell: -1,
  } as const;
  switch (policy.algorithm) {
    case 'gcra': {
      const capacity = whole(name, 'burst', policy.burst ?? limit, maxUnits);
      const intervalUs = gcraIntervalUs(limit, windowUs);
      if (capacity * intervalUs > maxWindowMs * 1000) {
        throw wrong(
          `\`burst\` of policy "${name}" would take more than five years to come back. Lower it, or raise the rate.`,
        );
      }
      return { ...plain, capacity, intervalUs };
    }
    case 'gcra-strict': {
      const capacity = whole(name, 'burst', policy.burst ?? Math.max(1, Math.floor(limit / 5)), limit);
      return { ...plain, capacity, intervalUs: strictIntervalUs(limit, capacity, windowUs) };
    }
    case 'token-bucket': {
      const capacity = whole(name, 'burst', policy.burst ?? limit, maxUnits);
      const refillMs = whole(name, 'refillMs', policy.refillMs ?? policy.windowMs, policy.windowMs);
      const refill = (limit * refillMs) / policy.windowMs;
      if (!Number.isInteger(refill)) {
        throw wrong(
          `Expected \`refillMs\` of policy "${name}" to bring whole units, got ${shown(refillMs)}, which brings ${refill}. Use a multiple of windowMs / limit.`,
        );
      }
      return { ...plain, capacity, intervalUs: refillMs * 1000, refill };
    }
    case 'fixed-window':
    case 'sliding-counter':
    case 'sliding-log':
      return plain;
  }
}

function whole(policy: string, option: string, value: unknown, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
  throw wrong(
    `Expected \`${option}\` of policy "${policy}" to be a whole number from 1 to ${most}, got ${shown(value)}.`,
  );
}

function wrong(message: string): RateLimitError {
  return new RateLimitError('ERR_WEIR_RATELIMIT_POLICY', message);
}

/** The name a policy gives its algorithm. */
export type AlgorithmName =
  | 'gcra'
  | 'gcra-strict'
  | 'fixed-window'
  | 'sliding-counter'
  | 'sliding-log'
  | 'token-bucket';

/** The algorithms by name. The strict GCRA is GCRA with other parameters. */
export const algorithms: Readonly<Record<AlgorithmName, Algorithm>> = {
  gcra: gcra,
  'gcra-strict': gcra,
  'fixed-window': fixedWindow,
  'sliding-counter': slidingCounter,
  'sliding-log': slidingLog,
  'token-bucket': tokenBucket,
};
