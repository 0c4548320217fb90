import type { CompareResult } from '../compare/compare-builds.ts';
import type { MetricVerdict } from '../stats/verdict.ts';
import { formatCount, formatLatency } from './format.ts';

/** How each gated metric is called and written. */
export const metricLabels: Readonly<
  Record<string, { readonly label: string; readonly format: (value: number) => string }>
> = Object.freeze({
  perSecond: { label: 'answers/s', format: formatCount },
  p50Ms: { label: 'p50', format: formatLatency },
  cpuUs: { label: 'CPU a request', format: (us: number) => formatLatency(us / 1_000) },
});

/** A comparison as plain text: verdict first, then each metric, then every reason for doubt. */
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
  for (const doubt of result.doubts) lines.push('', `not to be believed: ${doubt.message}`);
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
      return `${name}: inconclusive; the intervals are wider than the change asked for`;
    case 'invalid':
      return `${name}: this run cannot be believed`;
  }
}

/** The name of a metric in reports. */
export function labelOf(metric: MetricVerdict): string {
  return metricLabels[metric.name]?.label ?? metric.name;
}

/** The middle of what one arm showed over all pairs. */
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
