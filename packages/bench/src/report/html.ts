import type { CompareResult } from '../compare/compare-builds.ts';
import { describeObjective } from '../result/check-objective.ts';
import { escapeMarkup, formatCount, formatLatency } from '../result/format.ts';
import type { BenchmarkResult } from '../result/result.ts';
import {
  added,
  headline,
  labelOf,
  medianOf,
  metricLabels,
  namedCulprits,
  type ProfileSummary,
  signed,
} from './table.ts';

const style = `
:root { color-scheme: light dark; --ink: #1d2433; --soft: #667085; --line: #d9dee7; --paper: #fff; --a: #2563eb; --b: #d97706; --good: #15803d; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #30384a; --paper: #12161f; --a: #60a5fa; --b: #fbbf24; --good: #4ade80; --bad: #f87171; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 780px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { padding: .35rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; } th, figcaption, .soft { color: var(--soft); font-weight: 500; }
figure { margin: 1.5rem 0; } svg { width: 100%; height: auto; } polyline { fill: none; stroke-width: 2; }
.grid { stroke: var(--line); } .tick { fill: var(--soft); font-size: 11px; }
polyline.a { stroke: var(--a); } polyline.b { stroke: var(--b); } .key { margin-left: 1rem; font-weight: 600; } .key.a { color: var(--a); } .key.b { color: var(--b); }
.good { color: var(--good); } .bad { color: var(--bad); } .doubt { border-left: 3px solid var(--bad); padding: .3rem .8rem; }`;

