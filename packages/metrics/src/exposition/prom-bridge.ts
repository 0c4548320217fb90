/**
 * The bridge to prom-client 15 and its successor: each family of ours is registered in the team's registry as a metric, and our scrape carries the
 * team's metrics. Only public members of the registry are used, so either package works.
 */
import { aggregatorOf, type MetricDefinition, metricCatalogue, unitOf } from '../catalogue.ts';
import { type AnyFamily, formatValue, renderHeader, renderLabels, type TextFormat } from './text.ts';

/** One sample as prom-client's `get()` returns it. */
export interface PromValue {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string | undefined;
  readonly exemplar?:
    | {
        readonly labelSet: Readonly<Record<string, string>>;
        readonly value: number;
        readonly timestamp: number;
      }
    | null
    | undefined;
}

/** A metric as prom-client's `getMetricsAsJSON()` returns it. */
export interface PromMetricData {
  readonly name: string;
  readonly help: string;
  readonly type: unknown;
  readonly values?: readonly PromValue[] | undefined;
}

/** The members used of a registry of prom-client ≥ 15 or `@prometheus-io/client`. */
export interface PromRegistry {
  registerMetric(metric: never): void;
  getSingleMetric(name: string): unknown;
  removeSingleMetric(name: string): void;
  getMetricsAsJSON(): Promise<readonly unknown[]>;
}

/** A family of ours in the shape of a prom-client metric. */
export class PromBridge {
  name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly labelNames: readonly string[];
  readonly #family: AnyFamily;
  readonly #update: () => boolean;

  /** `update` runs the collectors; it returns `false` during our own scrape, which needs no values from here. */
  constructor(family: AnyFamily, update: () => boolean) {
    const { name, help, type, labels } = family.definition;
    this.name = name;
    this.help = help;
    this.type = type;
    this.aggregator = aggregatorOf(family.definition);
    this.labelNames = labels;
    this.#family = family;
    this.#update = update;
  }

  /** Reads synchronously, so that a scrape shows one instant. `name` is read late because prom-client changes it for OpenMetrics. */
  async get(): Promise<PromMetricData & { aggregator: string }> {
    const values = this.#update() ? promValues(this.#family) : [];
    return { name: this.name, help: this.help, type: this.type, values, aggregator: this.aggregator };
  }

  /** Sets counters, histograms and the team's own gauges back to 0. Gauges of this package keep their value: they describe a state. */
  reset(): void {
    if (isState(this.#family.definition)) return;
    // An external total counts from its value at the reset.
    this.#update();
    this.#family.reset();
  }
}

function isState(definition: MetricDefinition): boolean {
  return definition.type === 'gauge' && metricCatalogue.includes(definition);
}

function promValues(family: AnyFamily): PromValue[] {
  const { name, labels } = family.definition;
  const values: PromValue[] = [];
  for (const series of family.series) {
    const own = Object.fromEntries(labels.map((label, index) => [label, series.labelValues[index] ?? '']));
    if (!('bounds' in series)) {
      values.push({ labels: own, value: series.value });
      continue;
    }
    let cumulative = 0;
    for (let index = 0; index <= series.bounds.length; index += 1) {
      cumulative += series.bucketCount(index);
      const exemplar = series.exemplarOf(index);
      values.push({
        labels: { ...own, le: series.bounds[index] ?? '+Inf' },
        value: cumulative,
        metricName: `${name}_bucket`,
        exemplar: exemplar && {
          labelSet: { trace_id: exemplar.traceId, span_id: exemplar.spanId },
          value: exemplar.value,
          timestamp: exemplar.timestamp,
        },
      });
    }
    values.push({ labels: own, value: series.sum, metricName: `${name}_sum` });
    values.push({ labels: own, value: cumulative, metricName: `${name}_count` });
  }
  return values;
}

const knownTypes = ['counter', 'gauge', 'histogram', 'summary'];

/** Renders a metric of the team's registry in either format. */
export function renderForeign(metric: PromMetricData, format: TextFormat): string {
  if (metric.values === undefined || metric.values.length === 0) return '';
  const type = typeof metric.type === 'string' && knownTypes.includes(metric.type) ? metric.type : 'gauge';
  const isCounter = type === 'counter' && format === 'openmetrics';
  const name = isCounter && !metric.name.endsWith('_total') ? `${metric.name}_total` : metric.name;
  const header = renderHeader(
    { name, help: metric.help, type: type as 'counter', unit: unitOf(name) },
    format,
  );
  const lines = metric.values.map(({ labels, value, metricName, exemplar }) => {
    const names = Object.keys(labels);
    const line = `${metricName ?? name}${renderLabels(
      names,
      names.map((label) => String(labels[label])),
    )} ${formatValue(value)}`;
    if (exemplar === undefined || exemplar === null || format === 'text') return `${line}\n`;
    const { labelSet } = exemplar;
    const set = renderLabels(Object.keys(labelSet), Object.values(labelSet));
    return `${line} # ${set || '{}'} ${formatValue(exemplar.value)} ${exemplar.timestamp}\n`;
  });
  return header + lines.join('');
}
