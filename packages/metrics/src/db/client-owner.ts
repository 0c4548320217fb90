/**
 * Who records an instrumented client. A client is wrapped once, and its wrappers record to its owner, which is the `createMetrics` that instrumented
 * it last: a pool that outlives its metrics, over a hot reload, goes on with the next ones, and counts once.
 */
import type { HistogramSeries } from '../instruments/histogram.ts';
import type { PoolRecorder, PoolState } from './pool-recorder.ts';
import type { QueryRecorder } from './query-recorder.ts';

/** What the instrumentation of a driver records queries with. */
export type Queries = Pick<
  QueryRecorder,
  'begin' | 'beginStatement' | 'bind' | 'end' | 'fail' | 'follow' | 'prepare' | 'start'
>;

/** Where the time of a wait for a connection is recorded, in seconds. */
export type Wait = Pick<HistogramSeries, 'observe'>;

/** Follows pools. */
export interface Pools {
  /** Follows a pool; gives where its waits are recorded. */
  add<T extends object>(name: string, pool: T, read: (pool: T) => PoolState): Wait;
}

/** What the instrumentation of any driver needs. */
export interface InstrumentContext {
  /** Name of the pool. */
  readonly name: string;
  readonly queries: Queries;
  readonly pools: Pools;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** What a `createMetrics` records clients with. */
export interface Recorders {
  readonly name: string;
  readonly queries: QueryRecorder;
  readonly pools: PoolRecorder;
  readonly now: () => number;
}

/** Hands on what one client does to its owner. An execution ends with whoever began it. */
export class ClientOwner implements Queries, Pools {
  #recorders: Recorders;
  #follow: ((recorders: Recorders) => Wait) | undefined;
  #wait: Wait | undefined;

  constructor(recorders: Recorders) {
    this.#recorders = recorders;
  }

  /** The context for the driver's instrumentation. */
  get context(): InstrumentContext {
    const { name } = this.#recorders;
    return { name, queries: this, pools: this, now: () => this.#recorders.now() };
  }

  /** Makes `recorders` the owner; does nothing where they are it. */
  take(recorders: Recorders): void {
    if (recorders.queries === this.#recorders.queries) return;
    this.#recorders = recorders;
    this.#wait = this.#follow?.(recorders);
  }

  add<T extends object>(_name: string, pool: T, read: (pool: T) => PoolState): Wait {
    const ref = new WeakRef(pool);
    this.#follow = (recorders) => {
      const live = ref.deref();
      // The metrics that had the client before forget the pool.
      const readOwned = (given: T): PoolState | undefined =>
        this.#recorders === recorders ? read(given) : undefined;
      return live === undefined
        ? { observe: () => {} }
        : recorders.pools.add(recorders.name, live, readOwned);
    };
    this.#wait = this.#follow(this.#recorders);
    return { observe: (seconds) => this.#wait?.observe(seconds) };
  }

  prepare(...args: Parameters<Queries['prepare']>): ReturnType<Queries['prepare']> {
    return this.#recorders.queries.prepare(...args);
  }

  begin(...args: Parameters<Queries['begin']>): ReturnType<Queries['begin']> {
    return this.#recorders.queries.begin(...args);
  }

  beginStatement(...args: Parameters<Queries['beginStatement']>): ReturnType<Queries['beginStatement']> {
    return this.#recorders.queries.beginStatement(...args);
  }

  bind<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
    return this.#recorders.queries.bind(callback);
  }

  start(...[execution, sure]: Parameters<Queries['start']>): ReturnType<Queries['start']> {
    return execution.recorder.start(execution, sure);
  }

  end(...[execution, outcome]: Parameters<Queries['end']>): void {
    execution.recorder.end(execution, outcome);
  }

  fail(...[execution]: Parameters<Queries['fail']>): void {
    execution.recorder.fail(execution);
  }

  follow: Queries['follow'] = (execution, pending, rowsOf) =>
    execution.recorder.follow(execution, pending, rowsOf);
}
