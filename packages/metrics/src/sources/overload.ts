/** Metrics of every concurrency limiter and load shedder of `@weir/ratelimit` in the process, read at scrape time. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { definitionOf } from '../catalogue.ts';
import type { MetricRegistry } from '../registry.ts';
import { InstanceTotals, type Reading } from './totals.ts';

/** What a guard announces of itself (docs/contracts.md). */
export interface AnnouncedGuard {
  readonly name: string;
  stats(): GuardCounters;
}

/** The counters of a guard, as its contract has them; gauges that its kind lacks are absent. */
export interface GuardCounters {
  readonly admitted: number;
  readonly refused: number;
  readonly limit?: number;
  readonly inFlight?: number;
  readonly queued?: number;
  readonly level?: number;
}

function read(guard: AnnouncedGuard): Reading {
  const { admitted, refused } = guard.stats();
  return new Map([
    ['admitted', admitted],
    ['refused', refused],
  ]);
}

/** Starts the overload metrics; call the result to stop. */
export function startOverloadMetrics(registry: MetricRegistry): () => void {
  const requests = registry.counter(definitionOf('weir_overload_requests_total'));
  const gauges = {
    limit: registry.gauge(definitionOf('weir_overload_limit')),
    inFlight: registry.gauge(definitionOf('weir_overload_in_flight')),
    queued: registry.gauge(definitionOf('weir_overload_queued')),
    level: registry.gauge(definitionOf('weir_overload_shed_ratio')),
  };
  const fields = Object.keys(gauges) as (keyof typeof gauges)[];
  const instances = new InstanceTotals<AnnouncedGuard>(read);
  const announce = (guard: AnnouncedGuard): void => instances.add(guard.name, guard);
  const onCreated = (message: unknown): void => announce((message as { guard: AnnouncedGuard }).guard);
  const onClosed = (message: unknown): void => instances.close((message as { guard: AnnouncedGuard }).guard);
  const stop = registry.onCollect(() => {
    for (const [name, totals] of instances.totals()) {
      for (const [admission, total] of totals) requests.labels(name, admission).setTotal(total);
    }
    for (const field of fields) for (const series of gauges[field].series) series.set(0);
    for (const { name, instance } of instances.live()) {
      const stats = instance.stats();
      for (const field of fields) {
        const value = stats[field];
        if (value !== undefined) gauges[field].labels(name).inc(value);
      }
    }
  });
  subscribe('weir:ratelimit:guard-created', onCreated);
  subscribe('weir:ratelimit:guard-closed', onClosed);
  channel('weir:ratelimit:guard-discover').publish({ announce });
  return () => {
    stop();
    unsubscribe('weir:ratelimit:guard-created', onCreated);
    unsubscribe('weir:ratelimit:guard-closed', onClosed);
  };
}
