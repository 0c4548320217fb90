/** Query timing for node:sqlite and better-sqlite3, whose synchronous interfaces are alike. */
import { type Dialect, dialects, sqliteWithNames } from './dialect.ts';
import { type AnyFunction, claim, type Queries, wrapMethod } from './driver.ts';

/** Whether `client` looks like a database of either package. */
export function isSqliteDatabase(client: object): client is SqliteDatabase {
  const { prepare, exec, close, query } = client as Record<string, unknown>;
  return (
    typeof prepare === 'function' &&
    typeof exec === 'function' &&
    typeof close === 'function' &&
    typeof query !== 'function'
  );
}

/** The members of a synchronous SQLite database that are used. */
interface SqliteDatabase {
  prepare: AnyFunction;
  exec: AnyFunction;
}

/** Wraps a database: its scripts, and every statement prepared from now on. */
export function instrumentSqlite(database: SqliteDatabase, queries: Queries): void {
  if (!claim(database)) return;
  // A script that mistakes "…" for a string fails, and its text must be hidden all the same.
  wrapMethod(database, 'exec', (exec) => (text, ...rest) => {
    const recorded = { queries, dialect: dialects.sqlite, text: String(text) };
    return timed(recorded, [], () => exec(text, ...rest));
  });
  let hasNames: boolean | undefined;
  wrapMethod(database, 'prepare', (prepare) => (text, ...rest) => {
    let statement: object;
    try {
      statement = prepare(text, ...rest) as object;
    } catch (error) {
      queries.prepare(dialects.sqlite, String(text)).fail();
      throw error;
    }
    hasNames ??= readsNames(database, prepare);
    const dialect = hasNames === true ? sqliteWithNames : dialects.sqlite;
    const recorded = { queries, dialect, text: String(text) };
    for (const method of ['run', 'get', 'all']) {
      wrapMethod(
        statement,
        method,
        (original) =>
          (...values) =>
            timed(recorded, values, () => original(...values)),
      );
    }
    wrapMethod(
      statement,
      'iterate',
      (iterate) =>
        (...values) =>
          timedRows(recorded, values, () => iterate(...values) as Iterable<unknown>),
    );
    return statement;
  });
}

/**
 * Whether `"…"` is never a string here. SQLite may be built, or opened, to read it as a string if no column has that name; then the probe can be
 * prepared. `undefined` while the database is not open.
 */
function readsNames(database: SqliteDatabase, prepare: AnyFunction): boolean | undefined {
  // The driver `sqlite3` reports an error of `prepare` as an event.
  if ('parallelize' in database) return false;
  try {
    prepare('SELECT "weir: no column"');
    return false;
  } catch (error) {
    return /no such column/.test(String(error)) ? true : undefined;
  }
}

/** A text of one database, and the recorder of its executions. */
interface Recorded {
  readonly queries: Queries;
  readonly dialect: Dialect;
  readonly text: string;
}

function timed<T>({ queries, dialect, text }: Recorded, values: readonly unknown[], run: () => T): T {
  const execution = queries.begin(dialect, text, values);
  let result: T;
  try {
    result = run();
  } catch (error) {
    execution.end({ failed: true });
    throw error;
  }
  execution.end({ failed: false, rows: Array.isArray(result) ? result.length : undefined });
  return result;
}

// Rows are computed while they are read, so an iteration is timed to its last row.
function* timedRows(
  { queries, dialect, text }: Recorded,
  values: readonly unknown[],
  start: () => Iterable<unknown>,
): Generator {
  const execution = queries.begin(dialect, text, values);
  let rows = 0;
  // Only an exception of the database is a failure, not a caller that breaks or throws.
  let failed = true;
  try {
    const iterator = start()[Symbol.iterator]();
    try {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        rows += 1;
        failed = false;
        yield next.value;
        failed = true;
      }
      failed = false;
    } finally {
      if (!failed) iterator.return?.();
    }
  } finally {
    execution.end({ failed, rows });
  }
}
