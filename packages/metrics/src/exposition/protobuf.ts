/** Prometheus' protobuf exposition (`io.prometheus.client.MetricFamily`, delimited), the only format that carries native histograms. */
import type { CounterSeries, GaugeSeries } from '../instruments/counter-gauge.ts';
import { type Exemplar, Histogram, type HistogramSeries } from '../instruments/histogram.ts';
import type { NativeBuckets, NativeSpans } from '../instruments/native-buckets.ts';
import type { PromMetricData, PromValue } from './prom-bridge.ts';
import type { AnyFamily } from './text.ts';

const typeNumbers: Readonly<Record<string, number>> = {
  counter: 0,
  gauge: 1,
  summary: 2,
  untyped: 3,
  histogram: 4,
};
// The field of a Metric that holds its value, by type.
const valueFields: Readonly<Record<string, number>> = { gauge: 2, counter: 3, untyped: 5 };

/** Appends a family of ours; a no-op if it has no series. */
export function writeFamily(target: ProtoWriter, family: AnyFamily): void {
  if (family.series.length === 0) return;
  const { name, help, type, labels } = family.definition;
  const message = header(name, help, type);
  for (const series of family.series) {
    const metric = labelled(labels.map((label, index) => [label, series.labelValues[index] ?? ''] as const));
    if (family instanceof Histogram) metric.message(7, histogramMessage(series as HistogramSeries));
    else
      metric.message(
        valueFields[type] as number,
        new ProtoWriter().double(1, (series as CounterSeries | GaugeSeries).value),
      );
    message.message(4, metric);
  }
  target.delimited(message);
}

function histogramMessage(series: HistogramSeries): ProtoWriter {
  const histogram = new ProtoWriter().uint(1, series.count).double(2, series.sum);
  let cumulative = 0;
  for (let index = 0; index <= series.bounds.length; index += 1) {
    cumulative += series.bucketCount(index);
    const bucket = new ProtoWriter()
      .uint(1, cumulative)
      .double(2, series.bounds[index] ?? Number.POSITIVE_INFINITY);
    const exemplar = series.exemplarOf(index);
    if (exemplar !== undefined) bucket.message(3, exemplarMessage(exemplar));
    histogram.message(3, bucket);
  }
  if (series.native !== undefined) writeNative(histogram, series.native);
  return histogram;
}

function writeNative(target: ProtoWriter, native: NativeBuckets): void {
  target.sint(5, native.schema).double(6, native.zeroThreshold).uint(7, native.zeroCount);
  writeSpans(target, native.negative(), { span: 9, delta: 10 });
  const positive = native.positive();
  writeSpans(target, positive, { span: 12, delta: 13 });
  // An empty span marks an empty native histogram; without it the histogram would count as classic only.
  if (positive.spans.length === 0) target.message(12, new ProtoWriter().sint(1, 0).uint(2, 0));
}

function writeSpans(
  target: ProtoWriter,
  { spans, deltas }: NativeSpans,
  field: { readonly span: number; readonly delta: number },
): void {
  for (const { offset, length } of spans)
    target.message(field.span, new ProtoWriter().sint(1, offset).uint(2, length));
  for (const delta of deltas) target.sint(field.delta, delta);
}

function exemplarMessage({ traceId, spanId, value, timestamp }: Exemplar): ProtoWriter {
  const seconds = Math.floor(timestamp);
  const time = new ProtoWriter().uint(1, seconds).uint(2, Math.round((timestamp - seconds) * 1e9));
  return labelled([
    ['trace_id', traceId],
    ['span_id', spanId],
  ])
    .double(2, value)
    .message(3, time);
}

