import { formatValue } from '@weir/promql';
import { ServiceError } from '../errors.ts';
import {
  array,
  attributeLabels,
  attributeText,
  list,
  prometheusName,
  type Shape,
  shape,
  text,
} from './otlp-labels.ts';
import type { ScrapeLimits } from './series-admission.ts';
import { bucketBound } from './series-text.ts';

/** One sample of an export request. `value` is `undefined` for a series that has ended. */
export interface OtlpSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly timeMs: number;
  readonly value: number | undefined;
  readonly exemplars?: readonly OtlpExemplar[];
}

interface OtlpExemplar {
  readonly labels: Record<string, string>;
  readonly value: number;
  readonly timeMs: number;
}

interface OtlpTranslation {
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

type Sink = (
  suffix: string,
  labels: Record<string, string>,
  value: number | undefined,
  extra?: Partial<OtlpSample>,
) => void;

const cumulative = 2;
const noRecordedValue = 1;

/**
 * Translates an export request, in the shape of OTLP's JSON, to Prometheus samples. `service.namespace/service.name` becomes `job`,
 * `service.instance.id` becomes `instance`, other resource attributes become labels of `target_info`, and the instrumentation scope
 * becomes labels `otel_scope_*` of each series.
 * @param nowMs For points without a time.
 * @throws ServiceError `ERR_WEIR_SERVICE_PUSH` for more than `limits.maxSamples` and for attributes nested too deeply.
 */
export function translateOtlp(request: Shape, nowMs: number, limits: ScrapeLimits): OtlpTranslation {
  const samples: OtlpSample[] = [];
  const metadata = new Map<string, { metric: string; type: string; help: string; unit: string }>();
  const reasons = new Set<string>();
  let rejectedPoints = 0;
  for (const resourceMetrics of list(request.resourceMetrics)) {
    const { target, info } = targetOf(shape(resourceMetrics.resource));
    let latestMs = 0;
    for (const scopeMetrics of list(resourceMetrics.scopeMetrics)) {
      const scope = scopeOf(scopeMetrics);
      const excess = excessOf(scope, limits);
      // Empty labels equal absent ones; dropping them here saves copies in every sample.
      const shared = Object.fromEntries(
        Object.entries({ ...scope, ...target }).filter(([, value]) => value !== ''),
      );
      for (const metric of list(scopeMetrics.metrics)) {
        const kind = kindOf(metric);
        const points = list(shape(kind === undefined ? undefined : metric[kind]).dataPoints);
        const reason =
          rejection(metric, kind) ?? (excess === undefined ? undefined : `a scope has ${excess}`);
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
          const labels = attributeLabels(point.attributes);
          // Checked here, before a histogram multiplies the labels by its buckets.
          const pointExcess = excessOf(labels, limits);
          if (pointExcess !== undefined) {
            rejectedPoints++;
            reasons.add(`${name.slice(0, 200)} has ${pointExcess}`);
            continue;
          }
          const isEnd = (number(point.flags) & noRecordedValue) !== 0;
          addPoint(kind, point, isEnd, (suffix, more, value, extra) => {
            if (samples.length >= limits.maxSamples)
              throw new ServiceError(
                'ERR_WEIR_SERVICE_PUSH',
                `more than ${limits.maxSamples} samples. Export smaller batches or raise \`scrape.maxSamples\`.`,
              );
            samples.push({
              name: name + suffix,
              labels: { ...labels, ...more, ...shared },
              timeMs,
              value: isEnd ? undefined : value,
              ...extra,
            });
          });
        }
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
    const exemplarsOf = byBucket(exemplars, bounds);
    let total = 0;
    for (const [at, bound] of [...bounds, Number.POSITIVE_INFINITY].entries()) {
      total = bound === Number.POSITIVE_INFINITY ? number(point.count) : total + (counts[at] ?? 0);
      const own = exemplarsOf.get(at);
      add(
        '_bucket',
        { le: bucketBound(formatValue(bound)) },
        total,
        own === undefined ? {} : { exemplars: own },
      );
    }
  }
  if (sum !== undefined || isEnd) add('_sum', {}, sum);
  add('_count', {}, number(point.count));
}

function byBucket(
  exemplars: readonly OtlpExemplar[],
  bounds: readonly number[],
): Map<number, OtlpExemplar[]> {
  const found = new Map<number, OtlpExemplar[]>();
  for (const exemplar of exemplars) {
    if (Number.isNaN(exemplar.value)) continue;
    let [low, high] = [0, bounds.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((bounds[middle] as number) < exemplar.value) low = middle + 1;
      else high = middle;
    }
    const own = found.get(low);
    if (own === undefined) found.set(low, [exemplar]);
    else own.push(exemplar);
  }
  return found;
}

function excessOf(labels: Readonly<Record<string, string>>, limits: ScrapeLimits): string | undefined {
  const { maxLabels, maxLabelValueLength: most } = limits;
  let count = 0;
  for (const name in labels) {
    if (++count > maxLabels) return `more than ${maxLabels} attributes`;
    if (name.length > most || (labels[name] as string).length > most)
      return `an attribute longer than ${most} characters`;
  }
  return undefined;
}

function exemplarOf(exemplar: Shape): OtlpExemplar {
  const labels = attributeLabels(exemplar.filteredAttributes);
  if (text(exemplar.traceId) !== '') labels.trace_id = text(exemplar.traceId);
  if (text(exemplar.spanId) !== '') labels.span_id = text(exemplar.spanId);
  const value = exemplar.asDouble === undefined ? signed(exemplar.asInt) : number(exemplar.asDouble);
  return { labels, value, timeMs: milliseconds(exemplar.timeUnixNano) ?? 0 };
}

function targetOf(resource: Shape): { target: Record<string, string>; info: Record<string, string> } {
  const own: Record<string, string> = {};
  const others: Shape[] = [];
  for (const attribute of list(resource.attributes)) {
    const name = text(attribute.key);
    if (['service.name', 'service.namespace', 'service.instance.id'].includes(name))
      own[name] = attributeText(attribute.value);
    else others.push(attribute);
  }
  const info = attributeLabels(others);
  const service = own['service.name'] ?? 'unknown_service';
  const namespace = own['service.namespace'];
  const job = namespace === undefined ? service : `${namespace}/${service}`;
  const instance = own['service.instance.id'];
  return { target: { job, ...(instance === undefined ? {} : { instance }) }, info };
}

/** Labels that distinguish equal metrics of two instrumentation scopes ("Prometheus and OpenMetrics Compatibility"). */
function scopeOf(scopeMetrics: Shape): Record<string, string> {
  const { name, version, attributes } = shape(scopeMetrics.scope);
  return {
    ...attributeLabels(attributes, 'otel_scope_'),
    // These win over attributes of the same names.
    otel_scope_name: text(name),
    otel_scope_version: text(version),
    otel_scope_schema_url: text(scopeMetrics.schemaUrl),
  };
}

/** Numbers of JSON: 64-bit integers, NaN and the infinities are strings there. */
function number(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : 0;
}

// `asInt` is sfixed64, which the protobuf reader returns unsigned.
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
