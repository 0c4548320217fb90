/** Process and heap gauges, read at scrape time. What the platform cannot tell is not exported. */
import { readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
import { definitionOf } from '../catalogue.ts';
import type { Gauge } from '../instruments/gauge.ts';
import type { MetricRegistry } from '../registry.ts';

function openFds(): number | undefined {
  try {
    // Reading the directory opens one descriptor itself.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

function maxFds(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/** Starts the process metrics that the team's registries do not have already; call the result to stop. */
export function startProcessMetrics(registry: MetricRegistry): () => void {
  const stops: (() => void)[] = [];
  const value = (name: string, read: () => number | undefined): void => {
    if (registry.has(name)) return;
    const definition = definitionOf(name);
    const counter = definition.type === 'counter' ? registry.counter(definition) : undefined;
    const gauge = counter === undefined ? registry.gauge(definition) : undefined;
    stops.push(
      registry.onCollect(() => {
        const current = read();
        if (current === undefined) return;
        counter?.labels().setTotal(current);
        gauge?.set(current);
      }),
    );
  };
  value('process_cpu_seconds_total', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  value('process_resident_memory_bytes', () => process.memoryUsage.rss());
  value('process_open_fds', openFds);
  const fdLimit = maxFds();
  value('process_max_fds', () => fdLimit);
  const startSeconds = performance.timeOrigin / 1_000;
  value('process_start_time_seconds', () => startSeconds);

  const family = (name: string, collect: (gauge: Gauge) => void): void => {
    if (registry.has(name)) return;
    const gauge = registry.gauge(definitionOf(name));
    stops.push(registry.onCollect(() => collect(gauge)));
  };
  family('v8js_memory_heap_used_bytes', (gauge) => {
    for (const space of getHeapSpaceStatistics()) gauge.labels(space.space_name).set(space.space_used_size);
  });
  family('v8js_memory_heap_limit_bytes', (gauge) => {
    for (const space of getHeapSpaceStatistics()) gauge.labels(space.space_name).set(space.space_size);
  });
  family('nodejs_active_resources', (gauge) => {
    for (const series of gauge.series) series.set(0);
    for (const type of process.getActiveResourcesInfo()) gauge.labels(type).inc();
  });
  return () => {
    for (const stop of stops) stop();
  };
}
