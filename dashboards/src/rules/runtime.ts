import { alert, loopUtilisation, type RuleGroup, saturation, unlessSaturated } from './rule.ts';

const loop = 'nodejs_eventloop_time_seconds_total';

const runtime: RuleGroup = {
  name: 'weir-runtime',
  interval: '30s',
  rules: [
    {
      record: loopUtilisation,
      expr: `sum by (job, instance) (rate(${loop}{nodejs_eventloop_state="active"}[5m])) / sum by (job, instance) (rate(${loop}[5m]))`,
    },
    alert({
      name: 'WeirEventLoopSaturated',
      severity: 'page',
      expr: `${loopUtilisation} > ${saturation.loopUtilisation}`,
      for: '5m',
      summary:
        'The event loop of {{ $labels.instance }} is busy {{ $value | humanizePercentage }} of the time',
      description:
        'Requests queue inside the process. Add instances now; then find the code with a CPU profile (node --cpu-prof, or clinic flame).',
    }),
    alert({
      name: 'WeirGarbageCollectionPressure',
      severity: 'ticket',
      expr: 'sum by (job, instance) (rate(v8js_gc_duration_seconds_sum[10m])) > 0.15',
      for: '10m',
      summary:
        '{{ $labels.instance }} spends {{ $value | humanizePercentage }} of its time collecting garbage',
      description:
        'The heap is nearly full or garbage is made too fast. Look at “Heap in use by space”: old space near its limit is a leak, new space at work is allocation.',
    }),
    alert({
      name: 'WeirProcessRestarting',
      severity: 'ticket',
      expr: 'changes(process_start_time_seconds[30m]) > 2',
      for: '0m',
      summary: '{{ $labels.instance }} started {{ $value }} times in half an hour',
      description:
        'The process crashes or is killed. Its log and the exit code tell which; 137 is the memory limit.',
    }),
    alert({
      name: 'WeirReadinessFailing',
      severity: 'ticket',
      expr: `min by (job, instance, check) (weir_health_check_up) == 0 ${unlessSaturated}`,
      for: '5m',
      summary: 'Readiness check {{ $labels.check }} of {{ $labels.instance }} fails',
      description:
        'The process answers “not ready” and should get no requests; if every instance of {{ $labels.job }} does, nobody answers. Look at what the check asks: its log line has the error, “Readiness check time (p99)” whether it timed out.',
    }),
    alert({
      name: 'WeirSeriesOverflow',
      severity: 'ticket',
      expr: 'sum by (job, metric) (rate(weir_metrics_overflow_total[10m])) > 0',
      for: '10m',
      summary: '{{ $labels.metric }} of {{ $labels.job }} has more label sets than its budget',
      description:
        'Further label sets are folded into one series. Find the label that grows: a path where a route template should be, a statement built by hand.',
    }),
  ],
};

const service: RuleGroup = {
  name: 'weir-service',
  interval: '30s',
  rules: [
    alert({
      name: 'WeirTargetDown',
      severity: 'page',
      expr: 'up == 0',
      for: '2m',
      summary: '{{ $labels.job }} at {{ $labels.instance }} cannot be scraped',
      description:
        'The process is down, its port unreachable, or /metrics takes longer than the time-out. The targets page shows the error. Without its metrics no other alert of it can fire.',
    }),
    alert({
      name: 'WeirStoreRefusing',
      severity: 'page',
      expr: 'weir_store_writable == 0',
      for: '2m',
      summary: 'The store of {{ $labels.instance }} refuses samples',
      description:
        'The disk is full or cannot be written: the service answers queries and takes in nothing. Free space or shorten the retention; it resumes by itself.',
    }),
  ],
};

const benchmarks: RuleGroup = {
  name: 'weir-benchmarks',
  interval: '30s',
  rules: [
    alert({
      name: 'WeirBenchmarkRegressed',
      severity: 'ticket',
      expr: 'weir_bench_verdict{verdict="worse"} == 1',
      for: '5m',
      summary: 'Benchmark {{ $labels.benchmark }} became slower',
      description:
        'The last run is worse than the runs before it by more than their noise. Run it again; then compare the runs on the benchmarks page and bisect between their commits.',
    }),
    alert({
      name: 'WeirBenchmarkObjectiveMissed',
      severity: 'ticket',
      expr: 'weir_bench_objective_met == 0',
      for: '5m',
      summary: 'Benchmark {{ $labels.benchmark }} misses “{{ $labels.objective }}”',
      description:
        'The last run did not reach an objective that its scenario names. “Objectives” on the benchmark dashboard shows by how much and since which run.',
    }),
    alert({
      name: 'WeirBenchmarkFailing',
      severity: 'ticket',
      expr: 'weir_bench_error_ratio > 0.01',
      for: '5m',
      summary: '{{ $value | humanizePercentage }} of requests of benchmark {{ $labels.benchmark }} failed',
      description:
        'Its throughput means nothing while requests fail. Open the run and look at its status codes.',
    }),
  ],
};

/** Alerts on the processes, on the collecting itself and on what benchmarks found. */
export const processes: readonly RuleGroup[] = [runtime, service, benchmarks];
