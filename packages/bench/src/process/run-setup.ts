import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { StartError } from '../errors.ts';
import { guardGroup, killGroup, stopGroup } from './process-group.ts';
import { lastLine } from './start-target.ts';

const tailLength = 4_000;

/**
 * Runs a build's set-up command to its end, in a process group of its own: an abort, or the end of this process, takes along all
 * that the command started.
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
  // What it left running would keep its standard error open.
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
