import { readdir, readFile } from 'node:fs/promises';

/** What the kernel has counted for a process and all below it, in nanoseconds since their start. */
export interface CpuTime {
  readonly runNs: number;
  /** Runnable, but waiting for a processor. */
  readonly waitNs: number;
}

/**
 * Sums `/proc/<pid>/task/*\/schedstat` over a process tree. Threads that ended meanwhile are missing from the sum.
 *
 * @returns `undefined` where the kernel does not tell (not Linux, or no such process)
 */
export async function readCpuTime(pid: number): Promise<CpuTime | undefined> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => undefined);
  if (tasks === undefined) return undefined;
  let runNs = 0;
  let waitNs = 0;
  for (const task of tasks) {
    const base = `/proc/${pid}/task/${task}`;
    const [run = 0, wait = 0] = (await readText(`${base}/schedstat`)).split(' ').map(Number);
    runNs += run;
    waitNs += wait;
    for (const child of (await readText(`${base}/children`)).split(' ').filter(Boolean)) {
      const below = await readCpuTime(Number(child));
      runNs += below?.runNs ?? 0;
      waitNs += below?.waitNs ?? 0;
    }
  }
  return { runNs, waitNs };
}

/** Time that the hypervisor gave to others while this machine had work, over all processors, and all time, in ticks. */
export async function readSteal(): Promise<
  { readonly stealTicks: number; readonly totalTicks: number } | undefined
> {
  const [line = ''] = (await readText('/proc/stat')).split('\n', 1);
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  const steal = ticks[7];
  if (steal === undefined) return undefined;
  return { stealTicks: steal, totalTicks: ticks.reduce((sum, value) => sum + value, 0) };
}

function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
