/**
 * Metrics of the process itself: event loop, garbage collector, memory, descriptors, CPU. Names that the team's registries already hold are
 * left to them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import {
  constants,
  monitorEventLoopDelay,
  PerformanceObserver,
  performance,
  type Histogram as Recorded,
} from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
import { definitionOf } from '../catalogue.ts';
import type { Gauge } from '../instruments/counter-gauge.ts';
import type { HistogramSeries } from '../instruments/histogram.ts';
import type { MetricRegistry } from '../registry.ts';

/** Starts the runtime metrics that the team's registries do not hold already; call the result to stop. */
export function startRuntimeMetrics(registry: MetricRegistry): () => void {
  const stops: (() => void)[] = [];
  const startMissing = (
    name: string,
    start: (registry: MetricRegistry, name: string) => () => void,
  ): void => {
    if (!registry.has(name)) stops.push(start(registry, name));
  };
  startMissing('nodejs_eventloop_delay_seconds', startDelay);
  startMissing('nodejs_eventloop_time_seconds_total', startLoopTime);
  startMissing('v8js_gc_duration_seconds', startGc);
  for (const [name, read] of Object.entries(processValues())) {
    startMissing(name, () => startValue(registry, name, read));
  }
  for (const [name, collect] of Object.entries(gaugeCollectors)) {
    startMissing(name, () => {
      const gauge = registry.gauge(definitionOf(name));
      return registry.onCollect(() => collect(gauge));
    });
  }
  return () => {
    for (const stop of stops) stop();
  };
}

const nanosecondsPerSecond = 1e9;

// Node without `samplePerIteration` (before 24) ignores the option; each sample then contains the timer's resolution.
const resolutionMs = 10;

/**
 * Event-loop delay as a cumulative histogram, one sample an iteration: `monitorEventLoopDelay` by timer would report its own resolution on an
 * idle loop. The monitor is private and each scrape drains it into cumulative buckets, so any number of scrapers agree.
 */
function startDelay(registry: MetricRegistry, name: string): () => void {
  const delay = registry.histogram(definitionOf(name)).labels();
  const monitor = monitorEventLoopDelay({ samplePerIteration: true, resolution: resolutionMs });
  monitor.enable();
  const stop = registry.onCollect(() => drain(monitor, delay));
  return () => {
    stop();
    monitor.disable();
  };
}

function drain(monitor: Recorded, series: HistogramSeries): void {
  const { count, mean } = monitor;
  if (count === 0) return;
  let below = 0;
  for (let index = 0; index < series.bounds.length; index += 1) {
    const upTo = countUpTo(monitor, (series.bounds[index] as number) * nanosecondsPerSecond);
    series.addToBucket(index, upTo - below);
    below = upTo;
  }
  series.addToBucket(series.bounds.length, count - below);
  series.addToSum((mean * count) / nanosecondsPerSecond);
  monitor.reset();
}

/** How many of a histogram's values are ≤ `bound`, exact to the histogram's own resolution. */
function countUpTo(histogram: Pick<Recorded, 'count' | 'min' | 'max' | 'percentile'>, bound: number): number {
  const total = histogram.count;
  if (total === 0 || bound < histogram.min) return 0;
  if (bound >= histogram.max) return total;
  // The k-th smallest value is percentile(100·k/n): search the largest k whose value is within the bound.
  let low = 0;
  let high = total;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (histogram.percentile((100 * middle) / total) <= bound) low = middle;
    else high = middle - 1;
  }
  return low;
}

function startLoopTime(registry: MetricRegistry, name: string): () => void {
  const time = registry.counter(definitionOf(name));
  const active = time.labels('active');
  const idle = time.labels('idle');
  return registry.onCollect(() => {
    const utilization = performance.eventLoopUtilization();
    active.setTotal(utilization.active / 1_000);
    idle.setTotal(utilization.idle / 1_000);
  });
}

const gcKinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

interface GcEntry {
  readonly duration: number;
  readonly detail?: unknown;
}

// An observer callback receives a list; reading only its first entry would lose most pauses.
function startGc(registry: MetricRegistry, name: string): () => void {
  const family = registry.histogram(definitionOf(name));
  for (const kind of Object.values(gcKinds)) family.labels(kind);
  const record = (entries: readonly GcEntry[]): void => {
    for (const entry of entries) {
      const { kind } = entry.detail as { readonly kind: number };
      family.labels(gcKinds[kind] ?? 'major').observe(entry.duration / 1_000);
    }
  };
  const observer = new PerformanceObserver((list) => record(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  const stop = registry.onCollect(() => record(observer.takeRecords()));
  return () => {
    stop();
    observer.disconnect();
  };
}

/** Reads one number at scrape time; `undefined` where the platform does not provide it, and then nothing is exported. */
type ReadValue = () => number | undefined;

function startValue(registry: MetricRegistry, name: string, read: ReadValue): () => void {
  const definition = definitionOf(name);
  const counter = definition.type === 'counter' ? registry.counter(definition) : undefined;
  const gauge = counter === undefined ? registry.gauge(definition) : undefined;
  return registry.onCollect(() => {
    const value = read();
    if (value === undefined) return;
    counter?.labels().setTotal(value);
    gauge?.set(value);
  });
}

function processValues(): Readonly<Record<string, ReadValue>> {
  const fdLimit = maxFds();
  const startSeconds = performance.timeOrigin / 1_000;
  return {
    process_cpu_seconds_total: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    process_resident_memory_bytes: () => process.memoryUsage.rss(),
    process_open_fds: openFds,
    process_max_fds: () => fdLimit,
    process_start_time_seconds: () => startSeconds,
  };
}

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

const gaugeCollectors: Readonly<Record<string, (gauge: Gauge) => void>> = {
  v8js_memory_heap_used_bytes: (gauge) => {
    for (const space of getHeapSpaceStatistics()) gauge.labels(space.space_name).set(space.space_used_size);
  },
  v8js_memory_heap_limit_bytes: (gauge) => {
    for (const space of getHeapSpaceStatistics()) gauge.labels(space.space_name).set(space.space_size);
  },
  nodejs_active_resources: (gauge) => {
    for (const series of gauge.series) series.set(0);
    for (const type of process.getActiveResourcesInfo()) gauge.labels(type).inc();
  },
};
