import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const runner = /(?:^|[\s/\\])(?:npm|npx|pnpm|pnpx)(?:@\S+|\.c?js)?(?:\s|$)/;
const glue = /^(?:\S*\/)?(?:ba|da|z)?sh\s+-c\s/;
const pollMs = 500;

/**
 * Calls back once when `npx`, npm or pnpm, through which this process was started, has ended. `npx` passes no signal on when
 * it alone is told to end, and would leave everything below it running.
 */
export function onRunnerGone(callback: () => void): void {
  const runners = runnersAbove(process.ppid);
  if (runners.length === 0) return;
  const timer = setInterval(() => {
    if (runners.every(isAlive)) return;
    clearInterval(timer);
    callback();
  }, pollMs);
  timer.unref();
}

/** Process ids of the unbroken chain of runners, and the shells that they start scripts with, above this process. */
function runnersAbove(parent: number): number[] {
  if (process.platform === 'win32') return [];
  const table = new Map<number, { parent: number; command: string }>();
  for (const line of execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n')) {
    const [, pid, above, command = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    table.set(Number(pid), { parent: Number(above), command });
  }
  const found: number[] = [];
  for (let pid = parent; ; ) {
    const entry = table.get(pid);
    if (entry === undefined) return found;
    if (glue.test(entry.command)) {
      // A shell's command line repeats what it runs; it is no runner itself.
    } else if (runner.test(entry.command)) found.push(pid);
    else return found;
    pid = entry.parent;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== 'linux') return true;
  try {
    // A zombie still takes signals: it has ended, and its parent has not asked how.
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
