import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { RunConditions } from '../result/result.ts';
import type { ResolvedScenario } from '../scenario/scenario.ts';
import type { TlsTrust } from '../scenario/target.ts';

/**
 * How a pair is measured. `duet`: both builds run under load at the same time on one processor, the generator on another. `slices`: the
 * generator and both builds share one processor, and the builds are loaded in turns of 100 ms.
 */
export type CompareDesign = 'duet' | 'slices';

/** Input of the generator of one pair. Plain data, sent to its process. */
export interface DuetPlan {
  readonly design: CompareDesign;
  /** Both loads, in the order in which they begin. */
  readonly arms: readonly {
    readonly name: ArmName;
    readonly scenario: ResolvedScenario;
    readonly pid: number;
  }[];
  /** For targets of `https:`. */
  readonly trust?: TlsTrust;
  /** Processes that get SIGUSR2 when the measured time begins and again when it ends. */
  readonly signalPids?: readonly number[];
}

/** The two builds of a comparison. */
export type ArmName = 'base' | 'head';

/** Measurements of one pair, and the conditions in which they were made. */
export interface PairSample {
  readonly base: ArmSample;
  readonly head: ArmSample;
  readonly conditions: PairConditions;
}

/** Measurements of one build in one pair. */
export interface ArmSample {
  /** Answers per second. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time per request, in microseconds, over all threads and children of the server. Absent where the kernel does not report it. */
  readonly cpuUs?: number;
  readonly answered: number;
  readonly errors: number;
  readonly non2xx: number;
  /** How the server ended during the pair, with its last line of output. Such a pair is not a measurement. */
  readonly ended?: string;
  /** Failed checks of flows. With flows only these are failures, since a check may expect a status other than 2xx. */
  readonly failedChecks?: number;
}

/** The conditions of a pair, each a share of the measured time from 0 to 1. Absent where the kernel does not report it. */
export interface PairConditions extends RunConditions {
  /** Time in which the two servers together ran. */
  readonly targetsRan?: number;
  /** Of slices: the generator waits while a server runs, as intended. */
  readonly oneCore?: true;
}

/** The processors of the servers and of the generator, in the numbering of `taskset`. */
export interface CpuPinning {
  readonly targets: number;
  readonly generator: number;
}

/** `slices` when this process may use one processor only, else `duet`. */
export function chooseDesign(): CompareDesign {
  return availableParallelism() < 2 ? 'slices' : 'duet';
}

/**
 * Chooses among the processors that this process may use: two for a duet, one for slices. `undefined` when there are too few,
 * or without `taskset` (util-linux).
 */
export function planPinning(design: CompareDesign): CpuPinning | undefined {
  if (process.platform !== 'linux') return undefined;
  const { status, stdout } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const allowed = parseCpuList(stdout.slice(stdout.lastIndexOf(':') + 1));
  const [targets] = allowed;
  if (targets === undefined) return undefined;
  if (design === 'slices') return { targets, generator: targets };
  const generator = allowed.at(-1);
  return generator === undefined || generator === targets ? undefined : { targets, generator };
}

/** Parses a list such as `0-2,5`. */
export function parseCpuList(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((part) => {
      const [from = Number.NaN, to = from] = part.split('-').map(Number);
      if (!Number.isInteger(from) || !Number.isInteger(to)) return [];
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
}
