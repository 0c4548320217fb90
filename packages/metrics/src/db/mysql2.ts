/**
 * Query timing for mysql2, its callback and its promise interface: the latter is a shell around the former, which is
 * wrapped. Its diagnostics channels are not used: they fire with values inlined, and in the context of whoever gave the
 * connection back. Contexts are captured at the pool instead.
 */

import { type Dialect, dialects, sessions } from './dialect.ts';
import {
  type AnyFunction,
  callAs,
  claim,
  type InstrumentContext,
  type Lending,
  onAcquired,
  type Queries,
  takeExecution,
  wrapMethod,
} from './driver.ts';
import type { QueryExecution } from './query-recorder.ts';

type Callback = (error: unknown, ...rest: unknown[]) => void;

interface Lengthy {
  readonly length: number;
}

/** What is used of mysql2's Pool. */
export interface MysqlPool {
  getConnection: AnyFunction;
  on(event: 'connection', listener: (connection: object) => void): unknown;
  readonly config: { readonly connectionLimit: number };
  readonly _allConnections?: Lengthy;
  readonly _freeConnections?: Lengthy;
  readonly _connectionQueue?: Lengthy;
}

interface MysqlConnection {
  readonly _handshakePacket?: { readonly serverVersion?: string; readonly statusFlags?: number };
}

/** SERVER_STATUS_NO_BACKSLASH_ESCAPES, which the server tells with its greeting and with every result that has no rows. */
const noBackslashEscapes = 512;

interface Command {
  readonly sql?: unknown;
  onResult?: Callback;
  emit?: AnyFunction;
}

/** The callback-style object behind either interface, if `client` is of mysql2. */
export function mysqlCore(client: object): object | undefined {
  const { pool, connection } = client as { readonly pool?: object; readonly connection?: object };
  for (const core of [client, pool, connection]) {
    if (
      core !== undefined &&
      core !== null &&
      ('_allConnections' in core ||
        '_handshakePacket' in core ||
        'packetEncoder' in core ||
        'sequenceId' in core)
    )
      return core;
  }
  return undefined;
}

/** Whether a core object is a pool. */
export function isMysqlPool(core: object): core is MysqlPool {
  return 'getConnection' in core && '_allConnections' in core;
}

function textOf(sql: unknown): string | undefined {
  const text = typeof sql === 'string' ? sql : (sql as { readonly sql?: unknown } | null | undefined)?.sql;
  return typeof text === 'string' ? text : undefined;
}

// A list, one value, or an object by name.
function valuesOf([first, second]: readonly unknown[]): unknown {
  if (second !== undefined && typeof second !== 'function') return second;
  return (first as { readonly values?: unknown }).values;
}

/** Wraps a pool: its waits, and every connection it opens. */
export function instrumentMysqlPool(pool: MysqlPool, context: InstrumentContext): void {
  if (!claim(pool)) return;
  const wait = context.followPool(pool, ({ config, _allConnections, _freeConnections, _connectionQueue }) => {
    const idle = _freeConnections?.length ?? 0;
    return {
      idle,
      used: (_allConnections?.length ?? 0) - idle,
      max: config.connectionLimit,
      pending: _connectionQueue?.length ?? 0,
    };
  });
  // Known from the first connection on.
  let dialect: Dialect = dialects.mysql;
  const adopt = (connection: object): void => {
    dialect = dialectOf(connection, flagsOf(connection));
    instrumentMysqlConnection(connection, context);
  };
  const lending: Lending = { context, wait, adopt };
  pool.on('connection', adopt);
  wrapMethod(
    pool,
    'getConnection',
    (original) => (callback) => original(onAcquired(lending, callback as Callback)),
  );
  for (const method of ['query', 'execute']) {
    wrapMethod(pool, method, (original) => (...args) => {
      const text = textOf(args[0]);
      const execution = text === undefined ? undefined : context.prepare(dialect, text, valuesOf(args));
      return callAs(execution, () => original(...args));
    });
  }
}

/** Wraps one connection. */
export function instrumentMysqlConnection(connection: object, queries: Queries): void {
  if (!claim(connection)) return;
  const session = new Session(connection, queries);
  for (const method of ['query', 'execute']) {
    wrapMethod(connection, method, (original) => (...args) => {
      const pooled = takeExecution();
      const text = pooled?.text ?? textOf(args[0]);
      if (text === undefined) return original(...args);
      return session.run(pooled ?? queries.prepare(session.dialect, text, valuesOf(args)), original, args);
    });
  }
  wrapMethod(connection, 'prepare', (prepare) => (sql, callback) => {
    const text = textOf(sql);
    if (text === undefined || typeof callback !== 'function') return prepare(sql, callback);
    return prepare(sql, (error: unknown, statement?: object) => {
      if (error) queries.prepare(session.dialect, text).fail();
      if (statement !== undefined) instrumentStatement(statement, text, session, queries);
      (callback as Callback)(error, statement);
    });
  });
  // These set the session back to what the server has as its default.
  for (const method of ['changeUser', 'reset']) {
    wrapMethod(connection, method, (original) => (...args) => {
      session.forget();
      return original(...args);
    });
  }
}

