import { readdirSync, readFileSync } from 'node:fs';

/** Monotonic milliseconds. `performance` is one. */
export interface Clock {
  now(): number;
}

/** What the kernel has counted for this process and this machine at one moment. */
export interface CpuSnapshot {
  readonly atMs: number;
  /** Processor time of this process. */
  readonly cpuUs: number;
  /** Time in which threads of this process were runnable, but waited for a processor. */
  readonly waitNs: number | undefined;
  readonly steal: ReturnType<typeof readSteal>;
}

/** Reads the counters of this process and this machine. */
export function snapshotCpu(clock: Clock): CpuSnapshot {
  const { user, system } = process.cpuUsage();
  return {
    atMs: clock.now(),
    cpuUs: user + system,
    waitNs: readCpuTime(process.pid)?.waitNs,
    steal: readSteal(),
  };
}

/** What the kernel has counted for threads, in nanoseconds since their start. */
interface CpuTime {
  readonly runNs: number;
  /** Runnable, but waiting for a processor. */
  readonly waitNs: number;
}

/**
 * Sums `/proc/<pid>/task/*\/schedstat` over the threads of a process. Threads that have ended are missing from the sum. It reads
 * synchronously, since the files are in memory and a starved process would read them too late otherwise.
 *
 * @returns `undefined` when the kernel does not report it (not Linux, or no such process)
 */
export function readCpuTime(pid: number): CpuTime | undefined {
  return sumTasks(pid, false);
}

/** As {@link readCpuTime}, with all child processes, since a server may be a shell, a wrapper or a cluster. */
export function readTreeCpuTime(pid: number): CpuTime | undefined {
  return sumTasks(pid, true);
}

function sumTasks(pid: number, withChildren: boolean): CpuTime | undefined {
  const tasks = readTasks(pid);
  if (tasks === undefined) return undefined;
  let runNs = 0;
  let waitNs = 0;
  for (const task of tasks) {
    const base = `/proc/${pid}/task/${task}`;
    const [run = 0, wait = 0] = readText(`${base}/schedstat`).split(' ').map(Number);
    runNs += run;
    waitNs += wait;
    if (!withChildren) continue;
    for (const child of readText(`${base}/children`).split(' ').filter(Boolean)) {
      const below = sumTasks(Number(child), true);
      runNs += below?.runNs ?? 0;
      waitNs += below?.waitNs ?? 0;
    }
  }
  return { runNs, waitNs };
}

/** Time of all processors in ticks: stolen by the hypervisor, and in total. */
export function readSteal(): { readonly stealTicks: number; readonly totalTicks: number } | undefined {
  const [line = ''] = readText('/proc/stat').split('\n', 1);
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  const steal = ticks[7];
  if (steal === undefined) return undefined;
  return { stealTicks: steal, totalTicks: ticks.reduce((sum, value) => sum + value, 0) };
}

function readTasks(pid: number): string[] | undefined {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return undefined;
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** A command line that runs on the processor `cpu`; unchanged without it. */
export function pinned(command: readonly string[], cpu: number | undefined): readonly [string, ...string[]] {
  const [file = '', ...args] = command;
  return cpu === undefined ? [file, ...args] : ['taskset', '-c', String(cpu), file, ...args];
}
