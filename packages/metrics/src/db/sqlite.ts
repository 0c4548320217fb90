/** Query timing for node:sqlite and better-sqlite3, whose synchronous interfaces are alike. */
import { type AnyFunction, claim, wrapMethod } from './instrumented.ts';
import type { QueryRecorder } from './query-recorder.ts';

/** What is used of a synchronous SQLite database. */
export interface SqliteDatabase {
  prepare: AnyFunction;
  exec: AnyFunction;
}

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

function timed<T>(queries: QueryRecorder, text: string, values: readonly unknown[], run: () => T): T {
  const execution = queries.begin('sqlite', text, values);
  let result: T;
  try {
    result = run();
  } catch (error) {
    queries.end(execution, { failed: true });
    throw error;
  }
  queries.end(execution, { failed: false, rows: Array.isArray(result) ? result.length : undefined });
  return result;
}

// Rows are stepped while they are read, so an iteration is timed to its last row.
function* timedRows(
  queries: QueryRecorder,
  text: string,
  values: readonly unknown[],
  start: () => Iterable<unknown>,
): Generator {
  const execution = queries.begin('sqlite', text, values);
  let rows = 0;
  let failed = true;
  try {
    for (const row of start()) {
      rows += 1;
      yield row;
    }
    failed = false;
  } finally {
    // A caller that breaks off comes here too, and that is no failure; only an exception of the database is.
    queries.end(execution, { failed: failed && rows === 0, rows });
  }
}

/** Wraps a database: its scripts, and every statement prepared from now on. */
export function instrumentSqlite(database: SqliteDatabase, queries: QueryRecorder): void {
  if (!claim(database)) return;
  wrapMethod(
    database,
    'exec',
    (exec) =>
      (text, ...rest) =>
        timed(queries, String(text), [], () => exec(text, ...rest)),
  );
  wrapMethod(database, 'prepare', (prepare) => (text, ...rest) => {
    const statement = prepare(text, ...rest) as object;
    for (const method of ['run', 'get', 'all']) {
      wrapMethod(
        statement,
        method,
        (original) =>
          (...values) =>
            timed(queries, String(text), values, () => original(...values)),
      );
    }
    wrapMethod(
      statement,
      'iterate',
      (iterate) =>
        (...values) =>
          timedRows(queries, String(text), values, () => iterate(...values) as Iterable<unknown>),
    );
    return statement;
  });
}
