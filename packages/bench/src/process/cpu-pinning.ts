import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Which processor runs what, in the numbering of `taskset`. */
export interface CpuPinning {
  readonly targets: number;
  readonly generator: number;
}

/** Two processors that this process may use, or `undefined` with fewer than two or without `taskset` (util-linux). */
export function planPinning(): CpuPinning | undefined {
  if (process.platform !== 'linux' || availableParallelism() < 2) return undefined;
  const { status, stdout } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const allowed = parseCpuList(stdout.slice(stdout.lastIndexOf(':') + 1));
  const [targets, generator] = [allowed[0], allowed.at(-1)];
  if (targets === undefined || generator === undefined || targets === generator) return undefined;
  return { targets, generator };
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
