/**
 * Query timing for mysql2, its callback and its promise interface: the latter is a shell around the former, which is
 * wrapped. Its diagnostics channels are not used: they fire with values inlined, and in the context of whoever gave the
 * connection back. Contexts are captured at the pool instead.
 */
import type { SqlSystem } from './dialect.ts';
import type { InstrumentContext } from './instrument.ts';
import { type AnyFunction, claim, wrapMethod } from './instrumented.ts';
import { callAs, onAcquired, type PoolContext, takeExecution } from './pool-calls.ts';
import type { QueryExecution, QueryRecorder } from './query-recorder.ts';

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
  readonly _handshakePacket?: { readonly serverVersion?: string };
}

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

function valuesOf(args: readonly unknown[]): readonly unknown[] | undefined {
  const values = Array.isArray(args[1]) ? args[1] : (args[0] as { readonly values?: unknown }).values;
  return Array.isArray(values) ? (values as readonly unknown[]) : undefined;
}

/** Wraps a pool: its waits, and every connection it opens. */
export function instrumentMysqlPool(pool: MysqlPool, { name, queries, pools, now }: InstrumentContext): void {
  if (!claim(pool)) return;
  const wait = pools.add(name, pool, ({ config, _allConnections, _freeConnections, _connectionQueue }) => {
    const idle = _freeConnections?.length ?? 0;
    return {
      idle,
      used: (_allConnections?.length ?? 0) - idle,
      max: config.connectionLimit,
      pending: _connectionQueue?.length ?? 0,
    };
  });
  // Known from the first connection on.
  let system: SqlSystem = 'mysql';
  const adopt = (connection: object): void => {
    system = systemOf(connection);
    instrumentMysqlConnection(connection, queries);
  };
  const context: PoolContext = { queries, wait, now, adopt };
  pool.on('connection', adopt);
  wrapMethod(
    pool,
    'getConnection',
    (original) => (callback) => original(onAcquired(context, callback as Callback)),
  );
  for (const method of ['query', 'execute']) {
    wrapMethod(pool, method, (original) => (...args) => {
      const text = textOf(args[0]);
      const execution = text === undefined ? undefined : queries.prepare(system, text, valuesOf(args));
      return callAs(execution, () => original(...args));
    });
  }
}

/** Wraps one connection. */
export function instrumentMysqlConnection(connection: object, queries: QueryRecorder): void {
  if (!claim(connection)) return;
  for (const method of ['query', 'execute']) {
    wrapMethod(connection, method, (original) => (...args) => {
      const pooled = takeExecution();
      const text = pooled?.text ?? textOf(args[0]);
      if (text === undefined) return original(...args);
      const system = systemOf(connection);
      const execution = queries.start(pooled ?? queries.prepare(system, text, valuesOf(args)), system);
      const last = args.findLastIndex((argument) => typeof argument === 'function');
      if (last > 0) {
        args[last] = timed(args[last] as Callback, execution, queries);
        return original(...args);
      }
      const command = args[0] as Command;
      if (typeof command === 'object' && typeof command.onResult === 'function') {
        command.onResult = timed(command.onResult, execution, queries);
        return original(...args);
      }
      return followCommand(original(...args) as Command, execution, queries);
    });
  }
}

function systemOf(connection: MysqlConnection): SqlSystem {
  return connection._handshakePacket?.serverVersion?.includes('MariaDB') === true ? 'mariadb' : 'mysql';
}

function timed(callback: Callback, execution: QueryExecution, queries: QueryRecorder): Callback {
  const bound = queries.bind(callback);
  return (error, ...rest) => {
    queries.end(execution, { failed: Boolean(error), rows: rowsOf(rest[0]) });
    bound(error, ...rest);
  };
}

function rowsOf(result: unknown): number | undefined {
  if (Array.isArray(result)) return result.length;
  const affected = (result as { readonly affectedRows?: unknown } | undefined)?.affectedRows;
  return typeof affected === 'number' ? affected : undefined;
}

// Streams end by events. They are read on their way out: a listener for 'error' would change who gets it.
function followCommand(command: Command, execution: QueryExecution, queries: QueryRecorder): Command {
  let ended = false;
  wrapMethod(command, 'emit', (emit) => (event, ...rest) => {
    if (!ended && (event === 'end' || event === 'error')) {
      ended = true;
      queries.end(execution, { failed: event === 'error' });
    }
    return emit(event, ...rest);
  });
  return command;
}
