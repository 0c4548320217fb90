/** Connection pools: open and used connections, the limit, and waiting callers. */
import { definitionOf } from '../catalogue.ts';
import type { Gauge } from '../instruments/counter-gauge.ts';
import type { Histogram, HistogramSeries } from '../instruments/histogram.ts';
import type { MetricRegistry } from '../registry.ts';

/** The current state of a pool, in connections; `pending` are callers waiting for one. */
export interface PoolState {
  readonly idle: number;
  readonly used: number;
  readonly max: number;
  readonly pending: number;
}

/** Records the pools of all drivers of one `createMetrics`. */
export class PoolRecorder {
  readonly #pools = new Map<string, Set<() => PoolState | undefined>>();
  readonly #wait: Histogram;

  constructor(registry: MetricRegistry) {
    const count = registry.gauge(definitionOf('db_client_connection_count'));
    const max = registry.gauge(definitionOf('db_client_connection_max'));
    const pending = registry.gauge(definitionOf('db_client_connection_pending_requests'));
    this.#wait = registry.histogram(definitionOf('db_client_connection_wait_time_seconds'));
    registry.onCollect(() => this.#collect(count, max, pending));
  }

  /** Follows a pool until it is garbage-collected or `read` returns `undefined`. Pools of one name add up. Returns the series for its waits. */
  add<T extends object>(name: string, pool: T, read: (pool: T) => PoolState | undefined): HistogramSeries {
    const ref = new WeakRef(pool);
    const readLive = (): PoolState | undefined => {
      const live = ref.deref();
      return live === undefined ? undefined : read(live);
    };
    this.#pools.set(name, (this.#pools.get(name) ?? new Set()).add(readLive));
    return this.#wait.labels(name);
  }

  #collect(count: Gauge, max: Gauge, pending: Gauge): void {
    for (const [name, reads] of this.#pools) {
      const total = { idle: 0, used: 0, max: 0, pending: 0 };
      for (const read of reads) {
        const state = read();
        if (state === undefined) reads.delete(read);
        total.idle += state?.idle ?? 0;
        total.used += state?.used ?? 0;
        total.max += state?.max ?? 0;
        total.pending += state?.pending ?? 0;
      }
      count.labels(name, 'idle').set(total.idle);
      count.labels(name, 'used').set(total.used);
      max.labels(name).set(total.max);
      pending.labels(name).set(total.pending);
    }
  }
}
