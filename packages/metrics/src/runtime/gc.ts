/** Every pause of the garbage collector. An observer callback gets a list: reading only its first entry loses most. */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { definitionOf } from '../catalogue.ts';
import type { MetricRegistry } from '../registry.ts';

const KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

interface GcEntry {
  readonly duration: number;
  readonly detail?: unknown;
}

/** Starts the GC metrics, unless the team's registries have them already; call the result to stop. */
export function startGcMetrics(registry: MetricRegistry): () => void {
  if (registry.has('v8js_gc_duration_seconds')) return () => {};
  const family = registry.histogram(definitionOf('v8js_gc_duration_seconds'));
  for (const kind of Object.values(KINDS)) family.labels(kind);
  const record = (entries: readonly GcEntry[]): void => {
    for (const entry of entries) {
      const { kind } = entry.detail as { readonly kind: number };
      family.labels(KINDS[kind] ?? 'major').observe(entry.duration / 1_000);
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
