import type { CompareResult } from '../compare/compare-builds.ts';
import type { Culprit } from '../profile/culprits.ts';
import type { ProfileResult } from '../profile/profile-builds.ts';
import { describeObjective } from '../result/check-objective.ts';
import { formatBytes, formatCount, formatLatency } from '../result/format.ts';
import type { BenchmarkResult } from '../result/result.ts';
import type { MetricVerdict } from '../stats/verdict.ts';

/** A result as plain text, about fifteen lines, the same with and without a terminal. */
export function renderTable(result: BenchmarkResult): string {
  const { requests, latencyMs: latency } = result;
  const lines = [
    `${result.name}  ${result.target}`,
    `${describeLoad(result)}, ` +
      `${(result.durationMs / 1_000).toFixed(1)} s measured${result.partial ? ', PARTIAL: ended before its planned time' : ''}`,
    '',
    row('requests', formatCount(requests.total), `${formatCount(requests.perSecond)} answered/s`),
    row('2xx', formatCount(requests.ok), percent(requests.ok, requests.total)),
    row('other status', formatCount(requests.non2xx), percent(requests.non2xx, requests.total)),
    row('no answer', formatCount(requests.errors), `${formatCount(requests.timeouts)} of them timed out`),
    row('received', `${formatBytes(result.bytesPerSecond)}/s`, ''),
    '',
    ['min', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'].map((name) => name.padStart(9)).join(''),
    [latency.min, latency.p50, latency.p90, latency.p95, latency.p99, latency.p999, latency.max]
      .map((ms) => formatLatency(ms).padStart(9))
      .join(''),
  ];
  if (result.arrivals !== undefined) {
    const { intended, late, latestMs, dropped, achieved } = result.arrivals;
    lines.push(
      '',
      `${formatCount(intended)} ${arrivalsOf(result)} were due, ${(achieved * 100).toFixed(2)} % ${result.checks === undefined ? 'answered' : 'not broken off'}, ` +
        `${formatCount(dropped)} requests never sent; ` +
        `${formatCount(late)} begun late${late > 0 ? `, by up to ${formatLatency(latestMs)}` : ''}`,
    );
  }
  const codes = Object.entries(result.statusCodes).filter(([status]) => !status.startsWith('2'));
  if (codes.length > 0) {
    lines.push('', `status ${codes.map(([status, count]) => `${status}: ${formatCount(count)}`).join(', ')}`);
  }
  for (const step of result.steps ?? []) {
    const { p50, p95, p99 } = step.latencyMs;
    const latencies = `p50 ${formatLatency(p50)}  p95 ${formatLatency(p95)}  p99 ${formatLatency(p99)}`;
    lines.push(`  ${step.name.padEnd(32)} ${formatCount(step.answered).padStart(9)}  ${latencies}`);
  }
  if (result.checks !== undefined) {
    const { passed, failed, failures } = result.checks;
    lines.push('', `checks ${formatCount(passed)} passed, ${formatCount(failed)} failed`);
    for (const [reason, count] of Object.entries(failures)) lines.push(`  ${formatCount(count)} × ${reason}`);
  }
  if (result.objectives.length > 0) lines.push('');
  for (const objective of result.objectives) {
    lines.push(`${objective.met ? 'met   ' : 'MISSED'} ${describeObjective(objective)}`);
  }
  for (const doubt of result.doubts) lines.push('', `unreliable: ${doubt.message}`);
  return lines.join('\n');
}

/** The unit of arrivals in an open loop. */
function arrivalsOf({ checks }: BenchmarkResult): string {
  return checks === undefined ? 'requests' : 'sessions';
}

function describeLoad(result: BenchmarkResult): string {
  const { load } = result;
  if (load.mode === 'closed') {
    return `${load.connections} connections${load.pipelining > 1 ? ` × ${load.pipelining} pipelined` : ''}`;
  }
  return `${formatCount(load.rate)} ${arrivalsOf(result)}/s due${load.workers > 1 ? ` from ${load.workers} workers` : ''}`;
}

function row(name: string, value: string, note: string): string {
  return `${name.padEnd(14)}${value.padStart(14)}  ${note}`.trimEnd();
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '' : `${((part / whole) * 100).toFixed(part === whole ? 0 : 2)} %`;
}

/** Label and format of each gated metric. */
export const metricLabels: Readonly<
  Record<string, { readonly label: string; readonly format: (value: number) => string }>
> = Object.freeze({
  perSecond: { label: 'answers/s', format: formatCount },
  p50Ms: { label: 'p50', format: formatLatency },
  cpuUs: { label: 'CPU a request', format: (us: number) => formatLatency(us / 1_000) },
});

/** A comparison as plain text: the verdict, then each metric, then each doubt. */
export function renderComparison(result: CompareResult): string {
  const lines = [
    `${headline(result)}`,
    `base ${result.base}`,
    `head ${result.head}`,
    `${result.pairs.length} pairs${result.design === 'slices' ? ' of slices' : ''} in ${(result.durationMs / 1_000).toFixed(0)} s${result.partial ? ', PARTIAL: ended before it was decided' : ''}`,
    '',
    `${'metric'.padEnd(15)}${'base'.padStart(10)}${'head'.padStart(10)}${'worse by'.padStart(11)}${'98 % interval'.padStart(22)}${'p'.padStart(9)}`,
    ...result.metrics.map((metric) => metricLine(result, metric)),
  ];
  for (const doubt of result.doubts) lines.push('', `unreliable: ${doubt.message}`);
  return lines.join('\n');
}

/** One sentence with the verdict. */
export function headline({ name, verdict, metrics }: CompareResult): string {
  const worst = metrics
    .toSorted((a, b) => Math.abs(b.effect) - Math.abs(a.effect))
    .find((metric) => metric.verdict === verdict);
  switch (verdict) {
    case 'slower':
    case 'faster':
      return `${name}: head is ${verdict}${worst === undefined ? '' : `, ${labelOf(worst)} by ${signed(Math.abs(worst.effect)).slice(1)}`}`;
    case 'same':
      return `${name}: head is the same within ${widest(metrics)}`;
    case 'inconclusive':
      return `${name}: inconclusive; the intervals are wider than the requested effect`;
    case 'invalid':
      return `${name}: this comparison is unreliable`;
  }
}

/** The name of a metric in reports. */
export function labelOf(metric: MetricVerdict): string {
  return metricLabels[metric.name]?.label ?? metric.name;
}

/** The median of one arm's values over all pairs. */
export function medianOf(result: CompareResult, arm: 'base' | 'head', metric: string): string {
  const values = result.pairs
    .map((pair) => Number((pair[arm] as unknown as Record<string, number>)[metric]))
    .sort((a, b) => a - b);
  const value = values[values.length >> 1];
  return value === undefined ? '' : (metricLabels[metric]?.format(value) ?? String(value));
}

/** A change as `+5.1 %`. */
export function signed(effect: number): string {
  if (!Number.isFinite(effect)) return effect > 0 ? '+∞' : '−∞';
  return `${effect < 0 ? '−' : '+'}${Math.abs(effect * 100).toFixed(1)} %`;
}

function metricLine(result: CompareResult, metric: MetricVerdict): string {
  const { effect, interval, p, name } = metric;
  return (
    labelOf(metric).padEnd(15) +
    medianOf(result, 'base', name).padStart(10) +
    medianOf(result, 'head', name).padStart(10) +
    signed(effect).padStart(11) +
    `${signed(interval[0])} … ${signed(interval[1])}`.padStart(22) +
    p.toPrecision(2).padStart(9) +
    `  ${metric.verdict}`
  );
}

function widest(metrics: readonly MetricVerdict[]): string {
  const bound = Math.max(
    ...metrics.map(({ interval }) => Math.max(Math.abs(interval[0]), Math.abs(interval[1]))),
  );
  return signed(bound).slice(1);
}

/** The part of a profile that reports show. */
export type ProfileSummary = Pick<ProfileResult, 'functions' | 'lines' | 'unit'>;

/** Number of functions, and of lines, that a report names. */
export const namedCulprits = 5;

/** Functions with the callers and callees of the first one, then lines, as plain text. */
export function renderCulprits({ functions, lines, unit }: ProfileSummary): string {
  const line = (culprit: Culprit): string =>
    `  ${added(culprit, unit)} a request  ${culprit.name}  (${culprit.baseUs.toFixed(2)} → ${culprit.headUs.toFixed(2)})\n`;
  const list = (culprits: readonly Culprit[]): string => culprits.slice(0, namedCulprits).map(line).join('');
  if (functions.length === 0 && lines.length === 0) return 'no function takes more time in every duet\n';
  const [first] = functions;
  const callers = first?.path?.slice(-6, -1) ?? [];
  const callees = first?.callees ?? [];
  return [
    functions.length === 0 ? '' : `takes more in head:\n${list(functions)}`,
    callers.length === 0 ? '' : `the first is called by ${callers.join(' > ')}\n`,
    callees.length === 0 ? '' : `the first calls ${callees.join(', ')}, which take more too\n`,
    lines.length === 0 ? '' : `lines:\n${list(lines)}`,
  ].join('');
}

/** `+1.23 µs`. */
export function added({ deltaUs }: Culprit, unit: ProfileSummary['unit']): string {
  return `+${deltaUs.toFixed(2)} ${unit}`;
}
