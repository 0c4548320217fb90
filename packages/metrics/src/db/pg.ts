/**
 * Query timing for node-postgres. Pool and Client are wrapped as instances, never as prototypes, so nothing else in the process changes.
 */
import { subscribe } from 'node:diagnostics_channel';
import { type Dialect, dialectBeforeSession, dialects, sessions } from './dialect.ts';
import {
  type AnyFunction,
  callAs,
  claim,
  type InstrumentContext,
  type Lending,
  onAcquired,
  type Queries,
  takeExecution,
} from './driver.ts';
import type { QueryExecution, QueryOutcome } from './query-recorder.ts';

/** Whether `client` looks like a pg Pool. */
export function isPgPool(client: object): client is PgPool {
  return 'totalCount' in client && 'idleCount' in client && 'waitingCount' in client && 'connect' in client;
}

/** Whether `client` looks like a pg Client. */
export function isPgClient(client: object): client is PgClient {
  return 'connectionParameters' in client && typeof (client as { query?: unknown }).query === 'function';
}

/** The members of a pg Client that are used. */
interface PgClient {
  query: AnyFunction;
  connect: AnyFunction;
  /** The driver's own connection, which receives the session's settings from the server. */
  readonly connection?: {
    on?(event: 'parameterStatus', listener: (message: ParameterStatus) => void): unknown;
  };
}

interface ParameterStatus {
  readonly parameterName: string;
  readonly parameterValue: string;
}

/** The members of a pg Pool that are used. */
interface PgPool extends PgClient {
  on(event: 'connect', listener: (client: PgClient) => void): unknown;
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly options: { readonly max?: number };
  Client?: new (...args: never[]) => PgClient;
}

