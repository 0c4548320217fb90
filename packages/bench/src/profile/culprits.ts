import type { StackTimes } from './cpu-profile.ts';

/** A function or a line whose time a request changed between two builds. */
export interface Culprit {
  readonly name: string;
  /** Microseconds a request, head less base. */
  readonly deltaUs: number;
  readonly baseUs: number;
  readonly headUs: number;
  /** For a function: the path of calls that gained most, outermost first. */
  readonly path?: readonly string[];
}

/** Differences of several duets, per request. */
export interface ProfileDifference {
  /** By own time, most added first. Only what the duets agree on. */
  readonly functions: readonly Culprit[];
  readonly lines: readonly Culprit[];
}

/** A build's profile with the requests that it answered meanwhile. */
export interface ProfiledArm {
  readonly times: StackTimes;
  readonly requests: number;
}

/** Profiles of both builds, loaded at the same time. */
export interface ProfiledPair {
  readonly base: ProfiledArm;
  readonly head: ProfiledArm;
}

/** A culprit must add this share of a request's time, and be seen in every duet. */
const minShare = 0.02;
/** The duet that saw least must have seen this share of the median. */
const minAgreement = 0.4;

/**
 * Functions and lines that take more time a request in head, in every duet and by at least 2 % of a request: noise moves a
 * function up in one duet and down in the next. Their order is that of the median difference.
 */
export function findCulprits(pairs: readonly ProfiledPair[]): ProfileDifference {
  const perRequestUs = median(pairs.map(({ base }) => base.times.totalUs / Math.max(base.requests, 1)));
  const differ = (read: (times: StackTimes) => ReadonlyMap<string, number>): Culprit[] => {
    const seen = pairs.map(({ base, head }) => ({
      base: perRequest(read(base.times), base.requests),
      head: perRequest(read(head.times), head.requests),
    }));
    const names = new Set(seen.flatMap(({ base, head }) => [...base.keys(), ...head.keys()]));
    return [...names]
      .map((name): Culprit & { readonly least: number } => {
        const deltas = seen.map(({ base, head }) => (head.get(name) ?? 0) - (base.get(name) ?? 0));
        return {
          name,
          deltaUs: median(deltas),
          least: Math.min(...deltas),
          baseUs: median(seen.map(({ base }) => base.get(name) ?? 0)),
          headUs: median(seen.map(({ head }) => head.get(name) ?? 0)),
        };
      })
      .filter(({ deltaUs, least }) => deltaUs > perRequestUs * minShare && least > deltaUs * minAgreement)
      .sort((a, b) => b.deltaUs - a.deltaUs)
      .map(({ least, ...culprit }) => culprit);
  };
  const functions = differ(selfTimes).map((culprit) => ({
    ...culprit,
    path: hottestPath(pairs, culprit.name),
  }));
  return { functions, lines: differ((times) => times.lines) };
}

/** Own time by function, whoever calls it. */
export function selfTimes(times: StackTimes): Map<string, number> {
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

function perRequest(times: ReadonlyMap<string, number>, requests: number): Map<string, number> {
  return new Map([...times].map(([name, us]) => [name, us / Math.max(requests, 1)]));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
