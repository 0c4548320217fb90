import {
  closeSync,
  copyFileSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, ServiceError } from '../errors.ts';

/** SQLite's primary result code behind an error of `node:sqlite`, or `undefined` for any other error. */
export function sqliteCode(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('errcode' in thrown)) return undefined;
  return typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined;
}

const sqliteBusy = 5;
const sqliteCorrupt = 11;
const sqliteNotADatabase = 26;

/** Whether the file itself is damaged, so that it has to be set aside. */
function isDamage(thrown: unknown): boolean {
  const code = sqliteCode(thrown);
  return code === sqliteCorrupt || code === sqliteNotADatabase || thrown instanceof RangeError;
}

interface OpenedDatabase<T> {
  readonly value: T;
  /** Where a damaged file was moved to, or `undefined` when the file was sound. */
  readonly setAside: string | undefined;
  /** A copy of a damaged write-ahead file, of which the commits behind the damage are lost; else `undefined`. */
  readonly lostCommits: string | undefined;
}

/**
 * Opens a database file for this process alone and calls `load` with it. A damaged file is renamed (`<file>.damaged-<time>`), and
 * `load` runs again with a new one. A damaged write-ahead file is copied (`<file>-wal.damaged-<time>`).
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
      // The intact commits move into the database, and the write-ahead file starts empty.
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
    // The disk may be too full for a copy. The loss is still reported.
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
      ? 'another process has it open. Stop that process or set another `store.path`.'
      : `${messageOf(thrown)}. Check that \`store.path\` names a directory that this user may write to.`;
  return new ServiceError('ERR_WEIR_SERVICE_STORE_OPEN', `Cannot open ${path}: ${reason}`, thrown);
}

/** Runs `work` in one transaction: a crash leaves all of it or nothing. */
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

/**
 * SQLite reads a write-ahead file up to the first frame with a wrong checksum and silently ignores the rest. That is right for a frame
 * that was half written when the process ended. When the frame is damaged, committed transactions behind it are lost.
 *
 * The file (SQLite's "Database File Format", §4): a header of 32 bytes, then frames of 24 bytes and a page. Each frame has the salts of
 * the header, and a checksum that continues the one of the frame before. A frame that ends a transaction has the size of the database
 * in its second word, others 0.
 */
const headerBytes = 32;
const frameHeaderBytes = 24;

type Checksum = readonly [number, number];

/** Whether the write-ahead file holds commits that SQLite ignores. `false` when there is no such file. */
export function hasLostCommits(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
  try {
    return scan(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

function scan(file: number, size: number): boolean {
  if (size <= headerBytes) return false;
  const header = Buffer.alloc(headerBytes);
  readSync(file, header, 0, headerBytes, 0);
  const pageBytes = header.readUInt32BE(8);
  const isBigEndian = header.readUInt32BE(0) === 0x377f0683;
  const isKnown = isBigEndian || header.readUInt32BE(0) === 0x377f0682;
  const first = checksum(header.subarray(0, 24), [0, 0], isBigEndian);
  if (!isKnown || !isEqual(first, storedAt(header, 24)) || pageBytes < 512 || pageBytes > 65_536) return true;
  const salts = header.subarray(16, 24);
  const frame = Buffer.alloc(frameHeaderBytes + pageBytes);
  let before = first;
  let isIntact = true;
  // A partial frame at the end was being written.
  for (let at = headerBytes; at + frame.length <= size; at += frame.length) {
    readSync(file, frame, 0, frame.length, at);
    // Frames with other salts are left over from before the last restart of the file.
    const isCurrent = frame.subarray(8, 16).equals(salts);
    if (isIntact && isCurrent) {
      const head = checksum(frame.subarray(0, 8), before, isBigEndian);
      before = checksum(frame.subarray(frameHeaderBytes), head, isBigEndian);
    }
    isIntact &&= isCurrent && isEqual(before, storedAt(frame, 16));
    // Frames of a transaction that was rolled back have no commit frame.
    if (!isIntact && isCurrent && frame.readUInt32BE(4) !== 0) return true;
  }
  return false;
}

function storedAt(bytes: Buffer, at: number): Checksum {
  return [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)];
}

function isEqual([a, b]: Checksum, [c, d]: Checksum): boolean {
  return a === c && b === d;
}

function checksum(bytes: Buffer, [first, second]: Checksum, isBigEndian: boolean): Checksum {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let a = first;
  let b = second;
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + view.getUint32(at, !isBigEndian) + b) >>> 0;
    b = (b + view.getUint32(at + 4, !isBigEndian) + a) >>> 0;
  }
  return [a, b];
}
