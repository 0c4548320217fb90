import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { BenchmarkResult } from '@weir/bench';
import { openDatabase } from '../store/database.ts';

export type RunStatus = 'queued' | 'running' | 'finished' | 'failed' | 'cancelled';

/** One run of a benchmark, as the API shows it. Times are ISO 8601. */
export interface Run {
  readonly id: string;
  readonly benchmark: string;
  readonly status: RunStatus;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly result: BenchmarkResult | null;
  readonly error: string | null;
}

const schema = `
  CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    benchmark TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    result TEXT,
    error TEXT);
  CREATE INDEX IF NOT EXISTS runs_by_benchmark ON runs (benchmark, number DESC);
`;

/**
 * The history of benchmark runs, in a file of its own: small, never behind a long query, and untouched when the
 * metrics' file is damaged.
 */
export class RunStore {
  readonly setAside: string | undefined;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #begin: StatementSync;
  readonly #update: StatementSync;

  /** Runs that a killed process left as `running` or `queued` become `failed`. */
  constructor(path: string, now: () => number) {
    const opened = openDatabase(path, now(), (database) => {
      database.exec(`PRAGMA synchronous = FULL; ${schema}`);
      database
        .prepare(
          `UPDATE runs SET status = 'failed', ended_at = ?, error = ? WHERE status IN ('running', 'queued')`,
        )
        .run(new Date(now()).toISOString(), 'the service stopped during the run');
      return database;
    });
    this.#database = opened.value;
    this.setAside = opened.setAside;
    this.#insert = this.#database.prepare(
      'INSERT INTO runs (id, benchmark, status, started_at) VALUES (?, ?, ?, ?)',
    );
    this.#begin = this.#database.prepare(`UPDATE runs SET status = 'running', started_at = ? WHERE id = ?`);
    this.#update = this.#database.prepare(
      'UPDATE runs SET status = ?, ended_at = ?, result = ?, error = ? WHERE id = ?',
    );
  }

  add(run: Run): void {
    this.#insert.run(run.id, run.benchmark, run.status, run.startedAt);
  }

  /** A queued run begins. */
  begin(run: Run): void {
    this.#begin.run(run.startedAt, run.id);
  }

  finish(run: Run): void {
    const result = run.result === null ? null : JSON.stringify(run.result);
    this.#update.run(run.status, run.endedAt, result, run.error, run.id);
  }

  get(benchmark: string, id: string): Run | undefined {
    const row = this.#database
      .prepare('SELECT * FROM runs WHERE benchmark = ? AND id = ?')
      .get(benchmark, id);
    return row === undefined ? undefined : toRun(row);
  }

  /** Newest first. */
  list(benchmark: string, limit: number): Run[] {
    return this.#database
      .prepare('SELECT * FROM runs WHERE benchmark = ? ORDER BY number DESC LIMIT ?')
      .all(benchmark, limit)
      .map(toRun);
  }

  /** How many runs ended how. */
  counts(benchmark: string): { readonly status: RunStatus; readonly count: number }[] {
    return this.#database
      .prepare('SELECT status, count(*) AS count FROM runs WHERE benchmark = ? GROUP BY status')
      .all(benchmark)
      .map((row) => ({ status: row.status as RunStatus, count: Number(row.count) }));
  }

  lastFinished(benchmark: string): Run | undefined {
    const row = this.#database
      .prepare(`SELECT * FROM runs WHERE benchmark = ? AND status = 'finished' ORDER BY number DESC LIMIT 1`)
      .get(benchmark);
    return row === undefined ? undefined : toRun(row);
  }

  close(): void {
    this.#database.close();
  }
}

function toRun(row: Record<string, unknown>): Run {
  return {
    id: String(row.id),
    benchmark: String(row.benchmark),
    status: row.status as RunStatus,
    startedAt: String(row.started_at),
    endedAt: row.ended_at === null ? null : String(row.ended_at),
    result: row.result === null ? null : (JSON.parse(String(row.result)) as BenchmarkResult),
    error: row.error === null ? null : String(row.error),
  };
}
