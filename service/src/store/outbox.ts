import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Labels } from '@weir/promql';
import { type JournalRecord, readRecord } from './journal-record.ts';

const schema = `
  CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS outbox_cursors (receiver TEXT PRIMARY KEY, sent INTEGER NOT NULL) WITHOUT ROWID;
`;

/** The part of a batch that a receiver has already. */
export interface SentPart {
  /** Id of the batch. */
  readonly batch: number;
  /** How many of its first samples the receiver has. */
  readonly samples: number;
}

/** Parameters of {@link Outbox.next}. */
export interface OutgoingQuery {
  readonly receiver: string;
  /** Size of the request before compression. */
  readonly maxBytes: number;
  /** The part of an unconfirmed batch that is left out. It has no effect once a full backlog has dropped the batch. */
  readonly skip: SentPart | undefined;
}

/** A remote write request with the next samples for a receiver. */
export interface Outgoing {
  readonly data: Uint8Array;
  /** Samples in `data`; 0 when the receiver has everything. */
  readonly samples: number;
  /** The batch to confirm after delivery: the last one that `data` completes, or 0. */
  readonly through: number;
  /** The part to leave out after delivery: of the batch that `data` ends within, or `undefined`. */
  readonly skip: SentPart | undefined;
  /** Samples left out because their series expired or their batch is damaged. */
  readonly expired: number;
  /** Samples dropped unsent from a full backlog since the start. */
  readonly dropped: number;
}

/** A batch of the backlog; `record` is `undefined` when it is damaged. */
interface OutgoingBatch {
  readonly id: number;
  readonly record: JournalRecord | undefined;
}

/**
 * The backlog of remote write: batches that receivers still lack, written in the transaction of the samples themselves. Each receiver
 * has a cursor. A batch that all receivers confirmed is deleted. Beyond `maxBytes` the oldest batches are dropped unsent.
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
    // The receivers of the last run collect batches from the start, before the configuration names them again.
    this.#receivers = database
      .prepare('SELECT receiver FROM outbox_cursors')
      .all()
      .map(({ receiver }) => String(receiver));
    this.recount();
  }

  /** Bytes of the database that the batches take, within a few per cent. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Samples dropped unsent from a full outbox since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Replaces the receivers. A new receiver begins with the next batch. */
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

  /** Adds a batch, within the transaction of its samples. Call `recount` after a rollback. */
  add(record: Uint8Array): void {
    if (this.#receivers.length === 0) return;
    const size = storedBytes(record.length);
    while (this.#bytes > 0 && this.#bytes + size > this.#maxBytes) this.#dropOldest();
    this.#insert.run(record);
    this.#bytes += size;
  }

  /** The unconfirmed batches of a receiver, oldest first. */
  *batches(receiver: string): Generator<OutgoingBatch> {
    for (const { id, data } of this.#select.iterate(receiver))
      yield { id: Number(id), record: readRecord(data as Uint8Array) };
  }

  /**
   * The next request for a receiver: as many of its oldest samples as fit.
   * @param labelsOf Labels of the series with an id, or `undefined` when the store holds no such series.
   */
  next({ receiver, maxBytes, skip }: OutgoingQuery, labelsOf: (id: number) => Labels | undefined): Outgoing {
    const request = new WriteRequest(maxBytes);
    let through = 0;
    let begun: SentPart | undefined;
    let expired = 0;
    fill: for (const { id, record } of this.batches(receiver)) {
      if (record === undefined) expired++;
      const { ids, times, values } = record ?? unreadable;
      for (let at = id === skip?.batch ? skip.samples : 0; at < ids.length; at++) {
        const labels = labelsOf(ids[at] as number);
        if (labels === undefined) expired++;
        else if (!request.add({ labels, timeMs: times[at] as number, values, at })) {
          begun = { batch: id, samples: at };
          break fill;
        }
      }
      through = id;
    }
    const { samples } = request;
    return { data: request.encode(), samples, through, skip: begun, expired, dropped: this.#dropped };
  }

  /** Records that the receiver has every batch up to and including `through`. */
  confirm(receiver: string, through: number): void {
    this.#database.prepare('UPDATE outbox_cursors SET sent = ? WHERE receiver = ?').run(through, receiver);
    this.#trim();
  }

  /** Recomputes {@link bytes} from the database. */
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

  // SQLite reads a blob's length from the row's header, without the blob's pages.
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
 * Bytes of database pages that a row with a blob of `length` bytes takes (SQLite's "Database File Format", §1.6). Rows share a leaf
 * page; the part of a blob that does not fit in the leaf lies in overflow pages.
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

/** One sample for a request. Its value is read from the array, so that a stale marker keeps its bits. */
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

/** The most bytes of a protobuf message's tag and length. */
const headBytes = 6;

/** Builds a `prometheus.WriteRequest` (remote write 1.0) up to a size, uncompressed. Each series appears once, with its samples in order. */
class WriteRequest {
  readonly #maxBytes: number;
  readonly #series = new Map<Labels, WriteSeries>();
  #bytes = 0;
  #samples = 0;

  /** @param maxBytes Size of the encoded request. The first sample is always taken. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get samples(): number {
    return this.#samples;
  }

  /** Returns whether the sample was taken; `false` once the request is full. */
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
    // A copy with its own memory, which can be transferred to another thread.
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
