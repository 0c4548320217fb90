import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Labels } from '@weir/promql';
import { type JournalRecord, readRecord } from './journal-record.ts';

const schema = `
  CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS outbox_cursors (receiver TEXT PRIMARY KEY, sent INTEGER NOT NULL) WITHOUT ROWID;
`;

/** What a receiver asks the outbox for. */
export interface OutgoingQuery {
  readonly receiver: string;
  /** Size of the request before compression. */
  readonly maxBytes: number;
  /** Samples that the receiver has already of the first batch that it lacks. */
  readonly skip: number;
}

/** A remote write request with what a receiver lacks. */
export interface Outgoing {
  readonly data: Uint8Array;
  /** In `data`; 0 when the receiver lacks nothing. */
  readonly samples: number;
  /** What to confirm when the receiver has it: the last batch that is in there to its end, or 0. */
  readonly through: number;
  /** Samples in `data` of the batch behind that one. */
  readonly skip: number;
  /** Samples left out because their series or their batch cannot be read any more. */
  readonly expired: number;
  /** Samples dropped unsent from a full backlog since the start. */
  readonly dropped: number;
}

/** A batch that a receiver has yet to take; `record` is absent when it cannot be read any more. */
interface OutgoingBatch {
  readonly id: number;
  readonly record: JournalRecord | undefined;
}

/**
 * Batches that receivers of remote write have yet to take, written in the transaction that takes the samples themselves.
 * A receiver has a cursor; a batch that all have taken is deleted. Bounded: beyond `maxBytes` the oldest batches are dropped unsent.
 */
export class Outbox {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #oldest: StatementSync;
  readonly #delete: StatementSync;
  readonly #select: StatementSync;
  readonly #maxBytes: number;
  #receivers: readonly string[];
  #bytes = 0;
  #dropped = 0;

  constructor(database: DatabaseSync, maxBytes: number) {
    this.#database = database;
    this.#maxBytes = maxBytes;
    database.exec(schema);
    this.#insert = database.prepare('INSERT INTO outbox (data) VALUES (?)');
    this.#oldest = database.prepare('SELECT id, data FROM outbox ORDER BY id LIMIT 1');
    this.#delete = database.prepare('DELETE FROM outbox WHERE id = ?');
    this.#select = database.prepare(
      `SELECT id, data FROM outbox WHERE id > coalesce((SELECT sent FROM outbox_cursors WHERE receiver = ?), 0)
       ORDER BY id`,
    );
    // Known from the first batch on, before a configuration names them again.
    this.#receivers = database
      .prepare('SELECT receiver FROM outbox_cursors')
      .all()
      .map(({ receiver }) => String(receiver));
    this.recount();
  }

  /** Bytes of the database that the batches take, to within a few per cent. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Samples dropped unsent since the start: the oldest of a full outbox. */
  get dropped(): number {
    return this.#dropped;
  }

  /** A receiver that is new begins with the next batch. */
  setReceivers(receivers: readonly string[]): void {
    this.#receivers = receivers;
    const last = this.#database.prepare('SELECT coalesce(max(id), 0) AS id FROM outbox').get()?.id;
    const add = this.#database.prepare('INSERT OR IGNORE INTO outbox_cursors (receiver, sent) VALUES (?, ?)');
    for (const receiver of receivers) add.run(receiver, Number(last));
    this.#database
      .prepare('DELETE FROM outbox_cursors WHERE receiver NOT IN (SELECT value FROM json_each(?))')
      .run(JSON.stringify(receivers));
    this.#trim();
  }

  /** Call within the transaction of the batch, and `recount` when that is rolled back. */
  add(record: Uint8Array): void {
    if (this.#receivers.length === 0) return;
    const size = storedBytes(record.length);
    while (this.#bytes > 0 && this.#bytes + size > this.#maxBytes) this.#dropOldest();
    this.#insert.run(record);
    this.#bytes += size;
  }

  /** The batches that a receiver lacks, oldest first. */
  *batches(receiver: string): Generator<OutgoingBatch> {
    for (const { id, data } of this.#select.iterate(receiver))
      yield { id: Number(id), record: readRecord(data as Uint8Array) };
  }

  /**
   * The next request for a receiver, as many of its oldest batches as fit.
   * @param labelsOf Labels of the series with an id, or `undefined` when the store holds no such series.
   */
  next({ receiver, maxBytes, skip }: OutgoingQuery, labelsOf: (id: number) => Labels | undefined): Outgoing {
    const request = new WriteRequest(maxBytes);
    let through = 0;
    let begun = 0;
    let expired = 0;
    fill: for (const { id, record } of this.batches(receiver)) {
      if (record === undefined) expired++;
      const { ids, times, values } = record ?? unreadable;
      for (let at = through === 0 ? skip : 0; at < ids.length; at++) {
        const labels = labelsOf(ids[at] as number);
        if (labels === undefined) expired++;
        else if (!request.add({ labels, timeMs: times[at] as number, values, at })) {
          begun = at;
          break fill;
        }
      }
      through = id;
    }
    const { samples } = request;
    return { data: request.encode(), samples, through, skip: begun, expired, dropped: this.#dropped };
  }

  /** The receiver has every batch up to and with this one. */
  confirm(receiver: string, through: number): void {
    this.#database.prepare('UPDATE outbox_cursors SET sent = ? WHERE receiver = ?').run(through, receiver);
    this.#trim();
  }

  /** Reads from the database how much waits. */
  recount(): void {
    this.#bytes = this.#bytesWhere('true');
  }

  #dropOldest(): void {
    const row = this.#oldest.get();
    if (row === undefined) {
      this.#bytes = 0;
      return;
    }
    const data = row.data as Uint8Array;
    this.#delete.run(Number(row.id));
    this.#bytes -= storedBytes(data.length);
    this.#dropped += readRecord(data)?.ids.length ?? 0;
  }

  #trim(): void {
    const isSent = 'id <= coalesce((SELECT min(sent) FROM outbox_cursors), 9223372036854775807)';
    this.#bytes -= this.#bytesWhere(isSent);
    this.#database.exec(`DELETE FROM outbox WHERE ${isSent}`);
  }

  // The length of a blob stands in the head of its row: its pages are not read.
  #bytesWhere(condition: string): number {
    const lengths = this.#database
      .prepare(`SELECT length(data) AS bytes FROM outbox WHERE ${condition}`)
      .iterate();
    let sum = 0;
    for (const { bytes } of lengths) sum += storedBytes(Number(bytes));
    return sum;
  }
}

