import { Labels, type Matcher, type Queryable, type SelectLimits, type Series } from '@weir/promql';
import { messageOf, ServiceError } from '../errors.ts';
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
import { SeriesReader } from './series-reader.ts';
import { StoreMaintenance } from './store-maintenance.ts';

export interface MetricStoreOptions {
  /** The database file. Its directory is created when missing. */
  readonly path: string;
  /** Age at which samples are removed, in whole blocks. */
  readonly retentionMs: number;
  /**
   * Bytes in use, without the backlog of remote write, at which the oldest block is removed.
   * @defaultValue no bound
   */
  readonly retentionBytes?: number;
  /**
   * Bytes of the backlog of remote write; beyond them the oldest batches are dropped.
   * @defaultValue 1 GB
   */
  readonly backlogBytes?: number;
  /**
   * Length of a block. Change it on new stores only.
   * @defaultValue 3,600,000
   */
  readonly blockMs?: number;
  /**
   * The most series held at any one time; further ones are refused.
   * @defaultValue 1,000,000
   */
  readonly maxSeries?: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}

interface AppendResult {
  readonly accepted: number;
  /** Not later than the series' newest sample. The newest sample again is a no-op and not counted. */
  readonly outOfOrder: number;
  /** Older than the retention, in a block already sealed, or more than ten minutes in the future. */
  readonly outOfBounds: number;
}

/** Why samples of a batch were refused, as text; `undefined` when none was. */
export function refusalOf({ outOfOrder, outOfBounds }: AppendResult): string | undefined {
  const samples = (count: number): string => (count === 1 ? '1 sample is' : `${count} samples are`);
  const reasons = [
    outOfOrder === 0 ? [] : [`${samples(outOfOrder)} not newer than what is stored`],
    outOfBounds === 0 ? [] : [`${samples(outOfBounds)} too old or in the future`],
  ].flat();
  return reasons.length === 0 ? undefined : reasons.join('; ');
}

const futureToleranceMs = 600_000;

/**
 * Series and their samples. The newest blocks are in memory and journalled in SQLite batch by batch; older blocks are sealed in
 * SQLite with one compressed chunk a series. Samples survive SIGKILL once `append` has returned.
 */
export class MetricStore implements Queryable {
  readonly blockMs: number;
  readonly index: SeriesIndex = new SeriesIndex();
  readonly descriptions: MetricDescriptions = new MetricDescriptions(this.index);
  /** Where a damaged file was moved to when this store opened, or `undefined`. */
  readonly setAside: string | undefined;
  /** A copy of the write-ahead file if that was damaged when this store opened, else `undefined`. Its newest commits may be lost. */
  readonly lostCommits: string | undefined;
  /** Damaged batches of the journal that were left out when this store opened. */
  damagedBatches = 0;
  readonly exemplars: ExemplarStore;
  /** The backlog of remote write. */
  readonly outbox: Outbox;
  /** Why the disk refused the last append; `undefined` after a successful one. */
  failure: string | undefined;
  samplesAppended = 0;
  /** Samples refused since the store opened. */
  readonly refused: { outOfOrder: number; outOfBounds: number } = { outOfOrder: 0, outOfBounds: 0 };
  /** Earlier samples are refused: their block is sealed or is being sealed. */
  sealedMs: number;
  readonly reader: SeriesReader;
  readonly #database: MetricDatabase;
  readonly #maintenance: StoreMaintenance;
  readonly #options: MetricStoreOptions;
  readonly #open: OpenBlocks;
  #pendingSeries: MemorySeries[] = [];
  #nextId = 1;

  /** @throws ServiceError `ERR_WEIR_SERVICE_STORE_OPEN`; a damaged file is no error, it is set aside. */
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
    this.reader = new SeriesReader(this.index, this.#database, opened.value.blocks, this.blockMs);
    this.#maintenance = new StoreMaintenance(this, this.#database, this.reader, options);
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

  /** The series with these labels, created when new; `undefined` when the store holds `maxSeries` already. */
  resolve(labels: Labels): MemorySeries | undefined {
    const known = this.index.byLabels(labels);
    if (known !== undefined) return known;
    if (this.index.size >= (this.#options.maxSeries ?? 1_000_000)) return undefined;
    const series = this.index.add(this.#nextId++, labels);
    this.#pendingSeries.push(series);
    return series;
  }

  /** Describes a metric. The next append keeps the description if the store then holds a series of the metric. */
  describe(metric: string, description: MetricDescription): void {
    this.descriptions.receive(metric, description);
  }

  /**
   * Writes the batch in one transaction. The accepted samples are durable when this returns.
   * @param isWhole Writes nothing when any sample is refused.
   * @throws ServiceError `ERR_WEIR_SERVICE_STORE_FULL` when the disk refuses. Then nothing of the batch is kept, and
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
        // Claims the time, so that an earlier second sample in this batch is out of order.
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
        `The store cannot take samples (${this.failure}, SQLite code ${sqliteCode(thrown) ?? 'none'}). Queries continue. Free disk space; ingestion then resumes by itself.`,
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

  // Drops series whose first sample was refused: they would count towards `maxSeries` for good.
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

  /** Decompressed samples of matching series. {@link SeriesReader.select} */
  select(
    matchers: readonly Matcher[],
    startMs: number,
    endMs: number,
    limits?: SelectLimits,
  ): readonly Series[] {
    return this.reader.select(matchers, startMs, endMs, limits);
  }

  /** Runs one bounded step of sealing and retention. Returns whether more is due now. */
  maintain(): boolean {
    return this.#maintenance.step();
  }

  /** Bytes in use, series held, time of the oldest block's start (or `undefined` while there is none). */
  stats(): { bytes: number; series: number; oldestMs: number | undefined; samplesAppended: number } {
    return {
      bytes: this.#database.usedBytes(),
      series: this.index.size,
      oldestMs: this.reader.oldestMs,
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
