/**
 * Event-loop delay as a cumulative histogram, and utilisation as time counters.
 *
 * `monitorEventLoopDelay` by timer reports its own resolution on an idle loop; one sample an iteration is the loop's own
 * delay. Our monitor is private and is drained into cumulative buckets on every scrape, so any number of scrapers agree.
 */
import { monitorEventLoopDelay, performance, type Histogram as Recorded } from 'node:perf_hooks';
import { definitionOf } from '../catalogue.ts';
import type { HistogramSeries } from '../instruments/histogram.ts';
import type { MetricRegistry } from '../registry.ts';

const NS = 1e9;

// Node < 24.? has no samplePerIteration and ignores the option: the timer's resolution then is part of each sample.
const RESOLUTION_MS = 10;

/** How many of a histogram's values are ≤ `bound`, exactly to the histogram's own resolution. */
export function countUpTo(
  histogram: Pick<Recorded, 'count' | 'min' | 'max' | 'percentile'>,
  bound: number,
): number {
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

function drain(monitor: Recorded, series: HistogramSeries): void {
  const { count, mean } = monitor;
  if (count === 0) return;
  let below = 0;
  for (let index = 0; index < series.bounds.length; index += 1) {
    const upTo = countUpTo(monitor, (series.bounds[index] as number) * NS);
    series.addToBucket(index, upTo - below);
    below = upTo;
  }
  series.addToBucket(series.bounds.length, count - below);
  series.addToSum((mean * count) / NS);
  monitor.reset();
}

function startDelay(registry: MetricRegistry): () => void {
  const delay = registry.histogram(definitionOf('nodejs_eventloop_delay_seconds')).labels();
  const monitor = monitorEventLoopDelay({ samplePerIteration: true, resolution: RESOLUTION_MS });
  monitor.enable();
  const stop = registry.onCollect(() => drain(monitor, delay));
  return () => {
    stop();
    monitor.disable();
  };
}

function startTime(registry: MetricRegistry): () => void {
  const time = registry.counter(definitionOf('nodejs_eventloop_time_seconds_total'));
  const active = time.labels('active');
  const idle = time.labels('idle');
  return registry.onCollect(() => {
    const utilization = performance.eventLoopUtilization();
    active.setTotal(utilization.active / 1_000);
    idle.setTotal(utilization.idle / 1_000);
  });
}

/** Starts the event-loop metrics that the team's registries do not have already; call the result to stop. */
export function startEventLoopMetrics(registry: MetricRegistry): () => void {
  const stops: (() => void)[] = [];
  if (!registry.has('nodejs_eventloop_delay_seconds')) stops.push(startDelay(registry));
  if (!registry.has('nodejs_eventloop_time_seconds_total')) stops.push(startTime(registry));
  return () => {
    for (const stop of stops) stop();
  };
}
