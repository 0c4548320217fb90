import type { CompareResult } from '../compare/compare-builds.ts';
import type { BenchmarkResult } from '../result.ts';

/** A run's timeline, one row an interval, as RFC 4180 CSV. */
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

/** A comparison's pairs, one row a pair. */
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

/** A leading `=`, `+`, `-` or `@` in text would be a formula to a spreadsheet. */
function quote(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
