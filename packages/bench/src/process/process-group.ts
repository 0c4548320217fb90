import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const killAfterMs = 2_000;

/** Ends a detached child and everything it started: SIGTERM, after two seconds SIGKILL. */
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
  // Whatever of the group is left, a child that ignored the signal included.
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

/**
 * Waits on a pipe that closes when this process ends, even by SIGKILL, and then takes the group along. It has a group
 * of its own, so that Ctrl-C in a terminal does not reach it first.
 */
export function guardGroup(pid: number): ChildProcess {
  const script = `cat > /dev/null; kill -9 -${pid} 2> /dev/null`;
  const guard = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  guard.on('error', () => {});
  guard.stdin?.on('error', () => {});
  (guard.stdin as Socket | null)?.unref();
  guard.unref();
  return guard;
}
