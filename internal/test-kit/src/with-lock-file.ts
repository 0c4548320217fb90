import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Holds the lock file `path` for this process; a lock whose holder has died is taken over. */
export type LockAttempt =
  | { readonly locked: true; release(): void }
  | { readonly locked: false; readonly holder: number };

/** Takes the lock or tells at once who holds it. The file holds the pid. */
export function tryLockFile(path: string): LockAttempt {
  while (true) {
    if (create(path)) return { locked: true, release: () => rmSync(path, { force: true }) };
    const holder = readHolder(path);
    if (holder === undefined) continue;
    if (isAlive(holder)) return { locked: false, holder };
    if (readHolder(path) === holder) rmSync(path, { force: true });
  }
}

/** Runs `work` while holding the lock, so that of any number of processes one runs at a time. `onWait` is told once who holds it. */
export async function withLockFile<T>(
  path: string,
  work: () => Promise<T>,
  onWait?: (pid: number) => void,
): Promise<T> {
  let told = false;
  while (true) {
    const attempt = tryLockFile(path);
    if (attempt.locked) {
      try {
        return await work();
      } finally {
        attempt.release();
      }
    }
    if (!told) onWait?.(attempt.holder);
    told = true;
    await delay(100);
  }
}

function create(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** The pid in the lock, 0 while its holder has made the file and not yet written, `undefined` when it is gone. */
function readHolder(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
