/**
 * What the pools of pg and mysql2 have in common: `pool.query` asks for a connection and then calls the connection's own `query`, both
 * instrumented. A pool hands a connection to the next waiter from inside the previous holder's release, and with it the
 * previous holder's async context. A query is therefore taken down where the pool is called, and its context restored where the
 * connection is handed over: each query sees the request that asked for it, and counts once.
 */
import type { Queries, Wait } from './client-owner.ts';
import type { QueryExecution } from './query-recorder.ts';

type Acquired = (error: unknown, connection?: unknown, done?: unknown) => void;

// Between a pool's own method and what it calls synchronously this says that the query's caller was looked at already.
let taken: QueryExecution | undefined;

/** The execution that a pool's query took down for the call being made now, if there is one; it is handed out once. */
export function takeExecution(): QueryExecution | undefined {
  const execution = taken;
  taken = undefined;
  return execution;
}

/** Runs a pool's own query method, which asks for a connection synchronously, on behalf of `execution`. */
export function callAs<T>(execution: QueryExecution | undefined, call: () => T): T {
  taken = execution;
  try {
    return call();
  } finally {
    taken = undefined;
  }
}

/** What waits for a connection need. */
export interface PoolContext {
  readonly queries: Queries;
  readonly wait: Wait;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Instruments a connection that is handed out. */
  readonly adopt: (connection: object) => void;
}

/** The callback to ask a pool's connection with: times the wait, and goes on in the asker's context. */
export function onAcquired({ queries, wait, now, adopt }: PoolContext, callback: Acquired): Acquired {
  const execution = takeExecution();
  const startMs = now();
  const bound = queries.bind(callback);
  return (error, connection, done) => {
    const endMs = now();
    wait.observe((endMs - startMs) / 1_000);
    if (connection) adopt(connection as object);
    taken = execution;
    if (execution !== undefined) {
      execution.startMs = endMs;
      if (error) queries.fail(execution);
    }
    try {
      bound(error, connection, done);
    } finally {
      taken = undefined;
    }
  };
}
