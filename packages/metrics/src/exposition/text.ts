/**
 * Prometheus text format 0.0.4 and OpenMetrics 1.0.0. The first scrape of a series renders and keeps its whole lines except the values; later
 * scrapes only format numbers.
 */
import type { MetricDefinition } from '../catalogue.ts';
import type { Counter, CounterSeries, Gauge, GaugeSeries } from '../instruments/counter-gauge.ts';
import type { Series } from '../instruments/family.ts';
import { type Exemplar, Histogram, type HistogramSeries } from '../instruments/histogram.ts';

/** The text formats of a scrape. */
export type TextFormat = 'text' | 'openmetrics';
/** Any family of this package. */
export type AnyFamily = Counter | Gauge | Histogram;

/** A whole family; `''` if it has no series yet. */
export function renderFamily(family: AnyFamily, format: TextFormat): string {
  if (family.series.length === 0) return '';
  let text = renderHeader(family.definition, format);
  if (family instanceof Histogram) {
    for (const series of family.series)
      text += renderHistogram(series, prefixes(family, series, format), format);
    return text;
  }
  for (const series of family.series as readonly (CounterSeries | GaugeSeries)[]) {
    text += `${prefixes(family, series, format)[0]}${formatValue(series.value)}\n`;
  }
  return text;
}

function prefixes(family: AnyFamily, series: Series, format: TextFormat): readonly string[] {
  const cached = series.rendered?.[format];
  if (cached !== undefined) return cached;
  const { name, labels, type } = family.definition;
  let made: readonly string[];
  if (family instanceof Histogram) {
    const names = [...labels, 'le'];
    const bounds = [...family.bounds, Infinity];
    made = [
      ...bounds.map(
        (bound) =>
          `${name}_bucket${renderLabels(names, [...series.labelValues, formatBound(bound, format)])} `,
      ),
      `${name}_sum${renderLabels(labels, series.labelValues)} `,
      `${name}_count${renderLabels(labels, series.labelValues)} `,
    ];
  } else {
    const full =
      format === 'openmetrics' && type === 'counter' && !name.endsWith('_total') ? `${name}_total` : name;
    made = [`${full}${renderLabels(labels, series.labelValues)} `];
  }
  series.rendered = { ...series.rendered, [format]: made };
  return made;
}

function renderHistogram(series: HistogramSeries, lines: readonly string[], format: TextFormat): string {
  const length = series.bounds.length;
  let text = '';
  let cumulative = 0;
  for (let index = 0; index <= length; index += 1) {
    cumulative += series.bucketCount(index);
    text += (lines[index] as string) + cumulative;
    const exemplar = format === 'openmetrics' ? series.exemplarOf(index) : undefined;
    text += exemplar === undefined ? '\n' : `${renderExemplar(exemplar)}\n`;
  }
  return `${text}${lines[length + 1]}${formatValue(series.sum)}\n${lines[length + 2]}${cumulative}\n`;
}

/** The HELP, TYPE and UNIT lines of a family. OpenMetrics names counters and infos without their suffix here. */
export function renderHeader(definition: Omit<MetricDefinition, 'labels'>, format: TextFormat): string {
  const { name, unit, help } = definition;
  if (format === 'text')
    return `# HELP ${name} ${escapeHelp(help, format)}\n# TYPE ${name} ${definition.type}\n`;
  const isInfo = unit === 'info' && name.endsWith('_info');
  const type = isInfo ? 'info' : definition.type;
  const base = isInfo ? name.slice(0, -5) : type === 'counter' ? name.replace(/_total$/, '') : name;
  const unitLine = unit !== '' && !isInfo && base.endsWith(`_${unit}`) ? `# UNIT ${base} ${unit}\n` : '';
  return `# TYPE ${base} ${type}\n${unitLine}# HELP ${base} ${escapeHelp(help, format)}\n`;
}

/** `{a="1",b="2"}`; `''` without labels. */
export function renderLabels(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return '';
  return `{${names.map((name, index) => `${name}="${escapeLabel(values[index] ?? '')}"`).join(',')}}`;
}

/** ` # {trace_id="…",span_id="…"} value timestamp`. */
function renderExemplar({ traceId, spanId, value, timestamp }: Exemplar): string {
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${formatValue(value)} ${timestamp}`;
}

/** A bucket bound: OpenMetrics requires a float even for whole numbers. */
function formatBound(bound: number, format: TextFormat): string {
  const text = formatValue(bound);
  return format === 'openmetrics' && /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/** A number as both formats write it. */
export function formatValue(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
    : value;
}

function escapeHelp(help: string, format: TextFormat): string {
  const escaped = help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
  return format === 'openmetrics' ? escaped.replace(/"/g, '\\"') : escaped;
}
