/** The whole state of a registry as plain data: what one process or thread tells another. */
import { aggregatorOf, type GaugeAggregator, type MetricDefinition } from '../catalogue.ts';
import type { AnyFamily } from '../exposition/text.ts';
import type { MetricRegistry } from '../registry.ts';

/** One family: a row a series. A histogram's row is its buckets, +Inf last, and then its sum. */
export interface FamilySnapshot {
  readonly definition: MetricDefinition;
  readonly rows: readonly { readonly labels: readonly string[]; readonly values: readonly number[] }[];
}

function valuesOf(series: AnyFamily['series'][number]): number[] {
  if (!('bounds' in series)) return [series.value];
  const counts = Array.from({ length: series.bounds.length + 1 }, (_, index) => series.bucketCount(index));
  return [...counts, series.sum];
}

/** Takes a snapshot, brought up to date first. Exemplars and native buckets stay behind. */
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

/** Makes one snapshot of several, series by series: counters and histograms add up, gauges by their aggregator. Families of one name and another shape are left out. */
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

/** What of a snapshot outlives its process: counters and histograms, which must never go down; gauges end with it. */
export function lasting(snapshot: readonly FamilySnapshot[]): FamilySnapshot[] {
  return snapshot.filter(({ definition }) => definition.type !== 'gauge');
}
