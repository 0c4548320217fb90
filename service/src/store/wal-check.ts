import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * SQLite takes a write-ahead file for complete up to the first frame that its checksum does not confirm, and forgets what lies behind
 * it without a word. That is right for a frame half written when the process ended. It is loss where the frame is damaged: then
 * transactions that were committed lie behind it.
 *
 * The file (SQLite's "Database File Format", §4): a header of 32 bytes, then frames of 24 bytes and a page. Each frame has the salts of
 * the header, and a checksum that continues the one of the frame before. A frame that ends a transaction has the size of the database
 * in its second word, others 0.
 */
const headerBytes = 32;
const frameHeaderBytes = 24;

type Checksum = readonly [number, number];

/** Whether the write-ahead file holds commits that SQLite will not find. `false` where there is no such file. */
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
  // What is behind the last whole frame was being written.
  for (let at = headerBytes; at + frame.length <= size; at += frame.length) {
    readSync(file, frame, 0, frame.length, at);
    // Frames with other salts are left from before the file was begun anew.
    const isCurrent = frame.subarray(8, 16).equals(salts);
    if (isIntact && isCurrent) {
      const head = checksum(frame.subarray(0, 8), before, isBigEndian);
      before = checksum(frame.subarray(frameHeaderBytes), head, isBigEndian);
    }
    isIntact &&= isCurrent && isEqual(before, storedAt(frame, 16));
    // What a transaction that was rolled back leaves has no commit.
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
