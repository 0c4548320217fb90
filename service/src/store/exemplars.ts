import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Labels } from '@weir/promql';
import type { MemorySeries } from './series.ts';

/** An example of what a sample counted, such as the trace of a slow request. */
export interface Exemplar {
  readonly series: MemorySeries;
  readonly labels: Labels;
  readonly value: number;
  readonly timeMs: number;
}

const schema = `
  CREATE TABLE IF NOT EXISTS exemplars (
    id INTEGER PRIMARY KEY, series_id INTEGER NOT NULL, time_ms INTEGER NOT NULL, value REAL NOT NULL,
    labels TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS exemplars_by_series ON exemplars (series_id, time_ms);
`;

/** Characters of an exemplar's labels. OpenMetrics allows 128. */
const maxLabelsLength = 1_024;

/** The newest exemplars, at most `capacity` over all series. Exemplars with more than 1,024 characters of labels are left out. */
export class ExemplarStore {
  readonly #insert: StatementSync;
  readonly #trim: StatementSync;
  readonly #select: StatementSync;
  readonly #newest = new WeakMap<MemorySeries, string>();

  constructor(connection: DatabaseSync, capacity = 100_000) {
    connection.exec(schema);
    this.#insert = connection.prepare(
      'INSERT INTO exemplars (series_id, time_ms, value, labels) VALUES (?, ?, ?, ?)',
    );
    this.#trim = connection.prepare(
      `DELETE FROM exemplars WHERE id <= (SELECT max(id) FROM exemplars) - ${capacity}`,
    );
    this.#select = connection.prepare(
      'SELECT time_ms, value, labels FROM exemplars WHERE series_id = ? AND time_ms BETWEEN ? AND ? ORDER BY time_ms',
    );
  }

  /** Adds exemplars, within a transaction of the caller. Expositions repeat an exemplar until a newer one exists; repetitions are skipped. */
  add(exemplars: readonly Exemplar[]): void {
    let added = 0;
    for (const { series, labels, value, timeMs } of exemplars) {
      const text = JSON.stringify([...labels]);
      if (text.length > maxLabelsLength) continue;
      const identity = `${value} ${text}`;
      if (this.#newest.get(series) === identity) continue;
      this.#insert.run(series.id, Math.round(timeMs), value, text);
      this.#newest.set(series, identity);
      added++;
    }
    if (added > 0) this.#trim.run();
  }

  of(
    series: MemorySeries,
    startMs: number,
    endMs: number,
  ): { labels: Labels; value: number; timeMs: number }[] {
    return this.#select.all(series.id, Math.ceil(startMs), Math.floor(endMs)).map((row) => ({
      labels: Labels.from(JSON.parse(String(row.labels)) as [string, string][]),
      value: Number(row.value),
      timeMs: Number(row.time_ms),
    }));
  }
}
