/** Query timing for PGlite, transactions included. */
import { dialects } from './dialect.ts';
import { type AnyFunction, claim, type Queries, wrapMethod } from './driver.ts';

/** Whether `client` looks like PGlite. */
export function isPglite(client: object): client is PgliteDatabase {
  const { query, exec, transaction, waitReady } = client as Record<string, unknown>;
  return (
    typeof query === 'function' &&
    typeof exec === 'function' &&
    typeof transaction === 'function' &&
    waitReady !== undefined
  );
}

/** The members of a PGlite database that are used. */
interface PgliteDatabase {
  query: AnyFunction;
  exec: AnyFunction;
  transaction: AnyFunction;
}

/** Wraps a database and the transactions it opens. */
export function instrumentPglite(database: PgliteDatabase, queries: Queries): void {
  if (!claim(database)) return;
  wrapQueries(database, queries);
  wrapMethod(
    database,
    'transaction',
    (transaction) => (callback) =>
      transaction((open: object) => {
        wrapQueries(open, queries);
        return (callback as AnyFunction)(open);
      }),
  );
}

function wrapQueries(target: object, queries: Queries): void {
  wrapMethod(target, 'query', (query) => (text, values, ...rest) => {
    const execution = queries.begin(
      dialects.postgresql,
      String(text),
      Array.isArray(values) ? values : undefined,
    );
    return execution.follow(query(text, values, ...rest) as Promise<unknown>, rowsOf);
  });
  wrapMethod(target, 'exec', (exec) => (text, ...rest) => {
    const execution = queries.begin(dialects.postgresql, String(text));
    return execution.follow(exec(text, ...rest) as Promise<unknown>);
  });
}

function rowsOf(result: unknown): number | undefined {
  const { rows } = (result ?? {}) as { readonly rows?: unknown };
  return Array.isArray(rows) ? rows.length : undefined;
}