/** A run as one HTML file, without scripts and external resources. */
export function renderRunHtml(result: BenchmarkResult): string {
  const { requests, latencyMs: latency, timeline } = result;
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(0)} s`;
  const line = (className: 'a' | 'b', name: string, read: (point: (typeof timeline)[number]) => number) => ({
    name,
    className,
    points: timeline.map((point) => ({ x: point.atMs, y: read(point) })),
  });
  return page(result.name, [
    `<p class="soft">${escapeMarkup(result.target)}, ${escapeMarkup(result.startedAt)}, ${seconds(result.durationMs)} measured${result.partial ? ', <b>partial</b>' : ''}</p>`,
    ...result.doubts.map((doubt) => `<p class="doubt">Unreliable: ${escapeMarkup(doubt.message)}</p>`),
    table(
      ['requests', 'answers/s', '2xx', 'other status', 'no answer', 'timed out'],
      [
        [
          requests.total,
          requests.perSecond,
          requests.ok,
          requests.non2xx,
          requests.errors,
          requests.timeouts,
        ].map(formatCount),
      ],
    ),
    table(
      ['min', 'mean', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'],
      [
        [
          latency.min,
          latency.mean,
          latency.p50,
          latency.p90,
          latency.p95,
          latency.p99,
          latency.p999,
          latency.max,
        ].map(formatLatency),
      ],
    ),
    renderChart({
      title: 'Answers per second',
      series: [line('a', 'answers/s', (p) => p.requestsPerSecond)],
      formatX: seconds,
      formatY: formatCount,
    }),
    renderChart({
      title: 'Latency',
      series: [line('a', 'p50', (p) => p.p50Ms), line('b', 'p99', (p) => p.p99Ms)],
      formatX: seconds,
      formatY: formatLatency,
    }),
    ...result.objectives.map(
      (objective) =>
        `<p class="${objective.met ? 'good' : 'bad'}">${objective.met ? 'met' : 'missed'}: ${escapeMarkup(describeObjective(objective))}</p>`,
    ),
    result.steps === undefined
      ? ''
      : table(
          ['step', 'answered', 'p50', 'p95', 'p99'],
          result.steps.map(({ name, answered, latencyMs }) => [
            name,
            formatCount(answered),
            ...[latencyMs.p50, latencyMs.p95, latencyMs.p99].map(formatLatency),
          ]),
        ),
    environment(result.environment),
  ]);
}

/** A comparison as one HTML file, with the ratio of every pair. */
export function renderComparisonHtml(result: CompareResult, profile?: ProfileSummary): string {
  return page(headline(result), [
    `<p class="soft">${escapeMarkup(result.base)} against ${escapeMarkup(result.head)}, ${result.pairs.length} pairs in ${(result.durationMs / 1_000).toFixed(0)} s</p>`,
    ...result.doubts.map((doubt) => `<p class="doubt">Unreliable: ${escapeMarkup(doubt.message)}</p>`),
    table(
      ['metric', 'base', 'head', 'worse by', '98 % interval', 'p', 'verdict'],
      result.metrics.map((metric) => [
        labelOf(metric),
        medianOf(result, 'base', metric.name),
        medianOf(result, 'head', metric.name),
        signed(metric.effect),
        `${signed(metric.interval[0])} … ${signed(metric.interval[1])}`,
        metric.p.toPrecision(2),
        metric.verdict,
      ]),
    ),
    profile === undefined ? '' : culprits(profile),
    ...result.metrics.map(({ name }) => {
      const points = (arm: 'base' | 'head') =>
        result.pairs.map((pair, index) => ({
          x: index + 1,
          y: Number((pair[arm] as unknown as Record<string, number>)[name]),
        }));
      return renderChart({
        title: `${metricLabels[name]?.label ?? name} of each pair`,
        series: [
          { name: 'base', className: 'a', points: points('base') },
          { name: 'head', className: 'b', points: points('head') },
        ],
        formatX: (value) => `pair ${value}`,
        formatY: metricLabels[name]?.format ?? String,
      });
    }),
    environment(result.environment),
  ]);
}

function culprits({ functions, lines, unit }: ProfileSummary): string {
  const named = [...functions.slice(0, namedCulprits), ...lines.slice(0, namedCulprits)];
  if (named.length === 0) return '<p>Profiled: no function takes more time in every duet.</p>';
  return table(
    ['takes more in head', `${unit} a request`, 'base', 'head'],
    named.map((culprit) => [
      culprit.name,
      added(culprit, unit),
      culprit.baseUs.toFixed(2),
      culprit.headUs.toFixed(2),
    ]),
  );
}

function page(title: string, parts: readonly string[]): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}</title><style>${style}</style></head>
<body><h1>${escapeMarkup(title)}</h1>
${parts.filter(Boolean).join('\n')}
</body></html>
`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], tag: 'th' | 'td'): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeMarkup(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${row(head, 'th')}${rows.map((cells) => row(cells, 'td')).join('')}</table>`;
}

function environment({ node, platform, arch, cpu, cores, commit }: BenchmarkResult['environment']): string {
  const at = commit === undefined ? '' : `, commit ${escapeMarkup(commit.slice(0, 10))}`;
  return `<p class="soft">Node ${escapeMarkup(node)} on ${escapeMarkup(platform)} ${escapeMarkup(arch)}, ${cores} × ${escapeMarkup(cpu)}${at}</p>`;
}

/** A line of a chart. */
export interface ChartSeries {
  readonly name: string;
  /** The class of the style sheet that sets the colour. */
  readonly className: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** Options of {@link renderChart}. */
interface ChartOptions {
  readonly title: string;
  readonly series: readonly ChartSeries[];
  readonly formatX: (value: number) => string;
  readonly formatY: (value: number) => string;
}

const width = 720;
const height = 220;
const margin = { left: 64, right: 12, top: 12, bottom: 28 };

/** Lines over a zero-based axis, as SVG that scales with the page and uses its colours. */
function renderChart({ title, series, formatX, formatY }: ChartOptions): string {
  const all = series.flatMap(({ points }) => points);
  const minX = all.length === 0 ? 0 : Math.min(...all.map(({ x }) => x));
  const maxX = Math.max(...all.map(({ x }) => x), minX);
  const spanX = Math.max(maxX - minX, 1);
  const ticks = niceTicks(Math.max(...all.map(({ y }) => y), 0));
  const maxY = ticks.at(-1) ?? 1;
  const toX = (x: number): string =>
    (margin.left + ((x - minX) / spanX) * (width - margin.left - margin.right)).toFixed(1);
  const toY = (y: number): string =>
    (height - margin.bottom - (y / maxY) * (height - margin.top - margin.bottom)).toFixed(1);
  const grid = ticks.map(
    (tick) =>
      `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${toY(tick)}" y2="${toY(tick)}"/>` +
      `<text class="tick" x="${margin.left - 6}" y="${toY(tick)}" text-anchor="end" dominant-baseline="middle">${escapeMarkup(formatY(tick))}</text>`,
  );
  const lines = series.map(
    ({ className, points }) =>
      `<polyline class="${className}" points="${points.map(({ x, y }) => `${toX(x)},${toY(y)}`).join(' ')}"/>`,
  );
  const legend = series
    .map(({ name, className }) => `<span class="key ${className}">${escapeMarkup(name)}</span>`)
    .join('');
  return [
    `<figure><figcaption>${escapeMarkup(title)}${legend}</figcaption>`,
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeMarkup(title)}">`,
    ...grid,
    ...[...new Set([minX, maxX])].map(
      (x, index) =>
        `<text class="tick" x="${toX(x)}" y="${height - 8}" text-anchor="${index === 0 ? 'start' : 'end'}">${escapeMarkup(formatX(x))}</text>`,
    ),
    ...lines,
    '</svg></figure>',
  ].join('\n');
}

/** Zero and up to five round steps that reach `highest`. */
export function niceTicks(highest: number): number[] {
  if (!(highest > 0)) return [0, 1];
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const ticks = [0];
  while ((ticks.at(-1) ?? 0) < highest) ticks.push(Number((ticks.length * step).toPrecision(12)));
  return ticks;
}
