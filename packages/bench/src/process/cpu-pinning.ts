import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { CompareDesign } from '../compare/duet-plan.ts';

/** Which processor runs what, in the numbering of `taskset`. */
export interface CpuPinning {
  readonly targets: number;
  readonly generator: number;
}

/** `slices` where this process may use one processor only, else `duet`. */
export function chooseDesign(): CompareDesign {
  return availableParallelism() < 2 ? 'slices' : 'duet';
}

/**
 * Processors of those that this process may use: two for a duet, the same one twice for slices. `undefined` when there are too few,
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

/** `0-2,5` as numbers. */
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

/** A command line that runs on one processor, or unchanged without a pinning. */
export function pinned(command: readonly string[], cpu: number | undefined): readonly [string, ...string[]] {
  const [file = '', ...args] = command;
  return cpu === undefined ? [file, ...args] : ['taskset', '-c', String(cpu), file, ...args];
}