/** Appends a metric of the team's registry. */
export function writeForeign(target: ProtoWriter, { name, help, type, values = [] }: PromMetricData): void {
  if (values.length === 0) return;
  const kind = typeof type === 'string' && type in typeNumbers ? type : 'untyped';
  const message = header(name, help, kind);
  if (kind === 'histogram' || kind === 'summary') {
    const part = kind === 'histogram' ? 'le' : 'quantile';
    for (const group of grouped(values, part).values()) {
      message.message(
        4,
        labelled(group.labels).message(kind === 'histogram' ? 7 : 4, compound(name, group.values, part)),
      );
    }
  } else {
    for (const { labels, value } of values) {
      const pairs = Object.entries(labels).map(([label, text]) => [label, String(text)] as const);
      message.message(
        4,
        labelled(pairs).message(valueFields[kind] as number, new ProtoWriter().double(1, value)),
      );
    }
  }
  target.delimited(message);
}

function grouped(
  values: readonly PromValue[],
  part: string,
): Map<string, { labels: [string, string][]; values: PromValue[] }> {
  const groups = new Map<string, { labels: [string, string][]; values: PromValue[] }>();
  for (const value of values) {
    const labels = Object.entries(value.labels)
      .filter(([name]) => name !== part)
      .map(([name, text]): [string, string] => [name, String(text)]);
    const key = JSON.stringify(labels.toSorted());
    const group = groups.get(key) ?? { labels, values: [] };
    group.values.push(value);
    groups.set(key, group);
  }
  return groups;
}

function compound(name: string, values: readonly PromValue[], part: 'le' | 'quantile'): ProtoWriter {
  const message = new ProtoWriter();
  const of = (suffix: string): number =>
    values.find(({ metricName }) => metricName === `${name}${suffix}`)?.value ?? 0;
  message.uint(1, of('_count')).double(2, of('_sum'));
  for (const { labels, value } of values) {
    const edge = labels[part];
    if (edge === undefined) continue;
    const inner = new ProtoWriter();
    if (part === 'le')
      inner.uint(1, value).double(2, edge === '+Inf' ? Number.POSITIVE_INFINITY : Number(edge));
    else inner.double(1, Number(edge)).double(2, value);
    message.message(3, inner);
  }
  return message;
}

function header(name: string, help: string, type: string): ProtoWriter {
  return new ProtoWriter()
    .string(1, name)
    .string(2, help)
    .uint(3, typeNumbers[type] ?? 3);
}

function labelled(labels: Iterable<readonly [string, string]>): ProtoWriter {
  const metric = new ProtoWriter();
  for (const [name, value] of labels) metric.message(1, new ProtoWriter().string(1, name).string(2, value));
  return metric;
}

/** Writes the wire format of Protocol Buffers: varints, doubles and length-delimited fields. */
export class ProtoWriter {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  /** `uint64` of a whole number up to 2^53. Zeros are written too. */
  uint(field: number, value: number): this {
    return this.#varint(field * 8).#varint(value);
  }

  /** `sint32`, `sint64`: zigzag. */
  sint(field: number, value: number): this {
    return this.#varint(field * 8).#varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  double(field: number, value: number): this {
    this.#varint(field * 8 + 1);
    this.#reserve(8);
    this.#bytes.writeDoubleLE(value, this.#length);
    this.#length += 8;
    return this;
  }

  string(field: number, value: string): this {
    const length = Buffer.byteLength(value);
    this.#varint(field * 8 + 2).#varint(length);
    this.#reserve(length);
    this.#bytes.write(value, this.#length);
    this.#length += length;
    return this;
  }

  message(field: number, value: ProtoWriter): this {
    return this.#varint(field * 8 + 2).delimited(value);
  }

  /** A message after its length, as in a stream of messages. */
  delimited(value: ProtoWriter): this {
    this.#varint(value.#length);
    this.#reserve(value.#length);
    value.#bytes.copy(this.#bytes, this.#length, 0, value.#length);
    this.#length += value.#length;
    return this;
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #varint(value: number): this {
    this.#reserve(10);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length] = (rest % 128) | 128;
      this.#length += 1;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length] = rest;
    this.#length += 1;
    return this;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
