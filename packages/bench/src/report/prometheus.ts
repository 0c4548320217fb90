import type { BenchmarkResult } from '../result.ts';

/** The last run as Prometheus text (version 0.0.4), for a node_exporter textfile or a Pushgateway. Names as in the catalogue of @weir/metrics. */
export function renderPrometheus(result: BenchmarkResult): string {
  const label = `benchmark="${result.name.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`;
  const { requests, latencyMs } = result;
  const failed = requests.total === 0 ? 1 : (requests.errors + requests.non2xx) / requests.total;
  const quantiles = [
    ['0.5', latencyMs.p50],
    ['0.9', latencyMs.p90],
    ['0.95', latencyMs.p95],
    ['0.99', latencyMs.p99],
    ['0.999', latencyMs.p999],
  ] as const;
  return [
    '# HELP weir_bench_requests_per_second Answers per second of the last finished run.',
    '# TYPE weir_bench_requests_per_second gauge',
    `weir_bench_requests_per_second{${label}} ${requests.perSecond}`,
    '# HELP weir_bench_latency_seconds Latency quantiles of the last finished run.',
    '# TYPE weir_bench_latency_seconds summary',
    ...quantiles.map(
      ([quantile, ms]) => `weir_bench_latency_seconds{${label},quantile="${quantile}"} ${ms / 1_000}`,
    ),
    '# HELP weir_bench_error_ratio Requests without a 2xx answer, of all, in the last finished run.',
    '# TYPE weir_bench_error_ratio gauge',
    `weir_bench_error_ratio{${label}} ${failed}`,
    '',
  ].join('\n');
}
