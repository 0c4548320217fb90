import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { StartError } from '../errors.ts';

const killAfterMs = 2_000;

/** Ends a detached child and all its children: SIGTERM, after two seconds SIGKILL. */
export async function stopGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  const exited = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, 'exit');
  killGroup(child.pid, 'SIGTERM');
  if (exited !== undefined) {
    const timer = new AbortController();
    const late = delay(killAfterMs, undefined, { signal: timer.signal }).catch(() => undefined);
    await Promise.race([exited, late]);
    timer.abort();
  }
  // For what is left of the group, such as a child that ignored the signal.
  killGroup(child.pid, 'SIGKILL');
}

/** Signals every process of a group that is still there. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone.
  }
}

/** Kills a process group when this process exits. */
export function guardGroup(pid: number): ChildProcess {
  return guard(`kill -9 -${pid} 2> /dev/null`);
}

/** Removes a worktree of the repository at `root` when this process exits before it has done so. */
export function guardWorktree(root: string, worktree: string): ChildProcess {
  return guard('rm -rf -- "$1"; git -C "$2" worktree prune 2> /dev/null', worktree, root);
}

/**
 * Runs the script when this process exits, even by SIGKILL: a shell waits on a pipe that closes then. The shell has a process group of its own,
 * so that Ctrl-C in a terminal does not end it first.
 */
function guard(script: string, ...args: readonly string[]): ChildProcess {
  const child = spawn('sh', ['-c', `cat > /dev/null; ${script}`, 'sh', ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.on('error', () => {});
  child.stdin?.on('error', () => {});
  (child.stdin as Socket | null)?.unref();
  child.unref();
  return child;
}

const tailLength = 4_000;

/**
 * Runs a build's set-up command to its end, in a process group of its own. An abort, or the exit of this process, kills the whole
 * group.
 *
 * @throws {@link StartError} when it fails, or the signal's reason after an abort
 */
export async function runSetup(
  command: string,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const child = spawn('sh', ['-c', command], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const { pid } = child;
  const guard = pid === undefined ? undefined : guardGroup(pid);
  let tail = '';
  child.stderr.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-tailLength);
  });
  // A process that it left running would keep its standard error open.
  if (pid !== undefined) child.once('exit', () => killGroup(pid, 'SIGKILL'));
  const abort = (): void => void stopGroup(child);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const [code, by] = (await once(child, 'close')) as [number | null, string | null];
    signal?.throwIfAborted();
    if (code === 0) return;
    const reason = by === null ? `exited with code ${code}` : `was ended by ${by}`;
    throw new StartError(command, reason, lastLine(tail));
  } finally {
    signal?.removeEventListener('abort', abort);
    guard?.kill('SIGKILL');
  }
}

/** The last line of an output, or the first line that names an error. */
export function lastLine(text: string): string | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /^\w*Error\b.*:/.test(line)) ?? lines.at(-1);
}
