import type { StackTimes } from './stack-times.ts';

/** A function or a line whose time per request differs between two builds. */
export interface Culprit {
  readonly name: string;
  /** Microseconds per request, head minus base. */
  readonly deltaUs: number;
  readonly baseUs: number;
  readonly headUs: number;
  /** For a function: the call path with the largest increase, outermost first. */
  readonly path?: readonly string[];
  /** For a function: up to three of its callees whose time increased by at least 1 % of a request too, largest increase first. */
  readonly callees?: readonly string[];
}

/** Differences of several duets, per request. */
export interface ProfileDifference {
  /** By self time, largest increase first. Only functions whose time increased in every duet. */
  readonly functions: readonly Culprit[];
  readonly lines: readonly Culprit[];
}

/** A build's profile and the number of requests that it answered meanwhile. */
export interface ProfiledArm {
  readonly times: StackTimes;
  readonly requests: number;
}

/** Profiles of both builds, loaded at the same time. */
export interface ProfiledPair {
  readonly base: ProfiledArm;
  readonly head: ProfiledArm;
}

/** A culprit must add this share of a request's time. */
const minShare = 0.02;
const minCalleeShare = 0.01;
const maxCallees = 3;
/**
 * How many standard errors a difference must be above zero. Among the hundreds of functions of a profile, chance alone raises one to 4; a
 * function that takes a tenth of a request more is at 12 or above.
 */
const minErrors = 5;

/**
 * Functions and lines that take more time per request in head: in every duet, by at least 2 % of a request, and by more than the sampling
 * error. A count of n samples has the standard deviation √n, so a time of n samples of w µs over r requests has the standard error w·√n / r.
 * The largest median difference comes first.
 */
export function findCulprits(pairs: readonly ProfiledPair[]): ProfileDifference {
  const perRequestUs = median(pairs.map(({ base }) => base.times.totalUs / Math.max(base.requests, 1)));
  const differ = (read: (times: StackTimes) => ReadonlyMap<string, number>): Culprit[] => {
    const seen = pairs.map(({ base, head }) => ({ base: readArm(base, read), head: readArm(head, read) }));
    const names = new Set(seen.flatMap(({ base, head }) => [...base.us.keys(), ...head.us.keys()]));
    return [...names]
      .flatMap((name): Culprit[] => {
        const each = seen.map(({ base, head }) => ({ base: timeOf(base, name), head: timeOf(head, name) }));
        const deltas = each.map(({ base, head }) => head.us - base.us);
        const variance = sum(each.map(({ base, head }) => base.variance + head.variance));
        const deltaUs = median(deltas);
        const isSure = sum(deltas) > minErrors * Math.sqrt(variance) && Math.min(...deltas) > 0;
        if (!isSure || deltaUs <= perRequestUs * minShare) return [];
        const baseUs = median(each.map(({ base }) => base.us));
        return [{ name, deltaUs, baseUs, headUs: median(each.map(({ head }) => head.us)) }];
      })
      .sort((a, b) => b.deltaUs - a.deltaUs);
  };
  const functions = differ(selfTimes).map((culprit) => ({
    ...culprit,
    path: hottestPath(pairs, culprit.name),
    callees: grownCallees(pairs, culprit.name, perRequestUs * minCalleeShare),
  }));
  return { functions, lines: differ((times) => times.lines) };
}

interface ArmTimes {
  readonly us: ReadonlyMap<string, number>;
  readonly sampleUs: number;
  readonly requests: number;
}

function readArm(
  { times, requests }: ProfiledArm,
  read: (times: StackTimes) => ReadonlyMap<string, number>,
): ArmTimes {
  return {
    us: read(times),
    sampleUs: times.totalUs / Math.max(times.samples, 1),
    requests: Math.max(requests, 1),
  };
}

/** The time per request and its variance. The variance of a function without samples is that of one sample. */
function timeOf(
  { us, sampleUs, requests }: ArmTimes,
  name: string,
): { readonly us: number; readonly variance: number } {
  const total = us.get(name) ?? 0;
  const samples = Math.max(total / Math.max(sampleUs, Number.MIN_VALUE), 1);
  return { us: total / requests, variance: samples * (sampleUs / requests) ** 2 };
}

/** Self time by function, over all callers. */
function selfTimes(times: StackTimes): Map<string, number> {
  const self = new Map<string, number>();
  for (const [stack, us] of times.stacks) {
    const name = stack.slice(stack.lastIndexOf(';') + 1);
    self.set(name, (self.get(name) ?? 0) + us);
  }
  return self;
}

function hottestPath(pairs: readonly ProfiledPair[], name: string): string[] {
  let best = '';
  let most = 0;
  for (const { head } of pairs) {
    for (const [stack, us] of head.times.stacks) {
      if (us > most && stack.slice(stack.lastIndexOf(';') + 1) === name) [best, most] = [stack, us];
    }
  }
  return best.split(';');
}

/** Callees whose time increased. V8 may have inlined the function that changed into the one that is named. */
function grownCallees(pairs: readonly ProfiledPair[], name: string, leastUs: number): string[] {
  const deltas = new Map<string, number>();
  for (const pair of pairs) {
    for (const [arm, sign] of [
      ['head', 1],
      ['base', -1],
    ] as const) {
      const { times, requests } = pair[arm];
      for (const [stack, us] of times.stacks) {
        const frames = stack.split(';');
        const callee = frames[frames.lastIndexOf(name) + 1];
        if (callee === undefined || !frames.includes(name)) continue;
        const perRequestUs = us / Math.max(requests, 1) / pairs.length;
        deltas.set(callee, (deltas.get(callee) ?? 0) + sign * perRequestUs);
      }
    }
  }
  return [...deltas]
    .filter(([, deltaUs]) => deltaUs > leastUs)
    .sort(([, a], [, b]) => b - a)
    .slice(0, maxCallees)
    .map(([callee]) => callee);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
