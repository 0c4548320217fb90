import type { CompareResult } from '../compare/compare-builds.ts';
import type { Culprit } from '../profile/culprits.ts';
import { describeObjective } from '../result/check-objective.ts';
import { formatCount, formatLatency } from '../result/format.ts';
import type { BenchmarkResult } from '../result/result.ts';
import { added, headline, labelOf, medianOf, namedCulprits, type ProfileSummary, signed } from './table.ts';

const marks = { faster: '🟢', same: '🟢', slower: '🔴', inconclusive: '🟡', invalid: '⚪' } as const;

/** A comparison for a pull request. */
export function renderComparisonMarkdown(result: CompareResult, profile?: ProfileSummary): string {
  const rows = result.metrics.map((metric) => {
    const interval = `${signed(metric.interval[0])} … ${signed(metric.interval[1])}`;
    const cells = [
      labelOf(metric),
      medianOf(result, 'base', metric.name),
      medianOf(result, 'head', metric.name),
    ];
    return `| ${[...cells, signed(metric.effect), interval, metric.p.toPrecision(2), metric.verdict].join(' | ')} |`;
  });
  return [
    `### ${marks[result.verdict]} ${escapeText(headline(result))}`,
    '',
    `${code(result.base)} against ${code(result.head)}, ${result.pairs.length} pairs in ${(result.durationMs / 1_000).toFixed(0)} s.`,
    '',
    '| metric | base | head | worse by | 98 % interval | p | verdict |',
    '| --- | ---: | ---: | ---: | ---: | ---: | --- |',
    ...rows,
    ...result.doubts.map((doubt) => `\n> **Unreliable**: ${escapeText(doubt.message)}`),
    ...(profile === undefined ? [] : culpritRows(profile)),
    '',
    environmentLine(result.environment),
    '',
  ].join('\n');
}

function culpritRows({ functions, lines, unit }: ProfileSummary): string[] {
  const row = (culprit: Culprit): string =>
    `| ${code(culprit.name.replaceAll('|', '¦'))} | ${added(culprit, unit)} | ${culprit.baseUs.toFixed(2)} | ${culprit.headUs.toFixed(2)} |`;
  const callees = functions[0]?.callees ?? [];
  const named = [...functions.slice(0, namedCulprits), ...lines.slice(0, namedCulprits)];
  if (named.length === 0) return ['', 'Profiled: no function takes more time in every duet.'];
  return [
    '',
    `| takes more in head | ${unit} a request | base | head |`,
    '| --- | ---: | ---: | ---: |',
    ...named.map(row),
    ...(callees.length === 0
      ? []
      : ['', `The first calls ${callees.map(code).join(', ')}, which take more too.`]),
  ];
}

/** A run for a pull request or a job summary. */
export function renderRunMarkdown(result: BenchmarkResult): string {
  const { requests, latencyMs: latency } = result;
  const met = result.objectives.every((objective) => objective.met);
  const mark = result.doubts.length > 0 ? marks.invalid : met ? marks.same : marks.slower;
  return [
    `### ${mark} ${escapeText(result.name)}: ${formatCount(requests.perSecond)} answers/s, p99 ${formatLatency(latency.p99)}`,
    '',
    '| requests | 2xx | other status | no answer | p50 | p90 | p95 | p99 | p99.9 | max |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    `| ${[requests.total, requests.ok, requests.non2xx, requests.errors].map(formatCount).join(' | ')} | ${[latency.p50, latency.p90, latency.p95, latency.p99, latency.p999, latency.max].map(formatLatency).join(' | ')} |`,
    '',
    ...result.objectives.map(
      (objective) => `- ${objective.met ? '🟢' : '🔴'} ${escapeText(describeObjective(objective))}`,
    ),
    ...result.doubts.map((doubt) => `\n> **Unreliable**: ${escapeText(doubt.message)}`),
    '',
    environmentLine(result.environment),
    '',
  ].join('\n');
}

function environmentLine({
  node,
  platform,
  arch,
  cpu,
  cores,
  commit,
}: BenchmarkResult['environment']): string {
  const at = commit === undefined ? '' : `, commit ${commit.slice(0, 10)}`;
  return `<sub>Node ${node} on ${platform} ${arch}, ${cores} × ${escapeText(cpu)}${at}</sub>`;
}

function code(text: string): string {
  return `\`${text.replaceAll('`', "'")}\``;
}

/** Escapes names and messages, which come from scenarios and servers. */
function escapeText(text: string): string {
  return text.replace(/[\\`*_{}[\]<>|#]/g, '\\$&').replace(/\s+/g, ' ');
}
