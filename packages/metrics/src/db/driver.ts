/**
 * What the instrumentations of all drivers share: where a client records, how its methods are wrapped, and how a pool hands a query over to
 * the connection that runs it.
 */
import type { HistogramSeries } from '../instruments/histogram.ts';
import type { Clock } from '../registry.ts';
import type { PoolState } from './pool-recorder.ts';
import type { QueryExecution, QueryRecorder } from './query-recorder.ts';

/** Records the queries of one client. */
export type Queries = Pick<QueryRecorder, 'prepare' | 'begin' | 'beginStatement' | 'bind'>;

/** Records waits for a connection, in seconds. */
export type WaitSeries = Pick<HistogramSeries, 'observe'>;

/** Records the queries of one client, and its pool if it is one. */
export interface InstrumentContext extends Queries {
  /** Monotonic milliseconds. */
  readonly clock: Clock;
  /** Exports the state of `pool`, read at each scrape; returns the series for its waits. */
  followPool<T extends object>(pool: T, read: (pool: T) => PoolState): WaitSeries;
}

const claimed = new WeakSet<object>();

/** Claims `client` for instrumentation; `false` if it is claimed already. Wrapping a client twice would count its queries twice. */
export function claim(client: object): boolean {
  if (claimed.has(client)) return false;
  claimed.add(client);
  return true;
}

/** Any method of a driver, for wrapping. */
export type AnyFunction = (...args: unknown[]) => unknown;

/** Replaces a method of one instance and leaves its prototype unchanged. `wrap` receives the original, bound. A missing method is a no-op. */
export function wrapMethod(target: object, name: string, wrap: (original: AnyFunction) => AnyFunction): void {
  const original = (target as Record<string, unknown>)[name];
  if (typeof original !== 'function') return;
  Object.defineProperty(target, name, {
    value: wrap((original as AnyFunction).bind(target)),
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

/*
 * In pg and mysql2 alike, `pool.query` requests a connection and then calls the connection's own `query`; both are instrumented. A pool hands a
 * connection to the next waiter inside the previous holder's release, in the previous holder's async context. A query is therefore prepared when
 * the pool is called, and its context is restored when the connection is handed over: each query belongs to its own request and counts once.
 */

// The execution that a pool's method prepared for the connection's method that it calls synchronously.
let handedOver: QueryExecution | undefined;

/** Runs a pool's own query method, which requests a connection synchronously, on behalf of `execution`. */
export function callAs<T>(execution: QueryExecution | undefined, call: () => T): T {
  handedOver = execution;
  try {
    return call();
  } finally {
    handedOver = undefined;
  }
}

/** The execution that the pool prepared for the current call, if any. It is returned once. */
export function takeExecution(): QueryExecution | undefined {
  const execution = handedOver;
  handedOver = undefined;
  return execution;
}

/** How a pool lends its connections. */
export interface Lending {
  readonly context: InstrumentContext;
  readonly wait: WaitSeries;
  /** Instruments a connection that is handed out. */
  readonly adopt: (connection: object) => void;
}

type Acquired = (error: unknown, connection?: unknown, done?: unknown) => void;

/** Wraps the callback of a request for a connection: records the wait, and continues in the requester's context. */
export function onAcquired({ context, wait, adopt }: Lending, callback: Acquired): Acquired {
  const execution = takeExecution();
  const startMs = context.clock.now();
  const bound = context.bind(callback);
  return (error, connection, done) => {
    const endMs = context.clock.now();
    wait.observe((endMs - startMs) / 1_000);
    if (connection) adopt(connection as object);
    if (execution !== undefined) {
      execution.startMs = endMs;
      if (error) execution.fail();
    }
    callAs(execution, () => bound(error, connection, done));
  };
}
