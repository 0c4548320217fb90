/** Query timing for node-postgres. Pool and Client are wrapped as instances, never as prototypes, so nothing else in the process changes. */

import type { InstrumentContext, Queries } from './client-owner.ts';
import { type Dialect, dialects, sessions } from './dialect.ts';
import { type AnyFunction, claim } from './instrumented.ts';
import { createPublisher, enterDriver, leaveDriver } from './pg-channel.ts';
import { callAs, onAcquired, type PoolContext, takeExecution } from './pool-calls.ts';
import type { QueryExecution } from './query-recorder.ts';

type Callback = (error: unknown, result?: unknown) => void;

/** What is used of a pg Client. */
export interface PgClient {
  query: AnyFunction;
  connect: AnyFunction;
  /** The driver's own connection, which hears what the server says of the session. */
  readonly connection?: {
    on?(event: 'parameterStatus', listener: (message: ParameterStatus) => void): unknown;
  };
}

interface ParameterStatus {
  readonly parameterName: string;
  readonly parameterValue: string;
}

/** What is used of a pg Pool. */
export interface PgPool extends PgClient {
  on(event: 'connect', listener: (client: PgClient) => void): unknown;
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly options: { readonly max?: number };
  Client?: new (...args: never[]) => PgClient;
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
export function instrumentPgPool(pool: PgPool, { name, queries, pools, now }: InstrumentContext): void {
  if (!claim(pool)) return;
  const wait = pools.add(name, pool, ({ totalCount, idleCount, waitingCount, options }) => ({
    idle: idleCount,
    used: totalCount - idleCount,
    max: options.max ?? 10,
    pending: waitingCount,
  }));
  // That of the client which said so last; each client corrects it for its own queries.
  let dialect: Dialect = dialects.postgresql;
  const adopt = (client: object): void =>
    instrumentPgClient(client as PgClient, queries, (told) => {
      dialect = told;
    });
  const context: PoolContext = { queries, wait, now, adopt };
  // 'connect' comes before the new client is handed out. Clients opened before now are wrapped when they are next lent.
  pool.on('connect', adopt);
  adoptNewClients(pool, adopt);
  const { connect, query } = pool;
  pool.query = (config: unknown, values?: unknown, callback?: unknown): unknown => {
    const text = textOf(config);
    if (text === undefined) return query.call(pool, config, values, callback);
    const execution = queries.prepare(dialect, text, valuesOf(config, values));
    // The pool's own callback gets the result in the connection's context, and so would the caller's.
    const own = typeof callback === 'function' ? queries.bind(callback as Callback) : callback;
    const second = typeof values === 'function' ? queries.bind(values as Callback) : values;
    return callAs(execution, () => query.call(pool, config, second, own));
  };
  pool.connect = (callback?: unknown): unknown => {
    if (typeof callback === 'function') return connect.call(pool, onAcquired(context, callback as Callback));
    const startMs = now();
    const acquired = (client?: unknown): void => {
      wait.observe((now() - startMs) / 1_000);
      if (client !== undefined) adopt(client as object);
    };
    return (connect.call(pool) as Promise<unknown>).then(
      (client) => {
        acquired(client);
        return client;
      },
      (error: unknown) => {
        acquired();
        throw error;
      },
    );
  };
}

// The server tells a new client how it reads strings before the client is connected.
function adoptNewClients(pool: PgPool, adopt: (client: object) => void): void {
  const { Client } = pool;
  if (typeof Client !== 'function') return;
  pool.Client = new Proxy(Client, {
    construct: (target, args, newTarget) => {
      const client = Reflect.construct(target, args, newTarget) as PgClient;
      adopt(client);
      return client;
    },
  });
}

/** Wraps one client. Wrapping twice does nothing. `onDialect` gets how the session reads strings, whenever the server tells. */
export function instrumentPgClient(
  client: PgClient,
  queries: Queries,
  onDialect?: (dialect: Dialect) => void,
): void {
  if (!claim(client)) return;
  let dialect: Dialect = dialects.postgresql;
  client.connection?.on?.('parameterStatus', ({ parameterName, parameterValue }) => {
    if (parameterName !== 'standard_conforming_strings') return;
    dialect = sessions.postgresql[parameterValue === 'on' ? 'never' : 'always'];
    onDialect?.(dialect);
  });
  const { query } = client;
  const publisher = createPublisher();
  const send = (config: unknown, values: unknown, callback: unknown): unknown => {
    enterDriver(publisher);
    try {
      return query.call(client, config, values, callback);
    } finally {
      leaveDriver();
    }
  };
  client.query = (config: unknown, values?: unknown, callback?: unknown): unknown => {
    const pooled = takeExecution();
    const text = pooled?.text ?? textOf(config);
    if (text === undefined) return query.call(client, config, values, callback);
    const execution = queries.start(
      pooled ?? queries.prepare(dialect, text, valuesOf(config, values)),
      dialect,
    );
    // Until the server has told.
    if (execution.known.changesStrings) dialect = dialects.postgresql;
    // What a pool's caller gets was bound where the pool was called; the pool's own callback needs no context.
    const own = <T>(given: T): T =>
      pooled === undefined && typeof given === 'function' ? (queries.bind(given as never) as T) : given;
    if (publisher.publishes && !isSubmittable(config)) {
      enterDriver(publisher, (outcome) => queries.end(execution, outcome));
      try {
        return query.call(client, config, own(values), own(callback));
      } finally {
        leaveDriver();
      }
    }
    if (isSubmittable(config)) {
      followSubmittable(config, execution, queries);
      return send(config, values, callback);
    }
    if (typeof callback === 'function')
      return send(config, values, timed(own(callback) as Callback, execution, queries));
    if (typeof values === 'function')
      return send(config, timed(own(values) as Callback, execution, queries), undefined);
    const inner = (config as { readonly callback?: unknown }).callback;
    if (typeof inner === 'function') {
      // The caller's object stays as it is.
      const copy = Object.create(Object.getPrototypeOf(config) as object) as object;
      const ended = timed(own(inner) as Callback, execution, queries);
      return send(Object.assign(copy, config, { callback: ended }), values, callback);
    }
    const pending = send(config, values, callback);
    if (typeof (pending as Promise<unknown> | undefined)?.then !== 'function') return pending;
    return queries.follow(execution, pending as Promise<unknown>, rowsOf);
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

function valuesOf(config: unknown, values: unknown): readonly unknown[] | undefined {
  if (Array.isArray(values)) return values as readonly unknown[];
  const own = (config as { readonly values?: unknown }).values;
  return Array.isArray(own) ? (own as readonly unknown[]) : undefined;
}

function timed(callback: Callback, execution: QueryExecution, queries: Queries): Callback {
  return (error, result) => {
    queries.end(execution, { failed: Boolean(error), rows: rowsOf(result) });
    callback(error, result);
  };
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
function followSubmittable(query: Submittable, execution: QueryExecution, queries: Queries): void {
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
