import {
  Labels,
  type Matcher,
  PromqlError,
  type Queryable,
  type SelectLimits,
  type Series,
} from '@weir/promql';
import { messageOf, ServiceError } from '../errors.ts';
import { BlockReader, damageWarning } from './block-reader.ts';
import { highWord, lowWord } from './chunk.ts';
import { ChunkMemory } from './chunk-memory.ts';
import { inTransaction, openDatabase, sqliteCode } from './database.ts';
import { type Exemplar, ExemplarStore } from './exemplars.ts';
import { encodeRecord, readRecord } from './journal-record.ts';
import { MetricDatabase } from './metric-database.ts';
import { type MetricDescription, MetricDescriptions } from './metric-descriptions.ts';
import { Outbox } from './outbox.ts';
import { type MemorySeries, type OpenBlocks, SampleBatch } from './series.ts';
import { SeriesIndex } from './series-index.ts';
import { StoreMaintenance } from './store-maintenance.ts';

export interface MetricStoreOptions {
  /** The database file; its directory is made when missing. */
  readonly path: string;
  /** Age at which samples go. */
  readonly retentionMs: number;
  /** Bytes in use, the backlog of remote write left out, at which the oldest block is removed [no bound]. */
  readonly retentionBytes?: number;
  /** Bytes that may wait for receivers of remote write; beyond it the oldest batches are dropped [1 GB]. */
  readonly backlogBytes?: number;
  /** Length of a block [3,600,000]. A store keeps the length it was made with in mind: change it on new stores only. */
  readonly blockMs?: number;
  /** Series held at any one time; samples of further ones are refused [1,000,000]. */
  readonly maxSeries?: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}

interface AppendResult {
  readonly accepted: number;
  /** Not later than the series' newest sample, and not the same sample again, which is a no-op. */
  readonly outOfOrder: number;
  /** Older than the retention, in a block already sealed, or more than ten minutes in the future. */
  readonly outOfBounds: number;
}

/** Why samples of a batch were refused, in words, or `undefined` when none was. */
export function refusalOf({ outOfOrder, outOfBounds }: AppendResult): string | undefined {
  const samples = (count: number): string => (count === 1 ? '1 sample is' : `${count} samples are`);
  const reasons = [
    outOfOrder === 0 ? [] : [`${samples(outOfOrder)} not newer than what is stored`],
    outOfBounds === 0 ? [] : [`${samples(outOfBounds)} too old or in the future`],
  ].flat();
  return reasons.length === 0 ? undefined : reasons.join('; ');
}

const futureToleranceMs = 600_000;
const exactUpTo = 20_000;

/**
 * Series and their samples: the newest blocks in memory, journalled in SQLite batch by batch; older blocks sealed as
 * one compressed chunk a series. What `append` returned for is there after SIGKILL.
 */
export class MetricStore implements Queryable {
  readonly blockMs: number;
  readonly index: SeriesIndex = new SeriesIndex();
  readonly descriptions: MetricDescriptions = new MetricDescriptions(this.index);
  /** Where a damaged file was moved to when this store opened, or `undefined`. */
  readonly setAside: string | undefined;
  /** A copy of a write-ahead file that was damaged when this store opened, or `undefined`. What it had lost is lost. */
  readonly lostCommits: string | undefined;
  /** Batches of the journal that were damaged when this store opened, and are left out. */
  damagedBatches = 0;
  readonly exemplars: ExemplarStore;
  /** What receivers of remote write have yet to get. */
  readonly outbox: Outbox;
  /** Why the last append was refused by the disk, or `undefined` while all is well. */
  failure: string | undefined;
  samplesAppended = 0;
  /** Samples refused since the store opened. */
  readonly refused: { outOfOrder: number; outOfBounds: number } = { outOfOrder: 0, outOfBounds: 0 };
  /** Samples earlier than this are refused: their block is sealed or being sealed. */
  sealedMs: number;
  readonly #database: MetricDatabase;
  readonly #reader: BlockReader;
  readonly #maintenance: StoreMaintenance;
  readonly #options: MetricStoreOptions;
  readonly #open: OpenBlocks;
  #pendingSeries: MemorySeries[] = [];
  #nextId = 1;

