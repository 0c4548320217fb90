import { inTransaction } from './database.ts';
import type { MetricDatabase } from './metric-database.ts';
import type { MetricStore } from './metric-store.ts';
import { sealChunk } from './sealed-chunk.ts';
import type { MemorySeries } from './series.ts';
import type { SeriesReader } from './series-reader.ts';

const sealSlice = 500;
const deleteSlice = 2_000;
/** How long after its end a block still takes samples. */
const graceMs = 60_000;

interface MaintenanceOptions {
  readonly retentionMs: number;
  readonly retentionBytes?: number;
  readonly now: () => number;
}

interface Sealing {
  readonly startMs: number;
  readonly queue: readonly MemorySeries[];
  next: number;
  samples: number;
}

/**
 * Seals finished blocks and removes expired ones, in steps short enough to run between two queries. A crash in between is
 * harmless: the journal holds a block until it is complete, and the chunks that are left of an interrupted removal are
 * found and removed.
 */
export class StoreMaintenance {
  readonly #store: MetricStore;
  readonly #database: MetricDatabase;
  readonly #reader: SeriesReader;
  readonly #options: MaintenanceOptions;
  #sealing: Sealing | undefined;

  constructor(
    store: MetricStore,
    database: MetricDatabase,
    reader: SeriesReader,
    options: MaintenanceOptions,
  ) {
    this.#store = store;
    this.#database = database;
    this.#reader = reader;
    this.#options = options;
  }

  step(): boolean {
    this.#sealing ??= this.#nextSealing();
    if (this.#sealing !== undefined) {
      this.#seal(this.#sealing);
      return true;
    }
    return this.#expire();
  }

  #nextSealing(): Sealing | undefined {
    const { blockMs } = this.#store;
    let startMs = Number.POSITIVE_INFINITY;
    for (const series of this.#store.index.all())
      startMs = Math.min(startMs, series.chunks[0]?.baseMs ?? Number.POSITIVE_INFINITY);
    if (startMs + blockMs + graceMs > this.#options.now()) return undefined;
    this.#store.sealedMs = startMs + blockMs;
    const queue = [...this.#store.index.all()]
      .filter((series) => series.chunks[0]?.baseMs === startMs)
      .sort((a, b) => a.id - b.id);
    return { startMs, queue, next: 0, samples: 0 };
  }

  #seal(sealing: Sealing): void {
    const { startMs, queue } = sealing;
    const slice = queue.slice(sealing.next, sealing.next + sealSlice);
    const isLast = sealing.next + slice.length === queue.length;
    let samples = 0;
    inTransaction(this.#database.connection, () => {
      for (const { id, chunks } of slice) {
        const chunk = chunks[0];
        if (chunk === undefined) continue;
        this.#database.insertChunk(startMs, id, chunk.count, sealChunk(chunk));
        samples += chunk.count;
      }
      if (isLast) {
        const ids = queue.map(({ id }) => id);
        const endMs = startMs + this.#store.blockMs;
        this.#database.completeBlock(startMs, endMs, sealing.samples + samples, ids);
      }
    });
    sealing.next += slice.length;
    sealing.samples += samples;
    if (!isLast) return;
    for (const series of queue) series.dropOldest();
    this.#reader.addBlock({ startMs, samples: sealing.samples });
    this.#sealing = undefined;
  }

  #expire(): boolean {
    const { blockMs } = this.#store;
    const cutoffMs = this.#options.now() - this.#options.retentionMs;
    const oldestMs = this.#database.oldestChunkBlock();
    if (oldestMs === undefined) return false;
    const isTooOld = oldestMs + blockMs <= cutoffMs;
    const isOrphan = !this.#reader.blocks.some(({ startMs }) => startMs === oldestMs);
    // The backlog of remote write has its own bound, so an outage of a receiver costs no history.
    const { retentionBytes = Number.POSITIVE_INFINITY } = this.#options;
    const isTooMuch = this.#database.usedBytes() - this.#store.outbox.bytes > retentionBytes;
    if (!isTooOld && !isOrphan && !isTooMuch) return false;
    this.#reader.removeBlock(oldestMs);
    inTransaction(this.#database.connection, () => {
      this.#database.deleteBlockPart(oldestMs, deleteSlice);
    });
    if (this.#database.oldestChunkBlock() !== oldestMs) this.#forgetSeries();
    return true;
  }

  // Removes series whose newest sample lay in a removed block.
  #forgetSeries(): void {
    const oldestMs = this.#reader.oldestMs ?? this.#store.sealedMs;
    const gone = [...this.#store.index.all()].filter(
      (series) =>
        series.chunks.length === 0 && series.lastMs < oldestMs && series.lastMs > Number.NEGATIVE_INFINITY,
    );
    if (gone.length === 0) return;
    inTransaction(this.#database.connection, () => {
      this.#database.deleteSeries(gone.map(({ id }) => id));
    });
    this.#store.index.remove(gone);
    this.#database.deleteMetadata(this.#store.descriptions.prune());
  }
}