const unreadable: JournalRecord = { ids: [], times: new Float64Array(0), values: new Float64Array(0) };

const pageBytes = 8_192;

/**
 * Bytes that a row of so long a blob takes in pages of SQLite ("Database File Format", §1.6): as many rows of its kind as fit into a
 * leaf share it, and what a leaf does not take lies in overflow pages.
 */
function storedBytes(length: number): number {
  const payload = length + 5;
  const mostLocal = pageBytes - 35;
  let local = payload;
  let overflow = 0;
  if (payload > mostLocal) {
    const leastLocal = Math.floor(((pageBytes - 12) * 32) / 255) - 23;
    local = leastLocal + ((payload - leastLocal) % (pageBytes - 4));
    if (local > mostLocal) local = leastLocal;
    overflow = Math.ceil((payload - local) / (pageBytes - 4));
  }
  const rowsOfLeaf = Math.max(1, Math.floor((pageBytes - 8) / (local + 7)));
  return overflow * pageBytes + Math.ceil(pageBytes / rowsOfLeaf);
}

/** One sample of a remote write. The value stays in its array, so that a stale marker keeps its bits. */
interface WriteSample {
  readonly labels: Labels;
  readonly timeMs: number;
  readonly values: Float64Array;
  readonly at: number;
}

interface WriteSeries {
  readonly labels: Buffer;
  readonly samples: Buffer[];
}

/** Tag and length of a message of protobuf, at most. */
const headBytes = 6;

/** `prometheus.WriteRequest` (remote write 1.0) up to a size, not yet compressed. Series come once, with their samples in order. */
class WriteRequest {
  readonly #maxBytes: number;
  readonly #series = new Map<Labels, WriteSeries>();
  #bytes = 0;
  #samples = 0;

  /** @param maxBytes Size of the encoded request. The first sample is taken whatever its size. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get samples(): number {
    return this.#samples;
  }

  /** Returns whether the sample was taken. A request that is full takes no other. */
  add(sample: WriteSample): boolean {
    const known = this.#series.get(sample.labels);
    const series = known ?? { labels: encodeLabels(sample.labels), samples: [] };
    const encoded = lengthDelimited(2, encodeSample(sample));
    const bytes = encoded.length + (known === undefined ? series.labels.length + headBytes : 0);
    if (this.#samples > 0 && this.#bytes + bytes > this.#maxBytes) return false;
    this.#series.set(sample.labels, series);
    series.samples.push(encoded);
    this.#bytes += bytes;
    this.#samples++;
    return true;
  }

  encode(): Uint8Array {
    const all = Buffer.concat(
      [...this.#series.values()].map(({ labels, samples }) =>
        lengthDelimited(1, Buffer.concat([labels, ...samples])),
      ),
    );
    // Own memory, so that it can move between threads.
    return new Uint8Array(all);
  }
}

function encodeLabels(labels: Labels): Buffer {
  const fields: Buffer[] = [];
  for (const [name, value] of labels)
    fields.push(lengthDelimited(1, Buffer.concat([textField(1, name), textField(2, value)])));
  return Buffer.concat(fields);
}

function encodeSample({ timeMs, values, at }: WriteSample): Buffer {
  const bytes = Buffer.from(values.buffer, values.byteOffset + at * 8, 8);
  return Buffer.concat([Buffer.from([0x09]), bytes, Buffer.from([0x10]), varint(BigInt(Math.round(timeMs)))]);
}

function textField(field: number, text: string): Buffer {
  return lengthDelimited(field, Buffer.from(text));
}

function lengthDelimited(field: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2]), varint(BigInt(body.length)), body]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}
