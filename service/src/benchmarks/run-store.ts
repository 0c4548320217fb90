import { createRequire } from 'node:module';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { BenchmarkResult } from '@weir/bench';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { inTransaction, openDatabase } from '../store/database.ts';

type RunStatus = 'queued' | 'running' | 'finished' | 'failed' | 'cancelled';

/** One run of a benchmark, as the API shows it. Times are ISO 8601. */
export interface Run {
  readonly id: string;
  readonly benchmark: string;
  readonly status: RunStatus;
  /** `pushed` for a result that was measured elsewhere. */
  readonly origin: 'service' | 'pushed';
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly result: BenchmarkResult | null;
  readonly error: string | null;
  /** Names of the files kept with it. */
  readonly artefacts: readonly string[];
}

/** A file kept with a run. */
export interface Artefact {
  readonly name: string;
  readonly type: string;
  readonly data: Uint8Array;
}

const columns = `runs.*, (SELECT json_group_array(name) FROM
  (SELECT name FROM artefacts WHERE artefacts.run = runs.id ORDER BY name)) AS artefacts`;

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
  CREATE TABLE IF NOT EXISTS artefacts (
    run TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (run, name)) WITHOUT ROWID;
`;

/**
 * The history of benchmark runs, in its own file: it never waits for the metric store, and damage to that file does not touch it.
 */
export class RunStore {
  readonly setAside: string | undefined;
  readonly lostCommits: string | undefined;
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #begin: StatementSync;
  readonly #update: StatementSync;
  #version = 0;

  /** Runs that a killed process left as `running` or `queued` become `failed`. */
  constructor(path: string, now: () => number) {
    const opened = openDatabase(path, now(), (database) => {
      database.exec(`PRAGMA synchronous = FULL; ${schema}`);
      const known = database.prepare('PRAGMA table_info(runs)').all();
      if (!known.some(({ name }) => name === 'origin'))
        database.exec(`ALTER TABLE runs ADD COLUMN origin TEXT NOT NULL DEFAULT 'service'`);
      database
        .prepare(
          `UPDATE runs SET status = 'failed', ended_at = ?, error = ? WHERE status IN ('running', 'queued')`,
        )
        .run(new Date(now()).toISOString(), 'the service stopped during the run');
      return database;
    });
    this.#database = opened.value;
    this.setAside = opened.setAside;
    this.lostCommits = opened.lostCommits;
    this.#insert = this.#database.prepare(
      'INSERT INTO runs (id, benchmark, status, origin, started_at) VALUES (?, ?, ?, ?, ?)',
    );
    this.#begin = this.#database.prepare(`UPDATE runs SET status = 'running', started_at = ? WHERE id = ?`);
    this.#update = this.#database.prepare(
      'UPDATE runs SET status = ?, ended_at = ?, result = ?, error = ? WHERE id = ?',
    );
  }

  /** Increases with every run that ends. */
  get version(): number {
    return this.#version;
  }

  add(run: Run): void {
    this.#insert.run(run.id, run.benchmark, run.status, run.origin, run.startedAt);
  }

  /** Records that a queued run begins. */
  begin(run: Run): void {
    this.#begin.run(run.startedAt, run.id);
  }

  /** Records a run's end and its files, in one transaction. */
  finish(run: Run, artefacts: readonly Artefact[] = []): void {
    const result = run.result === null ? null : JSON.stringify(run.result);
    inTransaction(this.#database, () => {
      this.#update.run(run.status, run.endedAt, result, run.error, run.id);
      for (const artefact of artefacts) this.#putArtefact(run.id, artefact);
    });
    this.#version++;
  }

  /** Adds a run that has ended already. */
  push(run: Run): void {
    inTransaction(this.#database, () => {
      this.add(run);
      this.#update.run(run.status, run.endedAt, JSON.stringify(run.result), run.error, run.id);
    });
    this.#version++;
  }

  get(benchmark: string, id: string): Run | undefined {
    const run = this.find(id);
    return run?.benchmark === benchmark ? run : undefined;
  }

  /** A run by its id alone. */
  find(id: string): Run | undefined {
    const row = this.#database.prepare(`SELECT ${columns} FROM runs WHERE id = ?`).get(id);
    return row === undefined ? undefined : toRun(row);
  }

  /** Newest first. */
  list(benchmark: string, limit: number): Run[] {
    return this.#database
      .prepare(`SELECT ${columns} FROM runs WHERE benchmark = ? ORDER BY number DESC LIMIT ?`)
      .all(benchmark, limit)
      .map(toRun);
  }

  /** The names of all benchmarks with a run. */
  names(): string[] {
    return this.#database
      .prepare('SELECT DISTINCT benchmark FROM runs ORDER BY benchmark')
      .all()
      .map(({ benchmark }) => String(benchmark));
  }

  /** The number of runs by status. */
  counts(benchmark: string): { readonly status: RunStatus; readonly count: number }[] {
    return this.#database
      .prepare('SELECT status, count(*) AS count FROM runs WHERE benchmark = ? GROUP BY status')
      .all(benchmark)
      .map((row) => ({ status: row.status as RunStatus, count: Number(row.count) }));
  }

  /** The newest finished runs, newest first. */
  finished(benchmark: string, limit: number): Run[] {
    return this.#database
      .prepare(
        `SELECT ${columns} FROM runs WHERE benchmark = ? AND status = 'finished' ORDER BY number DESC LIMIT ?`,
      )
      .all(benchmark, limit)
      .map(toRun);
  }

  artefacts(runId: string): { name: string; type: string; bytes: number }[] {
    return this.#database
      .prepare('SELECT name, type, length(data) AS bytes FROM artefacts WHERE run = ? ORDER BY name')
      .all(runId)
      .map(({ name, type, bytes }) => ({ name: String(name), type: String(type), bytes: Number(bytes) }));
  }

  artefact(runId: string, name: string): Artefact | undefined {
    const row = this.#database
      .prepare('SELECT name, type, data FROM artefacts WHERE run = ? AND name = ?')
      .get(runId, name);
    return row === undefined
      ? undefined
      : { name: String(row.name), type: String(row.type), data: row.data as Uint8Array };
  }

  addArtefact(runId: string, artefact: Artefact): void {
    this.#putArtefact(runId, artefact);
  }

  #putArtefact(runId: string, { name, type, data }: Artefact): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO artefacts (run, name, type, data) VALUES (?, ?, ?, ?)')
      .run(runId, name, type, data);
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
    origin: row.origin as Run['origin'],
    startedAt: String(row.started_at),
    endedAt: row.ended_at === null ? null : String(row.ended_at),
    result: row.result === null ? null : (JSON.parse(String(row.result)) as BenchmarkResult),
    error: row.error === null ? null : String(row.error),
    artefacts: JSON.parse(String(row.artefacts)) as string[],
  };
}

let validate: ReturnType<Ajv2020['compile']> | undefined;

/** Why a pushed result is invalid by the schema of `@weir/bench`; `undefined` when it is valid. */
export function explainResult(value: unknown): string | undefined {
  if (validate === undefined) {
    const schema = createRequire(import.meta.url)('@weir/bench/schema/result.schema.json') as object;
    // The schema's formats are for editors; the date is checked below.
    validate = new Ajv2020({ validateFormats: false, strict: false }).compile(schema);
  }
  if (!validate(value)) {
    const [error] = validate.errors ?? [];
    return `${error?.instancePath.slice(1).replaceAll('/', '.') || 'the body'} ${error?.message}`;
  }
  const { startedAt } = value as BenchmarkResult;
  return Number.isNaN(Date.parse(startedAt))
    ? `startedAt is not a date: ${JSON.stringify(startedAt)}`
    : undefined;
}
