import type { CompareResult } from '../compare/compare-builds.ts';
import type { BenchmarkResult } from '../result/result.ts';

/** The timeline of a run as RFC 4180 CSV, one row per interval. */
export function renderRunCsv(result: BenchmarkResult): string {
  const header = ['benchmark', 'started_at', 'at_ms', 'requests_per_second', 'p50_ms', 'p99_ms', 'errors'];
  const rows = result.timeline.map((point) => [
    result.name,
    result.startedAt,
    point.atMs,
    point.requestsPerSecond,
    point.p50Ms,
    point.p99Ms,
    point.errors,
  ]);
  return toCsv([header, ...rows]);
}

/** The pairs of a comparison as RFC 4180 CSV, one row per pair. */
export function renderComparisonCsv(result: CompareResult): string {
  const columns = ['perSecond', 'p50Ms', 'p99Ms', 'cpuUs', 'answered', 'errors', 'non2xx'] as const;
  const header = [
    'benchmark',
    'pair',
    ...['base', 'head'].flatMap((arm) => columns.map((name) => `${arm}_${name}`)),
    'generator_busy',
    'generator_waited',
    'steal',
  ];
  const rows = result.pairs.map(({ base, head, conditions }, index) => [
    result.name,
    index + 1,
    ...[base, head].flatMap((arm) => columns.map((name) => arm[name] ?? '')),
    conditions.generatorBusy,
    conditions.generatorWaited ?? '',
    conditions.steal ?? '',
  ]);
  return toCsv([header, ...rows]);
}

function toCsv(rows: readonly (readonly (string | number)[])[]): string {
  return rows.map((row) => `${row.map(quote).join(',')}\r\n`).join('');
}

/** Spreadsheets read text with a leading `=`, `+`, `-` or `@` as a formula. */
function quote(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The last run as Prometheus text (version 0.0.4), for a node_exporter textfile or a Pushgateway. The names are those of the catalogue of @weir/metrics. */
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
