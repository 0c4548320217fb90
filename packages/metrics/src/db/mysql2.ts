/**
 * Query timing for mysql2, with callbacks and with promises: the promise interface is a shell around the callback interface, which is wrapped.
 * mysql2's diagnostics channels are not used: they publish inlined values, in the async context of whoever returned the connection. Contexts are
 * captured at the pool instead.
 */
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
  wrapMethod,
} from './driver.ts';
import type { QueryExecution } from './query-recorder.ts';

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

/** The members of mysql2's Pool that are used. */
interface MysqlPool {
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

/** Wraps a pool: its queries, its waits, and every connection it opens. A second time is a no-op. */
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
  // That of the connection lent last; a guess, which each connection corrects for its own queries.
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
      const execution =
        text === undefined
          ? undefined
          : context.prepare(dialectBeforeSession(dialect, text), text, valuesOf(args));
      return callAs(execution, () => original(...args));
    });
  }
}

/** Wraps one connection. A second time is a no-op. */
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
  // Both reset the session's settings to the server's defaults.
  for (const method of ['changeUser', 'reset']) {
    wrapMethod(connection, method, (original) => (...args) => {
      session.forget();
      return original(...args);
    });
  }
}

// The driver returns the same object whenever a text is prepared again.
function instrumentStatement(statement: object, text: string, session: Session, queries: Queries): void {
  if (!claim(statement)) return;
  wrapMethod(statement, 'execute', (execute) => (...args) => {
    const values = typeof args[0] === 'function' ? undefined : args[0];
    return session.run(queries.prepare(session.dialect, text, values), execute, args);
  });
}

function textOf(sql: unknown): string | undefined {
  const text = typeof sql === 'string' ? sql : (sql as { readonly sql?: unknown } | null | undefined)?.sql;
  return typeof text === 'string' ? text : undefined;
}

// A list, one value, or an object of named values.
function valuesOf([first, second]: readonly unknown[]): unknown {
  if (second !== undefined && typeof second !== 'function') return second;
  return (first as { readonly values?: unknown }).values;
}

/** One connection: the dialect of its session, and how its commands are followed. */
class Session {
  readonly #connection: MysqlConnection;
  readonly #queries: Queries;
  /** `undefined` until the server's greeting has been received. */
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

  /** Makes the session's settings unknown until a result reports them. */
  forget(): void {
    this.#dialect = dialectOf(this.#connection, undefined);
  }

  /** Starts the execution, sends its command by the driver's own method and follows it to its end. */
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

  // Streams end by events. `emit` is wrapped because a listener for 'error' would change who handles it.
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

  // A result without rows, or the last of several, is the server's header. While a change is in flight, it may describe the state before.
  #ended(execution: QueryExecution, result: unknown): void {
    if (execution.known.changesStrings) this.#changes -= 1;
    const header = (Array.isArray(result) ? result.at(-1) : result) as { serverStatus?: unknown } | undefined;
    const flags = header?.serverStatus;
    // A row may also have a column `serverStatus`.
    if (typeof flags === 'number' && header?.constructor?.name === 'ResultSetHeader' && this.#changes === 0)
      this.#dialect = dialectOf(this.#connection, flags);
  }
}

interface Command {
  readonly sql?: unknown;
  onResult?: Callback;
  emit?: AnyFunction;
}

type Callback = (error: unknown, ...rest: unknown[]) => void;

function rowsOf(result: unknown): number | undefined {
  if (Array.isArray(result)) return result.length;
  const affected = (result as { readonly affectedRows?: unknown } | undefined)?.affectedRows;
  return typeof affected === 'number' ? affected : undefined;
}

function dialectOf(connection: MysqlConnection, flags: number | undefined): Dialect {
  const isMariadb = connection._handshakePacket?.serverVersion?.includes('MariaDB') === true;
  const system = isMariadb ? 'mariadb' : 'mysql';
  if (flags === undefined) return dialects[system];
  return sessions[system][(flags & noBackslashEscapes) === 0 ? 'always' : 'never'];
}

/** SERVER_STATUS_NO_BACKSLASH_ESCAPES, which the server sends with its greeting and with every result without rows. */
const noBackslashEscapes = 512;

function flagsOf(connection: MysqlConnection): number | undefined {
  return connection._handshakePacket?.statusFlags;
}

interface Lengthy {
  readonly length: number;
}
