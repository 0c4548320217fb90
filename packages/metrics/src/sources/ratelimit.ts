/** Metrics of every `@weir/ratelimit` limiter in the process: counters are read at scrape time, slow paths arrive on channels. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { definitionOf } from '../catalogue.ts';
import type { MetricRegistry } from '../registry.ts';
import { InstanceTotals, type Reading } from './totals.ts';

/** What a limiter announces of itself (docs/contracts.md). */
export interface AnnouncedLimiter {
  readonly name: string;
  stats(): LimiterCounters;
}

/** The counters of a limiter, as its contract has them. */
export interface LimiterCounters {
  readonly decisions: readonly {
    readonly decision: string;
    readonly source: string;
    readonly count: number;
  }[];
  readonly violations: readonly { readonly policy: string; readonly count: number }[];
  /** Absent in limiters before shadow denials were counted. */
  readonly shadowDenials?: number;
  readonly keys: number;
}

// A policy's name may hold spaces, so it comes last.
function read(limiter: AnnouncedLimiter): Reading {
  const { decisions, violations, shadowDenials = 0 } = limiter.stats();
  const reading = new Map<string, number>();
  for (const { decision, source, count } of decisions) reading.set(`decision ${decision} ${source}`, count);
  reading.set('shadow', shadowDenials);
  for (const { policy, count } of violations) reading.set(`violation ${policy}`, count);
  return reading;
}

/** Starts the limiter metrics; call the result to stop. */
export function startRateLimitMetrics(registry: MetricRegistry): () => void {
  const decisions = registry.counter(definitionOf('weir_ratelimit_decisions_total'));
  const violations = registry.counter(definitionOf('weir_ratelimit_violations_total'));
  const shadowed = registry.counter(definitionOf('weir_ratelimit_shadow_denials_total'));
  const keys = registry.gauge(definitionOf('weir_ratelimit_keys'));
  const redisSeconds = registry.histogram(definitionOf('weir_ratelimit_redis_operation_duration_seconds'));
  const instances = new InstanceTotals<AnnouncedLimiter>(read);

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
