/** Metrics of every `@weir/cache` in this process. Counters are read at scrape time; loads and Redis operations arrive on diagnostics channels. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { definitionOf } from '../catalogue.ts';
import type { MetricRegistry } from '../registry.ts';
import { InstanceTotals, type Reading } from './instance-totals.ts';

/** How a cache announces itself (docs/contracts.md). */
export interface AnnouncedCache {
  readonly name: string;
  stats(): CacheCounters;
}

/** The counters of a cache, as its contract defines them. */
interface CacheCounters {
  readonly l1Hits: number;
  readonly l2Hits: number;
  readonly staleHits: number;
  readonly coalesced: number;
  readonly misses: number;
  readonly loads: number;
  readonly loadErrors: number;
  readonly sets: number;
  readonly deletes: number;
  readonly evictions: number;
  readonly entries: number;
}

const readResults = {
  l1Hits: 'l1_hit',
  l2Hits: 'l2_hit',
  staleHits: 'stale',
  coalesced: 'coalesced',
  misses: 'miss',
} as const;

function read(cache: AnnouncedCache): Reading {
  const stats = cache.stats();
  return new Map<string, number>([
    ...Object.entries(readResults).map(
      ([field, result]) => [`read ${result}`, stats[field as keyof typeof readResults]] as const,
    ),
    ['load ok', stats.loads - stats.loadErrors],
    ['load error', stats.loadErrors],
    ['write set', stats.sets],
    ['write delete', stats.deletes],
    ['evictions', stats.evictions],
  ]);
}

/** Starts the cache metrics; call the result to stop. */
export function startCacheMetrics(registry: MetricRegistry): () => void {
  const reads = registry.counter(definitionOf('weir_cache_reads_total'));
  const loads = registry.counter(definitionOf('weir_cache_loads_total'));
  const writes = registry.counter(definitionOf('weir_cache_writes_total'));
  const evictions = registry.counter(definitionOf('weir_cache_evictions_total'));
  const entries = registry.gauge(definitionOf('weir_cache_entries'));
  const loadSeconds = registry.histogram(definitionOf('weir_cache_load_duration_seconds'));
  const redisSeconds = registry.histogram(definitionOf('weir_cache_redis_operation_duration_seconds'));
  const instances = new InstanceTotals<AnnouncedCache>(read);
  const families = { read: reads, load: loads, write: writes };

  const announce = (cache: AnnouncedCache): void => instances.add(cache.name, cache);
  const onCreated = (message: unknown): void => announce((message as { cache: AnnouncedCache }).cache);
  const onClosed = (message: unknown): void => instances.close((message as { cache: AnnouncedCache }).cache);
  const onLoad = (message: unknown): void => {
    const { cache, durationMs } = message as { cache: string; durationMs: number };
    loadSeconds.labels(cache).observe(durationMs / 1_000);
  };
  const onRedis = (message: unknown): void => {
    const { cache, operation, outcome, durationMs } = message as Record<string, string> & {
      durationMs: number;
    };
    redisSeconds.labels(cache as string, operation as string, outcome as string).observe(durationMs / 1_000);
  };
  const stop = registry.onCollect(() => {
    for (const [name, totals] of instances.totals()) {
      for (const [series, total] of totals) {
        const [family, label] = series.split(' ') as [keyof typeof families, string | undefined];
        if (label === undefined) evictions.labels(name).setTotal(total);
        else families[family].labels(name, label).setTotal(total);
      }
    }
    for (const series of entries.series) series.set(0);
    for (const { name, instance } of instances.live()) entries.labels(name).inc(instance.stats().entries);
  });
  const listeners = [
    ['weir:cache:created', onCreated],
    ['weir:cache:closed', onClosed],
    ['weir:cache:load', onLoad],
    ['weir:cache:redis', onRedis],
  ] as const;
  for (const [name, listener] of listeners) subscribe(name, listener);
  channel('weir:cache:discover').publish({ announce });
  return () => {
    stop();
    for (const [name, listener] of listeners) unsubscribe(name, listener);
  };
}
