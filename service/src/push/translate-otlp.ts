import { formatValue } from '@weir/promql';
import { bucketBound } from '../scrape/series-text.ts';
import { prometheusLabel, prometheusName } from './otlp-names.ts';

/** One sample on its way from OTLP; `value` is `undefined` for a series that ended. */
export interface OtlpSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly timeMs: number;
  readonly value: number | undefined;
  readonly exemplars?: readonly { labels: Record<string, string>; value: number; timeMs: number }[];
}

export interface OtlpTranslation {
  readonly samples: readonly OtlpSample[];
  readonly metadata: readonly {
    readonly metric: string;
    readonly type: string;
    readonly help: string;
    readonly unit: string;
  }[];
  readonly rejectedPoints: number;
  /** Why points were rejected; empty when none was. */
  readonly reasons: readonly string[];
}

type Shape = Readonly<Record<string, unknown>>;
type Sink = (
  suffix: string,
  labels: Record<string, string>,
  value: number | undefined,
  extra?: Partial<OtlpSample>,
) => void;

const cumulative = 2;
const noRecordedValue = 1;

/**
 * Translates an export request, in the shape of OTLP's JSON, to Prometheus' samples: `service.namespace/service.name` is
 * `job`, `service.instance.id` is `instance`, further resource attributes stand on `target_info`.
 * @param nowMs For points without a time.
 */
export function translateOtlp(request: Shape, nowMs: number): OtlpTranslation {
  const samples: OtlpSample[] = [];
  const metadata = new Map<string, { metric: string; type: string; help: string; unit: string }>();
  const reasons = new Set<string>();
  let rejectedPoints = 0;
  for (const resourceMetrics of list(request.resourceMetrics)) {
    const { target, info } = targetOf(shape(resourceMetrics.resource));
    let latestMs = 0;
    for (const scope of list(resourceMetrics.scopeMetrics))
      for (const metric of list(scope.metrics)) {
        const kind = kindOf(metric);
        const points = list(shape(kind === undefined ? undefined : metric[kind]).dataPoints);
        const reason = rejection(metric, kind);
        if (reason !== undefined || kind === undefined) {
          rejectedPoints += Math.max(1, points.length);
          reasons.add(reason ?? 'a metric has no data');
          continue;
        }
        const type = typeOf(metric, kind);
        const name = prometheusName(
          text(metric.name),
          text(metric.unit),
          type === 'counter' ? 'counter' : type === 'gauge' ? 'gauge' : 'other',
        );
        metadata.set(name, { metric: name, type, help: text(metric.description), unit: '' });
        for (const point of points) {
          const timeMs = milliseconds(point.timeUnixNano) ?? nowMs;
          latestMs = Math.max(latestMs, timeMs);
          const labels = attributesOf(point.attributes);
          const isEnd = (number(point.flags) & noRecordedValue) !== 0;
          addPoint(kind, point, isEnd, (suffix, more, value, extra) =>
            samples.push({
              name: name + suffix,
              labels: { ...labels, ...more, ...target },
              timeMs,
              value: isEnd ? undefined : value,
              ...extra,
            }),
          );
        }
      }
    if (latestMs > 0 && Object.keys(info).length > 0)
      samples.push({ name: 'target_info', labels: { ...info, ...target }, timeMs: latestMs, value: 1 });
  }
  return { samples, metadata: [...metadata.values()], rejectedPoints, reasons: [...reasons] };
}

type Kind = 'gauge' | 'sum' | 'histogram' | 'summary' | 'exponentialHistogram';

function kindOf(metric: Shape): Kind | undefined {
  const kinds = ['gauge', 'sum', 'histogram', 'summary', 'exponentialHistogram'] as const;
  return kinds.find((kind) => metric[kind] !== undefined && metric[kind] !== null);
}

function rejection(metric: Shape, kind: Kind | undefined): string | undefined {
  const name = text(metric.name).slice(0, 200);
  if (name === '') return 'a metric has no name';
  if (kind === 'exponentialHistogram')
    return `${name}: exponential histograms are not supported; use explicit buckets`;
  if (kind !== 'sum' && kind !== 'histogram') return undefined;
  const temporality = shape(metric[kind]).aggregationTemporality;
  if (number(temporality) === cumulative || temporality === 'AGGREGATION_TEMPORALITY_CUMULATIVE')
    return undefined;
  return `${name}: only cumulative temporality is supported; set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative`;
}

function typeOf(metric: Shape, kind: Kind): string {
  if (kind === 'sum') return shape(metric.sum).isMonotonic === true ? 'counter' : 'gauge';
  return kind;
}

