/** The state of a registry as an OTLP metrics request in JSON (opentelemetry-proto 1.x, protobuf's JSON mapping: 64-bit numbers are strings). */
import type { FamilySnapshot } from '../aggregation/snapshot.ts';

/** When the numbers began to count, and when they were read, as Unix milliseconds. */
export interface Period {
  readonly startMs: number;
  readonly endMs: number;
}

const CUMULATIVE = 2;

function nanos(ms: number): string {
  return `${Math.round(ms * 1_000)}000`;
}

// Protobuf's mapping to JSON writes what JSON has no number for as text.
function double(value: number | undefined): number | string {
  return value === undefined || Number.isFinite(value) ? (value ?? 0) : String(value);
}

function attributes(names: readonly string[], values: readonly string[]): object[] {
  return names.map((key, index) => ({ key, value: { stringValue: values[index] ?? '' } }));
}

function metricOf({ definition, rows }: FamilySnapshot, period: Period): object {
  const { name, help, type, unit, labels, buckets = [] } = definition;
  const times = { startTimeUnixNano: nanos(period.startMs), timeUnixNano: nanos(period.endMs) };
  const base = { name, description: help, unit: unit === 'seconds' ? 's' : unit === 'bytes' ? 'By' : '1' };
  if (type === 'histogram') {
    const dataPoints = rows.map((row) => {
      const counts = row.values.slice(0, -1);
      const count = counts.reduce((sum, value) => sum + value, 0);
      return {
        ...times,
        attributes: attributes(labels, row.labels),
        count: String(count),
        sum: double(row.values[row.values.length - 1]),
        bucketCounts: counts.map(String),
        explicitBounds: buckets,
      };
    });
    return { ...base, histogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
  }
  const dataPoints = rows.map((row) => ({
    ...times,
    attributes: attributes(labels, row.labels),
    asDouble: double(row.values[0]),
  }));
  return type === 'counter'
    ? { ...base, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } }
    : { ...base, gauge: { dataPoints } };
}

/** The body of one export. `target_info` goes as resource attributes, where OTLP has it. */
export function encodeOtlp(snapshot: readonly FamilySnapshot[], period: Period): string {
  const info = snapshot.find(({ definition }) => definition.name === 'target_info');
  const resource = info?.definition.labels.map((label) => label.replace('_', '.')) ?? [];
  const metrics = snapshot
    .filter((family) => family !== info && family.rows.length > 0)
    .map((family) => metricOf(family, period));
  return JSON.stringify({
    resourceMetrics: [
      {
        resource: { attributes: attributes(resource, info?.rows[0]?.labels ?? []) },
        scopeMetrics: [{ scope: { name: '@weir/metrics' }, metrics }],
      },
    ],
  });
}
