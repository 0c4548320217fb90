/** The whole state of a registry as plain data, as one process or thread sends it to another. */
import { aggregatorOf, type GaugeAggregator, type MetricDefinition } from '../catalogue.ts';
import type { AnyFamily } from '../exposition/text.ts';
import type { MetricRegistry } from '../registry.ts';

/** One family, one row per series. A histogram's row holds its bucket counts, +Inf last, then its sum. */
export interface FamilySnapshot {
  readonly definition: MetricDefinition;
  readonly rows: readonly { readonly labels: readonly string[]; readonly values: readonly number[] }[];
}

function valuesOf(series: AnyFamily['series'][number]): number[] {
  if (!('bounds' in series)) return [series.value];
  const counts = Array.from({ length: series.bounds.length + 1 }, (_, index) => series.bucketCount(index));
  return [...counts, series.sum];
}

/** Takes a snapshot after running the collectors. Exemplars and native buckets are left out. */
export function takeSnapshot(registry: MetricRegistry): FamilySnapshot[] {
  registry.collect();
  return [...registry.families()].map((family) => ({
    definition: family.definition,
    rows: family.series.map((series) => ({ labels: series.labelValues, values: valuesOf(series) })),
  }));
}

const combine: Readonly<Record<GaugeAggregator, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  min: Math.min,
  max: Math.max,
};

interface MergedFamily {
  readonly definition: MetricDefinition;
  readonly rows: Map<string, { readonly labels: readonly string[]; values: number[] }>;
}

/**
 * Merges snapshots series by series: counters and histograms add up, gauges combine by their aggregator. Of families with one name and different
 * labels only the first is kept.
 */
export function mergeSnapshots(snapshots: Iterable<readonly FamilySnapshot[]>): FamilySnapshot[] {
  const merged = new Map<string, MergedFamily>();
  for (const snapshot of snapshots) {
    for (const { definition, rows } of snapshot) {
      const family: MergedFamily = merged.get(definition.name) ?? { definition, rows: new Map() };
      merged.set(definition.name, family);
      if (family.definition.labels.join() !== definition.labels.join()) continue;
      const both = combine[aggregatorOf(family.definition)];
      for (const { labels, values } of rows) {
        const key = JSON.stringify(labels);
        const known = family.rows.get(key);
        if (known === undefined) family.rows.set(key, { labels, values: [...values] });
        else if (known.values.length === values.length)
          known.values = known.values.map((value, index) => both(value, values[index] as number));
      }
    }
  }
  return [...merged.values()].map(({ definition, rows }) => ({ definition, rows: [...rows.values()] }));
}

/** The part of a snapshot that outlives its process: counters and histograms, which must never go down. */
export function lasting(snapshot: readonly FamilySnapshot[]): FamilySnapshot[] {
  return snapshot.filter(({ definition }) => definition.type !== 'gauge');
}