function addPoint(kind: Kind, point: Shape, isEnd: boolean, add: Sink): void {
  const exemplars = list(point.exemplars).map(exemplarOf);
  if (kind === 'gauge' || kind === 'sum') {
    const value = point.asDouble === undefined ? signed(point.asInt) : number(point.asDouble);
    add('', {}, value, exemplars.length === 0 ? {} : { exemplars });
    return;
  }
  const sum = point.sum === undefined ? undefined : number(point.sum);
  if (kind === 'summary') {
    for (const { quantile, value } of list(point.quantileValues))
      add('', { quantile: formatValue(number(quantile)) }, number(value));
  } else {
    const bounds = array(point.explicitBounds).map(number);
    const counts = array(point.bucketCounts).map(number);
    let total = 0;
    for (const [at, bound] of [...bounds, Number.POSITIVE_INFINITY].entries()) {
      total = bound === Number.POSITIVE_INFINITY ? number(point.count) : total + (counts[at] ?? 0);
      const lowest = at === 0 ? Number.NEGATIVE_INFINITY : (bounds[at - 1] as number);
      const own = exemplars.filter(({ value }) => value > lowest && value <= bound);
      add(
        '_bucket',
        { le: bucketBound(formatValue(bound)) },
        total,
        own.length === 0 ? {} : { exemplars: own },
      );
    }
  }
  if (sum !== undefined || isEnd) add('_sum', {}, sum);
  add('_count', {}, number(point.count));
}

function exemplarOf(exemplar: Shape): { labels: Record<string, string>; value: number; timeMs: number } {
  const labels = attributesOf(exemplar.filteredAttributes);
  if (text(exemplar.traceId) !== '') labels.trace_id = text(exemplar.traceId);
  if (text(exemplar.spanId) !== '') labels.span_id = text(exemplar.spanId);
  const value = exemplar.asDouble === undefined ? signed(exemplar.asInt) : number(exemplar.asDouble);
  return { labels, value, timeMs: milliseconds(exemplar.timeUnixNano) ?? 0 };
}

function targetOf(resource: Shape): { target: Record<string, string>; info: Record<string, string> } {
  const info: Record<string, string> = {};
  const own: Record<string, string> = {};
  for (const { key, value } of list(resource.attributes)) {
    const name = text(key);
    if (['service.name', 'service.namespace', 'service.instance.id'].includes(name))
      own[name] = valueText(value);
    else if (name !== '') info[prometheusLabel(name)] = valueText(value);
  }
  const service = own['service.name'] ?? 'unknown_service';
  const namespace = own['service.namespace'];
  const job = namespace === undefined ? service : `${namespace}/${service}`;
  const instance = own['service.instance.id'];
  return { target: { job, ...(instance === undefined ? {} : { instance }) }, info };
}

function attributesOf(attributes: unknown): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const { key, value } of list(attributes)) {
    if (text(key) === '') continue;
    const label = prometheusLabel(text(key));
    const clash = labels[label];
    // Keys that fall together are joined, as the specification asks.
    labels[label] = clash === undefined ? valueText(value) : `${clash};${valueText(value)}`;
  }
  return labels;
}

function valueText(value: unknown): string {
  const { stringValue, boolValue, intValue, doubleValue, bytesValue, arrayValue, kvlistValue } = shape(value);
  if (typeof stringValue === 'string') return stringValue;
  if (arrayValue !== undefined) return JSON.stringify(list(shape(arrayValue).values).map(valueText));
  if (kvlistValue !== undefined)
    return JSON.stringify(
      Object.fromEntries(
        list(shape(kvlistValue).values).map((pair) => [text(pair.key), valueText(pair.value)]),
      ),
    );
  const scalar = boolValue ?? intValue ?? doubleValue ?? bytesValue;
  return scalar === undefined || scalar === null ? '' : String(scalar);
}

function shape(value: unknown): Shape {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Shape) : {};
}

function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function list(value: unknown): readonly Shape[] {
  return array(value).map(shape);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** JSON carries 64-bit numbers as strings, and NaN and the infinities too. */
function number(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : 0;
}

// `asInt` is sfixed64, which the wire's reader hands over unsigned.
function signed(value: unknown): number {
  if (typeof value === 'bigint') return Number(BigInt.asIntN(64, value));
  return number(value);
}

function milliseconds(nanoseconds: unknown): number | undefined {
  if (nanoseconds === undefined || nanoseconds === 0 || nanoseconds === '0') return undefined;
  if (typeof nanoseconds === 'bigint') return Number(nanoseconds / 1_000_000n);
  if (typeof nanoseconds === 'string')
    return /^\d{1,20}$/.test(nanoseconds) ? Number(BigInt(nanoseconds) / 1_000_000n) : undefined;
  return Math.floor(number(nanoseconds) / 1_000_000);
}
