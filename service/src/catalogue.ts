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
    name: 'weir_bench_objective_threshold',
    type: 'gauge',
    unit: '',
    labels: ['benchmark', 'objective'],
    help: 'Bound of the objective: seconds, a ratio or per second, as the objective is',
  },
  {
    name: 'weir_bench_objective_actual',
    type: 'gauge',
    unit: '',
    labels: ['benchmark', 'objective'],
    help: 'What the last finished run reached of the objective, in the unit of its threshold',
  },
  {
    name: 'weir_bench_verdict',
    type: 'gauge',
    unit: '',
    labels: ['benchmark', 'verdict'],
    help: '1 for the verdict on the last finished run against those before it: better, within_noise, worse, mixed or unknown',
  },
  {
    name: 'weir_bench_change_ratio',
    type: 'gauge',
    unit: '',
    labels: ['benchmark', 'figure'],
    help: 'Change of a figure of the last finished run against the median of those before it',
  },
  {
    name: 'weir_bench_passed',
    type: 'gauge',
    unit: '',
    labels: ['benchmark'],
    help: '1 when the last finished run met every objective, raised no doubt and is not worse than those before it',
  },
  {
    name: 'weir_bench_doubts',
    type: 'gauge',
    unit: '',
    labels: ['benchmark'],
    help: 'Reasons not to believe the last finished run',
  },
  {
    name: 'weir_bench_last_run_timestamp_seconds',
    type: 'gauge',
    unit: 'seconds',
    labels: ['benchmark'],
    help: 'When the last finished run ended',
  },
  {
    name: 'weir_bench_running',
    type: 'gauge',
    unit: '',
    labels: ['benchmark'],
    help: '1 while a run of the benchmark is under load',
  },
  {
    name: 'weir_bench_current_requests_per_second',
    type: 'gauge',
    unit: '',
    labels: ['benchmark'],
    help: 'Load of the run under way, 0 without one',
  },
  {
    name: 'weir_store_samples_total',
    type: 'counter',
    unit: '',
    labels: [],
    help: 'Samples taken into the store since the start',
  },
  {
    name: 'weir_store_samples_refused_total',
    type: 'counter',
    unit: '',
    labels: ['reason'],
    help: 'Samples refused for their time since the start: out_of_order, which is not newer than what is stored, or out_of_bounds, which is too old or in the future',
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
  {
    name: 'weir_query_active',
    type: 'gauge',
    unit: '',
    labels: [],
    help: 'Queries that wait or are evaluated',
  },
  {
    name: 'weir_engine_busy_ratio',
    type: 'gauge',
    unit: '',
    labels: ['thread'],
    help: 'Share of the time since the last scrape that a thread of the engine was busy',
  },
  {
    name: 'weir_targets_registered',
    type: 'gauge',
    unit: '',
    labels: [],
    help: 'Targets that registered themselves and have not expired',
  },
  {
    name: 'weir_target_registrations_total',
    type: 'counter',
    unit: '',
    labels: ['outcome'],
    help: 'Registrations by what became of them: registered, renewed, or the reason of the refusal',
  },
] as const satisfies readonly MetricDefinition[] as readonly MetricDefinition[];

/** @throws RangeError for a name that is not in the catalogue. */
export function serviceMetric(name: string): MetricDefinition {
  const definition = serviceCatalogue.find((candidate) => candidate.name === name);
  if (definition === undefined) throw new RangeError(`No metric ${name} in the service's catalogue.`);
  return definition;
}