// The driver gives one object for a text however often it is prepared.
function instrumentStatement(statement: object, text: string, session: Session, queries: Queries): void {
  if (!claim(statement)) return;
  wrapMethod(statement, 'execute', (execute) => (...args) => {
    const values = typeof args[0] === 'function' ? undefined : args[0];
    return session.run(queries.prepare(session.dialect, text, values), execute, args);
  });
}

function flagsOf(connection: MysqlConnection): number | undefined {
  return connection._handshakePacket?.statusFlags;
}

function dialectOf(connection: MysqlConnection, flags: number | undefined): Dialect {
  const isMariadb = connection._handshakePacket?.serverVersion?.includes('MariaDB') === true;
  const system = isMariadb ? 'mariadb' : 'mysql';
  if (flags === undefined) return dialects[system];
  return sessions[system][(flags & noBackslashEscapes) === 0 ? 'always' : 'never'];
}

/** What is known of one connection, and how its commands are followed. */
class Session {
  readonly #connection: MysqlConnection;
  readonly #queries: Queries;
  /** Undefined until the greeting has come; the dialect is then asked for anew. */
  #dialect: Dialect | undefined;
  /** Commands under way that may change how strings are read. */
  #changes = 0;

  constructor(connection: MysqlConnection, queries: Queries) {
    this.#connection = connection;
    this.#queries = queries;
  }

  get dialect(): Dialect {
    if (this.#dialect !== undefined) return this.#dialect;
    const flags = flagsOf(this.#connection);
    const dialect = dialectOf(this.#connection, flags);
    if (flags !== undefined) this.#dialect = dialect;
    return dialect;
  }

  /** Nothing is known of the session until a result tells. */
  forget(): void {
    this.#dialect = dialectOf(this.#connection, undefined);
  }

  /** Sends a command by the driver's own method and follows it to its end. */
  run(execution: QueryExecution, send: AnyFunction, args: unknown[]): unknown {
    execution.start(this.dialect);
    if (execution.known.changesStrings) {
      this.#changes += 1;
      this.forget();
    }
    const last = args.findLastIndex((argument) => typeof argument === 'function');
    if (last >= 0) {
      args[last] = this.#timed(args[last] as Callback, execution);
      return send(...args);
    }
    const command = args[0] as Command | undefined;
    if (typeof command === 'object' && typeof command?.onResult === 'function') {
      command.onResult = this.#timed(command.onResult, execution);
      return send(...args);
    }
    return this.#follow(send(...args) as Command, execution);
  }

  #timed(callback: Callback, execution: QueryExecution): Callback {
    const bound = this.#queries.bind(callback);
    return (error, ...rest) => {
      this.#ended(execution, rest[0]);
      execution.end({ failed: Boolean(error), rows: rowsOf(rest[0]) });
      bound(error, ...rest);
    };
  }

  // Streams end by events. They are read on their way out: a listener for 'error' would change who gets it.
  #follow(command: Command, execution: QueryExecution): Command {
    let ended = false;
    let last: unknown;
    wrapMethod(command, 'emit', (emit) => (event, ...rest) => {
      if (event === 'result') last = rest[0];
      if (!ended && (event === 'end' || event === 'error')) {
        ended = true;
        this.#ended(execution, last);
        execution.end({ failed: event === 'error' });
      }
      return emit(event, ...rest);
    });
    return command;
  }

  // A result without rows, or the last of several, is the header that the server sent. While a change is under way it may be of before.
  #ended(execution: QueryExecution, result: unknown): void {
    if (execution.known.changesStrings) this.#changes -= 1;
    const header = (Array.isArray(result) ? result.at(-1) : result) as { serverStatus?: unknown } | undefined;
    const flags = header?.serverStatus;
    // A row may have a column of any name.
    if (typeof flags === 'number' && header?.constructor?.name === 'ResultSetHeader' && this.#changes === 0)
      this.#dialect = dialectOf(this.#connection, flags);
  }
}

function rowsOf(result: unknown): number | undefined {
  if (Array.isArray(result)) return result.length;
  const affected = (result as { readonly affectedRows?: unknown } | undefined)?.affectedRows;
  return typeof affected === 'number' ? affected : undefined;
}