/** Wraps a pool: its queries, its waits, and every client it opens. A second time is a no-op. */
export function instrumentPgPool(pool: PgPool, context: InstrumentContext): void {
  if (!claim(pool)) return;
  const wait = context.followPool(pool, ({ totalCount, idleCount, waitingCount, options }) => ({
    idle: idleCount,
    used: totalCount - idleCount,
    max: options.max ?? 10,
    pending: waitingCount,
  }));
  // The dialect that a client reported last; a guess, which each client corrects for its own queries.
  let dialect: Dialect = dialects.postgresql;
  const adopt = (client: object): void =>
    instrumentPgClient(client as PgClient, context, (reported) => {
      dialect = reported;
    });
  const lending: Lending = { context, wait, adopt };
  // 'connect' comes before the new client is handed out. Clients opened earlier are wrapped when they are next lent.
  pool.on('connect', adopt);
  adoptNewClients(pool, adopt);
  const { connect, query } = pool;
  pool.query = (config: unknown, values?: unknown, callback?: unknown): unknown => {
    const text = textOf(config);
    if (text === undefined) return query.call(pool, config, values, callback);
    const execution = context.prepare(dialectBeforeSession(dialect, text), text, valuesOf(config, values));
    // Without `bind` the caller's callback would run in the connection's context.
    const own = typeof callback === 'function' ? context.bind(callback as Callback) : callback;
    const second = typeof values === 'function' ? context.bind(values as Callback) : values;
    return callAs(execution, () => query.call(pool, config, second, own));
  };
  pool.connect = (callback?: unknown): unknown => {
    if (typeof callback === 'function') return connect.call(pool, onAcquired(lending, callback as Callback));
    const startMs = context.clock.now();
    const acquired = (client?: unknown): void => {
      wait.observe((context.clock.now() - startMs) / 1_000);
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

// The server reports how it reads strings before a new client is connected, so a client is wrapped as it is constructed.
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

/** Wraps one client; a second time is a no-op. `onDialect` is called whenever the server reports how the session reads strings. */
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
    const execution = pooled ?? queries.prepare(dialect, text, valuesOf(config, values));
    execution.start(dialect);
    // Unknown again until the server reports the setting.
    if (execution.known.changesStrings) dialect = dialects.postgresql;
    // A pool's caller has been bound where the pool was called; the pool's own callback needs no context.
    const own = <T>(given: T): T =>
      pooled === undefined && typeof given === 'function' ? (queries.bind(given as never) as T) : given;
    if (publisher.publishes && !isSubmittable(config)) {
      enterDriver(publisher, (outcome) => execution.end(outcome));
      try {
        return query.call(client, config, own(values), own(callback));
      } finally {
        leaveDriver();
      }
    }
    if (isSubmittable(config)) {
      followSubmittable(config, execution);
      return send(config, values, callback);
    }
    if (typeof callback === 'function')
      return send(config, values, timed(own(callback) as Callback, execution));
    if (typeof values === 'function')
      return send(config, timed(own(values) as Callback, execution), undefined);
    const inner = (config as { readonly callback?: unknown }).callback;
    if (typeof inner === 'function') {
      // The caller's object stays unchanged.
      const copy = Object.create(Object.getPrototypeOf(config) as object) as object;
      const ended = timed(own(inner) as Callback, execution);
      return send(Object.assign(copy, config, { callback: ended }), values, callback);
    }
    const pending = send(config, values, callback);
    if (typeof (pending as Promise<unknown> | undefined)?.then !== 'function') return pending;
    return execution.follow(pending as Promise<unknown>, rowsOf);
  };
}

type Callback = (error: unknown, result?: unknown) => void;

function timed(callback: Callback, execution: QueryExecution): Callback {
  return (error, result) => {
    execution.end({ failed: Boolean(error), rows: rowsOf(result) });
    callback(error, result);
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
function followSubmittable(query: Submittable, execution: QueryExecution): void {
  let ended = false;
  const follow = (method: 'handleReadyForQuery' | 'handleError', failed: boolean): void => {
    const original = query[method];
    if (typeof original !== 'function') return;
    query[method] = function (this: unknown, ...args: unknown[]): unknown {
      if (!ended) execution.end({ failed });
      ended = true;
      return original.apply(this, args);
    };
  };
  follow('handleReadyForQuery', false);
  follow('handleError', true);
}

/*
 * node-postgres plans to publish its queries on the tracing channel `pg:query`. A client that is seen to publish is no longer timed by wrapped
 * callbacks: the channel reports the end of each query, and none counts twice. Only a message's identity, error and row count are read.
 */
const channelName = 'tracing:pg:query';

/** Whether one client's driver publishes its queries. */
interface PgPublisher {
  publishes: boolean;
}

type EndQuery = (outcome: QueryOutcome) => void;

interface Message {
  readonly error?: unknown;
  readonly result?: { readonly rowCount?: unknown };
}

let calling: PgPublisher | undefined;
let waiting: EndQuery | undefined;
const ends = new WeakMap<object, EndQuery>();
let subscribed = false;

function onStart(message: unknown): void {
  if (calling === undefined) return;
  calling.publishes = true;
  if (waiting !== undefined) ends.set(message as object, waiting);
  waiting = undefined;
}

function finish(message: unknown): void {
  const end = ends.get(message as object);
  if (end === undefined) return;
  ends.delete(message as object);
  const { error, result } = message as Message;
  const rows = typeof result?.rowCount === 'number' ? result.rowCount : undefined;
  end({ failed: error !== undefined, rows });
}

/** Subscribes to the channel, once per process. */
function createPublisher(): PgPublisher {
  if (!subscribed) {
    subscribed = true;
    subscribe(`${channelName}:start`, onStart);
    subscribe(`${channelName}:asyncStart`, finish);
    // A call that throws synchronously has no asynchronous end.
    subscribe(`${channelName}:end`, (message) => {
      if ((message as Message).error !== undefined) finish(message);
    });
  }
  return { publishes: false };
}

/** Call it right before the driver's own method; with `end`, the channel is relied on to report the end of the query. */
function enterDriver(publisher: PgPublisher, end?: EndQuery): void {
  calling = publisher;
  waiting = end;
}

/** Call it right after that. A driver that was relied on and did not publish is timed by callbacks again. */
function leaveDriver(): void {
  if (waiting !== undefined && calling !== undefined) calling.publishes = false;
  calling = undefined;
  waiting = undefined;
}
