import { copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, ServiceError } from '../errors.ts';
import { hasLostCommits } from './wal-check.ts';

/** SQLite's primary result code behind an error of `node:sqlite`, or `undefined` for any other error. */
export function sqliteCode(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('errcode' in thrown)) return undefined;
  return typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined;
}

const sqliteBusy = 5;
const sqliteCorrupt = 11;
const sqliteNotADatabase = 26;

/** Whether the file itself is at fault, so that only setting it aside helps. */
export function isDamage(thrown: unknown): boolean {
  const code = sqliteCode(thrown);
  return code === sqliteCorrupt || code === sqliteNotADatabase || thrown instanceof RangeError;
}

export interface OpenedDatabase<T> {
  readonly value: T;
  /** Where a damaged file was moved to, or `undefined` when the file was sound. */
  readonly setAside: string | undefined;
  /** A copy of a damaged write-ahead file, whose commits behind the damage are lost; or `undefined` when none is. */
  readonly lostCommits: string | undefined;
}

/**
 * Opens a database file for this process alone and hands it to `load`. When the file turns out damaged on the way it
 * is moved beside itself (`<file>.damaged-<time>`) and `load` runs again on a new one. Of a damaged write-ahead file a copy is kept
 * (`<file>-wal.damaged-<time>`).
 * @throws ServiceError `ERR_WEIR_SERVICE_STORE_OPEN` when another process holds the file or it cannot be created.
 */
export function openDatabase<T>(
  path: string,
  nowMs: number,
  load: (database: DatabaseSync) => T,
): OpenedDatabase<T> {
  const suffix = `.damaged-${new Date(nowMs).toISOString().replaceAll(':', '-')}`;
  let lostCommits: string | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    lostCommits = copyDamagedWal(`${path}-wal`, suffix);
    const value = openOnce(path, (database) => {
      // What is found of it goes into the database, and the file begins anew.
      if (lostCommits !== undefined) database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return load(database);
    });
    return { value, setAside: undefined, lostCommits };
  } catch (thrown) {
    if (!isDamage(thrown)) throw openError(path, thrown);
  }
  const setAside = path + suffix;
  try {
    renameSync(path, setAside);
    for (const companion of ['-wal', '-shm', '-journal']) rmSync(path + companion, { force: true });
    return { value: openOnce(path, load), setAside, lostCommits };
  } catch (thrown) {
    throw openError(path, thrown);
  }
}

function copyDamagedWal(path: string, suffix: string): string | undefined {
  if (!hasLostCommits(path)) return undefined;
  try {
    copyFileSync(path, path + suffix);
    return path + suffix;
  } catch {
    // A full disk takes no copy. The loss is reported all the same.
    return path;
  }
}

function openOnce<T>(path: string, load: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path);
  try {
    database.exec(`
      PRAGMA page_size = 8192;
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = 256;
      PRAGMA cache_size = -16384;
      PRAGMA temp_store = MEMORY;
    `);
    return load(database);
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

function openError(path: string, thrown: unknown): ServiceError {
  const reason =
    sqliteCode(thrown) === sqliteBusy
      ? 'another process has it open. Stop that one or set another `store.path`.'
      : `${messageOf(thrown)}. Check that \`store.path\` names a directory this user may write.`;
  return new ServiceError('ERR_WEIR_SERVICE_STORE_OPEN', `Cannot open ${path}: ${reason}`, thrown);
}

/** Runs `work` in one transaction: all of it is there after any crash, or nothing. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (thrown) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw thrown;
  }
}
