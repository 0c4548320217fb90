/**
 * Query timing for node-postgres. Pool and Client are wrapped as instances, never as prototypes, so nothing else in the process changes.
 *
 * A pool hands a connection to the next waiter from inside the previous holder's release, and with it the previous holder's
 * async context. Contexts are therefore captured at `pool.connect`, which `pool.query` goes through, and restored
 * in its callback: each query sees the request that asked for it.
 */
import { type AnyFunction, claim } from './instrumented.ts';
import type { PoolRecorder } from './pool-recorder.ts';
import type { Notice, QueryExecution, QueryRecorder } from './query-recorder.ts';

type Callback = (error: unknown, result?: unknown, ...rest: unknown[]) => void;

/** What is used of a pg Client. */
export interface PgClient {
  query: AnyFunction;
  connect: AnyFunction;
}

/** What is used of a pg Pool. */
export interface PgPool extends PgClient {
  on(event: 'connect', listener: (client: PgClient) => void): unknown;
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly options: { readonly max?: number };
}

// `pool.query` reaches `client.query` through synchronous calls on either side of the wait for a connection. Within them this
// says that the query's caller was looked at already.
let noticed: Notice | undefined;

function withNoticed<T>(value: Notice | undefined, run: () => T): T {
  const before = noticed;
  noticed = value;
  try {
    return run();
  } finally {
    noticed = before;
  }
}

/** Whether `client` looks like a pg Pool. */
export function isPgPool(client: object): client is PgPool {
  return 'totalCount' in client && 'idleCount' in client && 'waitingCount' in client && 'connect' in client;
}

/** Whether `client` looks like a pg Client. */
export function isPgClient(client: object): client is PgClient {
  return 'connectionParameters' in client && typeof (client as { query?: unknown }).query === 'function';
}

/** Wraps a pool: its waits, and every client it opens. Wrapping twice does nothing. */
export function instrumentPgPool(
  pool: PgPool,
  name: string,
  queries: QueryRecorder,
  pools: PoolRecorder,
  now: () => number,
): void {
  if (!claim(pool)) return;
  const ref = new WeakRef(pool);
  const wait = pools.add(name, () => {
    const live = ref.deref();
    if (live === undefined) return undefined;
    const { totalCount, idleCount, waitingCount, options } = live;
    return { idle: idleCount, used: totalCount - idleCount, max: options.max ?? 10, pending: waitingCount };
  });
  // 'connect' comes before the new client is handed out. Clients opened before now are wrapped when they are next lent.
  pool.on('connect', (client) => instrumentPgClient(client, queries));
  const connect = pool.connect.bind(pool) as AnyFunction;
  const query = pool.query.bind(pool) as AnyFunction;
  pool.query = (...args: unknown[]): unknown => {
    const text = textOf(args[0]);
    const notice = text === undefined ? undefined : queries.notice('postgresql', text, valuesOf(args));
    return withNoticed(notice, () => query(...args));
  };
  pool.connect = (callback?: unknown): unknown => {
    const startMs = now();
    const notice = noticed;
    const acquired = (client: unknown): void => {
      wait.observe((now() - startMs) / 1_000);
      if (client !== undefined) instrumentPgClient(client as PgClient, queries);
    };
    if (typeof callback === 'function') {
      const bound = queries.bind(callback as Callback);
      return connect((error: unknown, client: unknown, ...rest: unknown[]) => {
        acquired(client);
        withNoticed(notice, () => bound(error, client, ...rest));
      });
    }
    return (connect() as Promise<unknown>).then(
      (client) => {
        acquired(client);
        return client;
      },
      (error: unknown) => {
        acquired(undefined);
        throw error;
      },
    );
  };
}

/** Wraps one client. Wrapping twice does nothing. */
export function instrumentPgClient(client: PgClient, queries: QueryRecorder): void {
  if (!claim(client)) return;
  const query = client.query.bind(client) as AnyFunction;
  client.query = (...args: unknown[]): unknown => {
    const text = textOf(args[0]);
    if (text === undefined) return query(...args);
    const execution = queries.begin('postgresql', text, { values: valuesOf(args), noticed });
    if (isSubmittable(args[0])) {
      followSubmittable(args[0], execution, queries);
      return query(...args);
    }
    return withCallback(args, execution, queries)
      ? query(...args)
      : withPromise(() => query(...args), execution, queries);
  };
}

function textOf(config: unknown): string | undefined {
  if (typeof config === 'string') return config;
  if (typeof config !== 'object' || config === null) return undefined;
  // Cursor and QueryStream keep their text differently.
  const { text, cursor } = config as { text?: unknown; cursor?: { text?: unknown } };
  const found = text ?? cursor?.text;
  return typeof found === 'string' ? found : undefined;
}

function valuesOf(args: readonly unknown[]): readonly unknown[] | undefined {
  if (Array.isArray(args[1])) return args[1] as readonly unknown[];
  const values = (args[0] as { readonly values?: unknown }).values;
  return Array.isArray(values) ? (values as readonly unknown[]) : undefined;
}

function withCallback(args: unknown[], execution: QueryExecution, queries: QueryRecorder): boolean {
  const last = args.findLastIndex((argument) => typeof argument === 'function');
  if (last > 0) {
    args[last] = timed(args[last] as Callback, execution, queries);
    return true;
  }
  const config = args[0] as { readonly callback?: unknown };
  if (typeof config !== 'object' || typeof config.callback !== 'function') return false;
  // The caller's object stays as it is.
  args[0] = Object.assign(Object.create(Object.getPrototypeOf(config) as object) as object, config, {
    callback: timed(config.callback as Callback, execution, queries),
  });
  return true;
}

// A result arrives in the connection's context; the caller's code gets its own back.
function timed(callback: Callback, execution: QueryExecution, queries: QueryRecorder): Callback {
  const bound = queries.bind(callback);
  return (error, result, ...rest) => {
    queries.end(execution, { failed: Boolean(error), rows: rowsOf(result) });
    bound(error, result, ...rest);
  };
}

function withPromise(run: () => unknown, execution: QueryExecution, queries: QueryRecorder): unknown {
  const pending = run();
  if (typeof (pending as Promise<unknown> | undefined)?.then !== 'function') return pending;
  return (pending as Promise<unknown>).then(
    (result) => {
      queries.end(execution, { failed: false, rows: rowsOf(result) });
      return result;
    },
    (error: unknown) => {
      queries.end(execution, { failed: true });
      throw error;
    },
  );
}

function rowsOf(result: unknown): number | undefined {
  const count = (result as { rowCount?: unknown } | undefined)?.rowCount;
  return typeof count === 'number' ? count : undefined;
}

interface Submittable {
  submit: AnyFunction;
  handleReadyForQuery?: AnyFunction;
  handleError?: AnyFunction;
}

function isSubmittable(config: unknown): config is Submittable {
  return typeof (config as Submittable).submit === 'function';
}

// Cursors and streams end when the connection is ready for the next query, or with an error.
function followSubmittable(query: Submittable, execution: QueryExecution, queries: QueryRecorder): void {
  let ended = false;
  const follow = (method: 'handleReadyForQuery' | 'handleError', failed: boolean): void => {
    const original = query[method];
    if (typeof original !== 'function') return;
    query[method] = function (this: unknown, ...args: unknown[]): unknown {
      if (!ended) queries.end(execution, { failed });
      ended = true;
      return original.apply(this, args);
    };
  };
  follow('handleReadyForQuery', false);
  follow('handleError', true);
}