  /** @throws ServiceError `ERR_WEIR_SERVICE_STORE_OPEN`. A damaged file is set aside, not an error. */
  constructor(options: MetricStoreOptions) {
    this.#options = Object.freeze({ ...options });
    this.blockMs = options.blockMs ?? 3_600_000;
    this.#open = { blockMs: this.blockMs, memory: new ChunkMemory() };
    const opened = openDatabase(options.path, options.now(), (connection) => {
      const database = new MetricDatabase(connection);
      return { database, blocks: this.#load(database) };
    });
    this.#database = opened.value.database;
    this.setAside = opened.setAside;
    this.lostCommits = opened.lostCommits;
    this.outbox = new Outbox(this.#database.connection, options.backlogBytes ?? 1e9);
    this.exemplars = new ExemplarStore(this.#database.connection);
    this.sealedMs = this.#database.sealedMs;
    this.#reader = new BlockReader(this.#database, opened.value.blocks, this.blockMs);
    this.#maintenance = new StoreMaintenance(this, this.#database, this.#reader, options);
  }

  #load(database: MetricDatabase): readonly { startMs: number; samples: number }[] {
    this.index.clear();
    this.damagedBatches = 0;
    for (const { id, labels } of database.allSeries()) {
      this.index.add(id, Labels.from(JSON.parse(labels) as [string, string][]));
      this.#nextId = Math.max(this.#nextId, id + 1);
    }
    const blocks = database.blocks();
    for (const block of blocks)
      for (const id of block.seriesIds) {
        const series = this.index.byId(id);
        if (series === undefined) continue;
        series.firstMs = Math.min(series.firstMs, block.startMs);
        series.lastMs = block.startMs;
      }
    const sealedMs = database.sealedMs;
    for (const data of database.journal()) this.#replay(data, sealedMs);
    const empty = [...this.index.all()].filter(hasNoSample);
    this.index.remove(empty);
    database.deleteSeries(empty.map(({ id }) => id));
    database.deleteMetadata(this.descriptions.load(database.metadata()));
    return blocks.map(({ startMs, samples }) => ({ startMs, samples }));
  }

  #replay(data: Uint8Array, sealedMs: number): void {
    const record = readRecord(data);
    if (record === undefined) {
      this.damagedBatches++;
      return;
    }
    const { ids, times, values } = record;
    const words = new Uint32Array(values.buffer);
    for (let i = 0; i < ids.length; i++) {
      const series = this.index.byId(ids[i] as number);
      const timeMs = times[i] as number;
      if (series === undefined || timeMs < sealedMs || timeMs <= series.lastMs) continue;
      series.append(timeMs, words[i * 2 + highWord] as number, words[i * 2 + lowWord] as number, this.#open);
    }
  }

  /** The series with these labels, made when new, or `undefined` when the store holds as many as it may. */
  resolve(labels: Labels): MemorySeries | undefined {
    const known = this.index.byLabels(labels);
    if (known !== undefined) return known;
    if (this.index.size >= (this.#options.maxSeries ?? 1_000_000)) return undefined;
    const series = this.index.add(this.#nextId++, labels);
    this.#pendingSeries.push(series);
    return series;
  }

  /** Kept with the next append, if the store holds a series of the metric then. */
  describe(metric: string, description: MetricDescription): void {
    this.descriptions.tell(metric, description);
  }

  /**
   * Takes the batch in one transaction; when this returns, the accepted samples are durable.
   * @param isWhole Takes nothing when a sample is refused.
   * @throws ServiceError `ERR_WEIR_SERVICE_STORE_FULL` when the disk refuses; nothing of the batch is kept then, and
   * a later append may succeed.
   */
  append(
    batch: SampleBatch<MemorySeries>,
    exemplars: readonly Exemplar[] = [],
    isWhole = false,
  ): AppendResult {
    const kept = new SampleBatch<MemorySeries>();
    const before: number[] = [];
    let outOfOrder = 0;
    let outOfBounds = 0;
    const nowMs = this.#options.now();
    const latestMs = nowMs + futureToleranceMs;
    const oldestMs = Math.max(this.sealedMs, nowMs - this.#options.retentionMs);
    const { times } = batch;
    let maxMs = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < batch.size; i++) {
      const series = batch.keys[i] as MemorySeries;
      const timeMs = times[i] as number;
      if (timeMs < oldestMs || timeMs > latestMs) outOfBounds++;
      else if (timeMs <= series.lastMs) {
        if (!series.endsWith(timeMs, batch.highAt(i), batch.lowAt(i))) outOfOrder++;
      } else {
        kept.addWords(series, timeMs, batch.highAt(i), batch.lowAt(i));
        before.push(series.lastMs);
        // Claims the time, so that a second sample of the same batch is seen to be out of order.
        series.lastMs = timeMs;
        if (timeMs > maxMs) maxMs = timeMs;
      }
    }
    const undo = (): void => {
      for (let i = kept.size - 1; i >= 0; i--) (kept.keys[i] as MemorySeries).lastMs = before[i] as number;
    };
    this.refused.outOfOrder += outOfOrder;
    this.refused.outOfBounds += outOfBounds;
    if (isWhole && outOfOrder + outOfBounds > 0) {
      undo();
      this.#dropEmpty();
      return { accepted: 0, outOfOrder, outOfBounds };
    }
    this.#dropEmpty();
    try {
      this.#persist(kept, maxMs, exemplars);
    } catch (thrown) {
      undo();
      this.outbox.recount();
      this.failure = messageOf(thrown);
      throw new ServiceError(
        'ERR_WEIR_SERVICE_STORE_FULL',
        `The store cannot take samples (${this.failure}, SQLite code ${sqliteCode(thrown) ?? 'none'}). Queries go on; free space on the disk and ingestion resumes by itself.`,
        thrown,
      );
    }
    this.failure = undefined;
    const keptTimes = kept.times;
    for (let i = 0; i < kept.size; i++)
      (kept.keys[i] as MemorySeries).append(
        keptTimes[i] as number,
        kept.highAt(i),
        kept.lowAt(i),
        this.#open,
      );
    this.samplesAppended += kept.size;
    return { accepted: kept.size, outOfOrder, outOfBounds };
  }

  // A series that was resolved for a sample that then was not taken: it would hold a place for good.
  #dropEmpty(): void {
    const empty = this.#pendingSeries.filter(hasNoSample);
    if (empty.length === 0) return;
    this.index.remove(empty);
    this.#pendingSeries = this.#pendingSeries.filter(({ isRemoved }) => !isRemoved);
  }

  #persist(batch: SampleBatch<MemorySeries>, maxMs: number, exemplars: readonly Exemplar[]): void {
    const described = this.descriptions.take();
    if (batch.size === 0 && this.#pendingSeries.length === 0 && described.size === 0) return;
    inTransaction(this.#database.connection, () => {
      for (const { id, labels } of this.#pendingSeries)
        this.#database.insertSeries(id, JSON.stringify([...labels]));
      for (const [metric, { type, help, unit }] of described)
        this.#database.putMetadata(metric, type, help, unit);
      this.exemplars.add(exemplars.filter(({ series }) => !series.isRemoved));
      if (batch.size === 0) return;
      const { times, values } = batch;
      const ids = batch.keys.map((series) => series.id);
      const record = encodeRecord({ ids, times, values });
      this.#database.appendJournal(maxMs, record);
      this.outbox.add(record);
    });
    this.#pendingSeries = [];
    this.descriptions.keep(described);
  }

  select(
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
    limits?: SelectLimits,
  ): readonly Series[] {
    const found = this.index.select(matchers);
    if (limits !== undefined && found.length > limits.maxSeries) {
      throw new PromqlError(
        'execution',
        `query selects ${found.length} series, more than the limit of ${limits.maxSeries}`,
      );
    }
    return this.#reader.read(found, startMs, endMs, {
      maxSamples: limits?.maxSamples ?? Number.POSITIVE_INFINITY,
      onDamage: ({ baseMs }) => limits?.warn?.(damageWarning(baseMs)),
    });
  }

  /** For readers that take the pieces themselves. */
  get blocks(): Pick<BlockReader, 'overlapping' | 'sealed'> {
    return this.#reader;
  }

  /**
   * Series that match and have samples within the range. Exact, except where more than 20,000 series would have to be read
   * for that: these are judged to the precision of a block.
   */
  seriesBetween(matchers: readonly Matcher[], startMs: number, endMs: number): MemorySeries[] {
    const near = this.index
      .select(matchers)
      .filter((series) => series.firstMs <= endMs && series.lastMs >= startMs - this.blockMs);
    if (startMs === Number.NEGATIVE_INFINITY && endMs === Number.POSITIVE_INFINITY) return near;
    // The newest sample's time is known to the millisecond while its chunk is open.
    const isSure = ({ chunks, lastMs }: MemorySeries): boolean =>
      chunks.length > 0 && lastMs >= startMs && lastMs <= endMs;
    const unsure = near.filter((series) => !isSure(series));
    if (unsure.length === 0 || unsure.length > exactUpTo) return near;
    const read = this.#reader.read(unsure, startMs, endMs, { maxSamples: Number.POSITIVE_INFINITY });
    const found = new Set(read.filter(({ timestamps }) => timestamps.length > 0).map(({ labels }) => labels));
    return near.filter((series) => isSure(series) || found.has(series.labels));
  }

  /** One bounded piece of sealing and retention. Returns whether more is due now. */
  maintain(): boolean {
    return this.#maintenance.step();
  }

  /** Bytes in use, series held, time of the oldest block's start (or `undefined` while there is none). */
  stats(): { bytes: number; series: number; oldestMs: number | undefined; samplesAppended: number } {
    return {
      bytes: this.#database.usedBytes(),
      series: this.index.size,
      oldestMs: this.#reader.oldestMs,
      samplesAppended: this.samplesAppended,
    };
  }

  close(): void {
    this.#database.connection.close();
  }
}

function hasNoSample({ lastMs }: MemorySeries): boolean {
  return lastMs === Number.NEGATIVE_INFINITY;
}
