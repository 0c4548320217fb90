import type { MetricDefinition } from '@weir/metrics';

const queryBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** Every metric the service itself emits, in the shape of the packages' catalogue. */
export const serviceCatalogue = [
  {
    name: 'up',
    type: 'gauge',
    unit: '',
    labels: ['job', 'instance'],
    help: '1 when the last scrape of the target succeeded, 0 when it failed',
  },
  {
    name: 'scrape_duration_seconds',
    type: 'gauge',
    unit: 'seconds',
    labels: ['job', 'instance'],
    help: 'Time the last scrape took',
  },
  {
    name: 'scrape_samples_scraped',
    type: 'gauge',
    unit: '',
    labels: ['job', 'instance'],
    help: 'Samples in the last scrape',
  },
  {
    name: 'scrape_samples_post_metric_relabeling',
    type: 'gauge',
    unit: '',
    labels: ['job', 'instance'],
    help: 'Samples kept of the last scrape',
  },
  {
    name: 'scrape_series_added',
    type: 'gauge',
    unit: '',
    labels: ['job', 'instance'],
    help: 'Series the last scrape showed and the one before did not',
  },
  {
    name: 'weir_bench_runs_total',
    type: 'counter',
    unit: '',
    labels: ['benchmark', 'outcome'],
    help: 'Benchmark runs by how they ended',
  },
  {
    name: 'weir_bench_requests_per_second',
    type: 'gauge',
    unit: '',
    labels: ['benchmark'],
    help: 'Throughput of the last finished run',
  },
  {
    name: 'weir_bench_latency_seconds',
    type: 'gauge',
    unit: 'seconds',
    labels: ['benchmark', 'quantile'],
    help: 'Latency of the last finished run',
  },
  {
    name: 'weir_bench_error_ratio',
    type: 'gauge',
    unit: '',
    labels: ['benchmark'],
    help: 'Share of requests of the last finished run that failed or were not answered 2xx',
  },
  {
    name: 'weir_bench_objective_met',
    type: 'gauge',
    unit: '',
    labels: ['benchmark', 'objective'],
    help: '1 when the last finished run met the objective, 0 when it missed it',
  },
  {
    name: 'weir_store_samples_total',
    type: 'counter',
    unit: '',
    labels: [],
    help: 'Samples taken into the store since the start',
  },
  {
    name: 'weir_store_size_bytes',
    type: 'gauge',
    unit: 'bytes',
    labels: [],
    help: 'Bytes in use in the store',
  },
  {
    name: 'weir_store_writable',
    type: 'gauge',
    unit: '',
    labels: [],
    help: '1 while the disk takes samples, 0 while it refuses them',
  },
  { name: 'weir_store_series', type: 'gauge', unit: '', labels: [], help: 'Series in the store' },
  {
    name: 'weir_query_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    labels: ['endpoint'],
    help: 'Time from a query to its answer',
    buckets: queryBuckets,
  },
] as const satisfies readonly MetricDefinition[] as readonly MetricDefinition[];

/** @throws RangeError for a name that is not in the catalogue. */
export function serviceMetric(name: string): MetricDefinition {
  const definition = serviceCatalogue.find((candidate) => candidate.name === name);
  if (definition === undefined) throw new RangeError(`No metric ${name} in the service's catalogue.`);
  return definition;
}
