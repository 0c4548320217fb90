import { createHash } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { TestKitError } from './errors.ts';

/** Whether an account without privileges can walk to `path`: no directory on the way forbids it. */
export function isReachable(path: string): boolean {
  for (let current = resolve(path); ; current = dirname(current)) {
    if (existsSync(current) && (statSync(current).mode & 0o001) === 0) return false;
    if (current === dirname(current)) return true;
  }
}

/** The system's temporary directory, or another one where TMPDIR is closed to other accounts. */
export function reachableTemporary(): string {
  return [tmpdir(), '/var/tmp', '/tmp'].find(isReachable) ?? tmpdir();
}

/**
 * `wanted` if an account without privileges can walk to its parent, which is opened for passage if it alone is closed; else a directory that stands in for it, the same one for
 * the same path: a checkout below /root, or in a directory of mktemp, is closed to the account that runs PostgreSQL for root.
 */
export function reachableDirectory(wanted: string, owners: readonly number[]): string {
  const path = resolve(wanted);
  const parent = dirname(path);
  if (isReachable(dirname(parent)) && existsSync(parent) && !isReachable(parent)) {
    // The state directory itself, made by mkdtemp as often as not: open for passage, still closed for reading.
    chmodSync(parent, statSync(parent).mode | 0o001);
  }
  if (isReachable(parent)) return path;
  const name = createHash('sha256').update(path).digest('hex').slice(0, 12);
  const base = ['/var/tmp', reachableTemporary()].find(
    (directory) => existsSync(directory) && isReachable(directory),
  );
  const other = join(base ?? reachableTemporary(), `weir-${name}`);
  // Anyone may make a directory there first; only root's own or its PostgreSQL account's is trusted.
  const found = lstatSync(other, { throwIfNoEntry: false });
  if (found === undefined || (found.isDirectory() && [0, ...owners].includes(found.uid))) return other;
  throw new TestKitError(
    'ERR_WEIR_TEST_KIT_SERVER_FAILED',
    'PostgreSQL',
    `${other} belongs to someone else. Remove it.`,
  );
}
