import type { DatabaseSync, StatementSync } from 'node:sqlite';

const schema = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, labels TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY, max_ms INTEGER NOT NULL, data BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS blocks (
    start_ms INTEGER PRIMARY KEY, samples INTEGER NOT NULL, series BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS chunks (
    block_ms INTEGER NOT NULL, series_id INTEGER NOT NULL, samples INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (block_ms, series_id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS metadata (
    metric TEXT PRIMARY KEY, type TEXT NOT NULL, help TEXT NOT NULL, unit TEXT NOT NULL) WITHOUT ROWID;
`;

/** Version of the tables and of the content of their blobs. A file of another version is set aside. */
const layoutVersion = 2;

interface BlockRow {
  readonly startMs: number;
  readonly samples: number;
  readonly seriesIds: readonly number[];
}

export interface ChunkRow {
  readonly seriesId: number;
  readonly samples: number;
  readonly data: Uint8Array;
}

/** The statements of the metric store on its tables. Knows rows, not series or time. */
export class MetricDatabase {
  readonly connection: DatabaseSync;
  readonly #insertSeries: StatementSync;
  readonly #insertJournal: StatementSync;
  readonly #insertChunk: StatementSync;
  readonly #selectChunks: StatementSync;
  readonly #deleteChunks: StatementSync;
  readonly #putMeta: StatementSync;
  readonly #putMetadata: StatementSync;

  constructor(connection: DatabaseSync) {
    this.connection = connection;
    connection.exec(schema);
    const version = this.#getMeta('layout');
    if (version === undefined) connection.exec(`INSERT INTO meta VALUES ('layout', ${layoutVersion})`);
    else if (version !== layoutVersion) throw new RangeError(`Unknown layout ${version}`);
    this.#insertSeries = connection.prepare('INSERT INTO series (id, labels) VALUES (?, ?)');
    this.#insertJournal = connection.prepare('INSERT INTO journal (max_ms, data) VALUES (?, ?)');
    this.#insertChunk = connection.prepare(
      'INSERT OR REPLACE INTO chunks (block_ms, series_id, samples, data) VALUES (?, ?, ?, ?)',
    );
    this.#selectChunks = connection.prepare(
      `SELECT c.series_id, c.samples, c.data FROM json_each(?) AS wanted
       CROSS JOIN chunks AS c ON c.block_ms = ? AND c.series_id = wanted.value`,
    );
    this.#selectChunks.setReturnArrays(true);
    this.#deleteChunks = connection.prepare(
      `DELETE FROM chunks WHERE block_ms = ?1 AND series_id <=
         (SELECT max(series_id) FROM (SELECT series_id FROM chunks WHERE block_ms = ?1 ORDER BY series_id LIMIT ?2))`,
    );
    this.#putMeta = connection.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
    this.#putMetadata = connection.prepare(
      'INSERT OR REPLACE INTO metadata (metric, type, help, unit) VALUES (?, ?, ?, ?)',
    );
  }

  #getMeta(key: string): number | undefined {
    const row = this.connection.prepare('SELECT value FROM meta WHERE key = ?').get(key);
    return row === undefined ? undefined : Number(row.value);
  }

  /** Samples before this time are in sealed blocks and no longer in the journal. */
  get sealedMs(): number {
    return this.#getMeta('sealed_ms') ?? Number.NEGATIVE_INFINITY;
  }

  insertSeries(id: number, labels: string): void {
    this.#insertSeries.run(id, labels);
  }

  *allSeries(): Generator<{ id: number; labels: string }> {
    for (const row of this.connection.prepare('SELECT id, labels FROM series ORDER BY id').iterate())
      yield { id: Number(row.id), labels: String(row.labels) };
  }

  deleteSeries(ids: readonly number[]): void {
    this.connection
      .prepare('DELETE FROM series WHERE id IN (SELECT value FROM json_each(?))')
      .run(JSON.stringify(ids));
  }

  deleteMetadata(metrics: readonly string[]): void {
    this.connection
      .prepare('DELETE FROM metadata WHERE metric IN (SELECT value FROM json_each(?))')
      .run(JSON.stringify(metrics));
  }

  appendJournal(maxMs: number, data: Uint8Array): void {
    this.#insertJournal.run(Math.ceil(maxMs), data);
  }

  *journal(): Generator<Uint8Array> {
    for (const row of this.connection.prepare('SELECT data FROM journal ORDER BY id').iterate())
      yield row.data as Uint8Array;
  }

  insertChunk(blockMs: number, seriesId: number, samples: number, data: Uint8Array): void {
    this.#insertChunk.run(blockMs, seriesId, samples, data);
  }

  /** Makes the block visible and drops what of the journal it replaces. Call within a transaction. */
  completeBlock(startMs: number, endMs: number, samples: number, seriesIds: readonly number[]): void {
    this.connection
      .prepare('INSERT OR REPLACE INTO blocks (start_ms, samples, series) VALUES (?, ?, ?)')
      .run(startMs, samples, encodeIds(seriesIds));
    this.connection.prepare('DELETE FROM journal WHERE max_ms < ?').run(endMs);
    this.#putMeta.run('sealed_ms', endMs);
  }

  blocks(): BlockRow[] {
    return this.connection
      .prepare('SELECT start_ms, samples, series FROM blocks ORDER BY start_ms')
      .all()
      .map((row) => ({
        startMs: Number(row.start_ms),
        samples: Number(row.samples),
        seriesIds: decodeIds(row.series as Uint8Array),
      }));
  }

  chunks(blockMs: number, seriesIds: readonly number[]): ChunkRow[] {
    const rows = this.#selectChunks.all(JSON.stringify(seriesIds), blockMs) as unknown as [
      number,
      number,
      Uint8Array,
    ][];
    return rows.map(([seriesId, samples, data]) => ({ seriesId, samples, data }));
  }

  /** Start of the oldest block that has chunks, listed in `blocks` or left over from an interrupted removal. */
  oldestChunkBlock(): number | undefined {
    const row = this.connection.prepare('SELECT block_ms FROM chunks ORDER BY block_ms LIMIT 1').get();
    return row === undefined ? undefined : Number(row.block_ms);
  }

  /** Removes the block's entry and at most `limit` of its chunks; returns how many went. */
  deleteBlockPart(blockMs: number, limit: number): number {
    this.connection.prepare('DELETE FROM blocks WHERE start_ms = ?').run(blockMs);
    return Number(this.#deleteChunks.run(blockMs, limit).changes);
  }

  putMetadata(metric: string, type: string, help: string, unit: string): void {
    this.#putMetadata.run(metric, type, help, unit);
  }

  metadata(): { metric: string; type: string; help: string; unit: string }[] {
    return this.connection
      .prepare('SELECT metric, type, help, unit FROM metadata')
      .all()
      .map((row) => ({
        metric: String(row.metric),
        type: String(row.type),
        help: String(row.help),
        unit: String(row.unit),
      }));
  }

  /** Bytes of the pages in use; free pages, which SQLite reuses, do not count. */
  usedBytes(): number {
    const read = (pragma: string): number =>
      Number(Object.values(this.connection.prepare(`PRAGMA ${pragma}`).get() ?? {})[0] ?? 0);
    return (read('page_count') - read('freelist_count')) * read('page_size');
  }
}

/** Encodes ascending ids as varints of their differences. */
function encodeIds(ids: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  let previous = 0;
  for (const id of ids) {
    let rest = id - previous;
    previous = id;
    while (rest >= 128) {
      bytes.push((rest & 127) | 128);
      rest >>>= 7;
    }
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}

function decodeIds(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  let id = 0;
  let shift = 0;
  let value = 0;
  for (const byte of bytes) {
    value |= (byte & 127) << shift;
    shift += 7;
    if (byte >= 128) continue;
    id += value >>> 0;
    ids.push(id);
    shift = 0;
    value = 0;
  }
  return ids;
}
