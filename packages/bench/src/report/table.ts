import { describeObjective } from '../objective.ts';
import type { BenchmarkResult } from '../result.ts';
import { formatBytes, formatCount, formatLatency } from './format.ts';

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
  for (const doubt of result.doubts) lines.push('', `not to be believed: ${doubt.message}`);
  return lines.join('\n');
}

/** What arrives in an open loop. */
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
