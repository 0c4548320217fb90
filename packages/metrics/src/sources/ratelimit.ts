/**
 * Metrics of `@weir/ratelimit` in this process: rate limiters, and the guards against overload (concurrency limiters and load shedders).
 * Counters are read at scrape time; Redis operations arrive on a diagnostics channel.
 */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { definitionOf } from '../catalogue.ts';
import type { MetricRegistry } from '../registry.ts';
import { InstanceTotals, type Reading } from './instance-totals.ts';

/** How a limiter announces itself (docs/contracts.md). */
interface AnnouncedLimiter {
  readonly name: string;
  stats(): LimiterCounters;
}

/** The counters of a limiter, as its contract defines them. */
interface LimiterCounters {
  readonly decisions: readonly {
    readonly decision: string;
    readonly source: string;
    readonly count: number;
  }[];
  readonly violations: readonly { readonly policy: string; readonly count: number }[];
  /** Absent in limiters that do not count shadow denials. */
  readonly shadowDenials?: number;
  readonly keys: number;
}

/** Starts the limiter metrics; call the result to stop. */
export function startRateLimitMetrics(registry: MetricRegistry): () => void {
  const decisions = registry.counter(definitionOf('weir_ratelimit_decisions_total'));
  const violations = registry.counter(definitionOf('weir_ratelimit_violations_total'));
  const shadowed = registry.counter(definitionOf('weir_ratelimit_shadow_denials_total'));
  const keys = registry.gauge(definitionOf('weir_ratelimit_keys'));
  const redisSeconds = registry.histogram(definitionOf('weir_ratelimit_redis_operation_duration_seconds'));
  const instances = new InstanceTotals<AnnouncedLimiter>(readLimiter);

  const announce = (limiter: AnnouncedLimiter): void => instances.add(limiter.name, limiter);
  const onCreated = (message: unknown): void => announce((message as { limiter: AnnouncedLimiter }).limiter);
  const onClosed = (message: unknown): void =>
    instances.close((message as { limiter: AnnouncedLimiter }).limiter);
  const onRedis = (message: unknown): void => {
    const { limiter, operation, outcome, durationMs } = message as Record<string, string> & {
      durationMs: number;
    };
    redisSeconds
      .labels(limiter as string, operation as string, outcome as string)
      .observe(durationMs / 1_000);
  };
  const stop = registry.onCollect(() => {
    for (const [name, totals] of instances.totals()) {
      for (const [series, total] of totals) {
        const [kind, first, source] = series.split(' ') as [string, string, string];
        if (kind === 'decision') decisions.labels(name, first, source).setTotal(total);
        else if (kind === 'shadow') shadowed.labels(name).setTotal(total);
        else violations.labels(name, series.slice('violation '.length)).setTotal(total);
      }
    }
    for (const series of keys.series) series.set(0);
    for (const { name, instance } of instances.live()) keys.labels(name).inc(instance.stats().keys);
  });
  const listeners = [
    ['weir:ratelimit:created', onCreated],
    ['weir:ratelimit:closed', onClosed],
    ['weir:ratelimit:redis', onRedis],
  ] as const;
  for (const [name, listener] of listeners) subscribe(name, listener);
  channel('weir:ratelimit:discover').publish({ announce });
  return () => {
    stop();
    for (const [name, listener] of listeners) unsubscribe(name, listener);
  };
}

// A policy's name may hold spaces, so it comes last.
function readLimiter(limiter: AnnouncedLimiter): Reading {
  const { decisions, violations, shadowDenials = 0 } = limiter.stats();
  const reading = new Map<string, number>();
  for (const { decision, source, count } of decisions) reading.set(`decision ${decision} ${source}`, count);
  reading.set('shadow', shadowDenials);
  for (const { policy, count } of violations) reading.set(`violation ${policy}`, count);
  return reading;
}

/** How a concurrency limiter or load shedder announces itself (docs/contracts.md). */
interface AnnouncedGuard {
  readonly name: string;
  stats(): GuardCounters;
}

/** The counters of a guard, as its contract defines them; gauges that its kind lacks are absent. */
interface GuardCounters {
  readonly admitted: number;
  readonly refused: number;
  readonly limit?: number;
  readonly inFlight?: number;
  readonly queued?: number;
  readonly level?: number;
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
  const instances = new InstanceTotals<AnnouncedGuard>(readGuard);
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

function readGuard(guard: AnnouncedGuard): Reading {
  const { admitted, refused } = guard.stats();
  return new Map([
    ['admitted', admitted],
    ['refused', refused],
  ]);
}
