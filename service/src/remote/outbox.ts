import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { decodeRecord, type JournalRecord } from '../store/journal-record.ts';

const schema = `
  CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS outbox_cursors (receiver TEXT PRIMARY KEY, sent INTEGER NOT NULL) WITHOUT ROWID;
`;

/**
 * Batches that receivers of remote write have yet to take, written in the transaction that takes the samples themselves.
 * A receiver has a cursor; what all have taken goes. Bounded: beyond `capacity` batches the oldest go unsent.
 */
export class Outbox {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #capacity: number;
  #receivers: readonly string[];

  constructor(database: DatabaseSync, capacity = 100_000) {
    this.#database = database;
    this.#capacity = capacity;
    database.exec(schema);
    this.#insert = database.prepare('INSERT INTO outbox (data) VALUES (?)');
    // Known from the first batch on, before a configuration names them again.
    this.#receivers = database
      .prepare('SELECT receiver FROM outbox_cursors')
      .all()
      .map(({ receiver }) => String(receiver));
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

  /** Call within the transaction of the batch. */
  add(record: Uint8Array): void {
    if (this.#receivers.length > 0) this.#insert.run(record);
  }

  /** The batches a receiver lacks, oldest first, and the place to confirm when it has them. */
  next(
    receiver: string,
    limit: number,
  ): { readonly records: readonly JournalRecord[]; readonly through: number } {
    const rows = this.#database
      .prepare(
        `SELECT id, data FROM outbox WHERE id > coalesce((SELECT sent FROM outbox_cursors WHERE receiver = ?), 0)
         ORDER BY id LIMIT ?`,
      )
      .all(receiver, limit);
    return {
      records: rows.map((row) => decodeRecord(row.data as Uint8Array)),
      through: Number(rows.at(-1)?.id ?? 0),
    };
  }

  confirm(receiver: string, through: number): void {
    this.#database.prepare('UPDATE outbox_cursors SET sent = ? WHERE receiver = ?').run(through, receiver);
    this.#trim();
  }

  /** Batches that some receiver lacks. */
  get size(): number {
    return Number(this.#database.prepare('SELECT count(*) AS n FROM outbox').get()?.n ?? 0);
  }

  #trim(): void {
    this.#database
      .prepare(
        'DELETE FROM outbox WHERE id <= coalesce((SELECT min(sent) FROM outbox_cursors), 9223372036854775807)',
      )
      .run();
    this.#database
      .prepare('DELETE FROM outbox WHERE id <= (SELECT max(id) FROM outbox) - ?')
      .run(this.#capacity);
  }
}
