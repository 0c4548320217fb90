import type { FieldDescription, MessageDescription } from './protobuf.ts';

// Fields of opentelemetry-proto 1.x, named as its JSON encoding names them, so that both encodings read into one shape.

const one = (name: string, kind: FieldDescription['kind']): FieldDescription => ({ name, kind });
const many = (name: string, kind: FieldDescription['kind']): FieldDescription => ({
  name,
  kind,
  isRepeated: true,
});

const anyValue: MessageDescription = {
  1: one('stringValue', 'string'),
  2: one('boolValue', 'bool'),
  3: one('intValue', 'int'),
  4: one('doubleValue', 'double'),
  5: one('arrayValue', () => arrayValue),
  6: one('kvlistValue', () => keyValueList),
  7: one('bytesValue', 'base64'),
};
const arrayValue: MessageDescription = { 1: many('values', () => anyValue) };
const keyValueList: MessageDescription = { 1: many('values', () => keyValue) };
const keyValue: MessageDescription = { 1: one('key', 'string'), 2: one('value', () => anyValue) };
const resource: MessageDescription = { 1: many('attributes', () => keyValue) };
const exemplar: MessageDescription = {
  2: one('timeUnixNano', 'fixed64'),
  3: one('asDouble', 'double'),
  4: one('spanId', 'hex'),
  5: one('traceId', 'hex'),
  6: one('asInt', 'fixed64'),
  7: many('filteredAttributes', () => keyValue),
};
const numberPoint: MessageDescription = {
  3: one('timeUnixNano', 'fixed64'),
  4: one('asDouble', 'double'),
  5: many('exemplars', () => exemplar),
  6: one('asInt', 'fixed64'),
  7: many('attributes', () => keyValue),
  8: one('flags', 'uint'),
};
const histogramPoint: MessageDescription = {
  3: one('timeUnixNano', 'fixed64'),
  4: one('count', 'fixed64'),
  5: one('sum', 'double'),
  6: many('bucketCounts', 'fixed64'),
  7: many('explicitBounds', 'double'),
  8: many('exemplars', () => exemplar),
  9: many('attributes', () => keyValue),
  10: one('flags', 'uint'),
};
const quantile: MessageDescription = { 1: one('quantile', 'double'), 2: one('value', 'double') };
const summaryPoint: MessageDescription = {
  3: one('timeUnixNano', 'fixed64'),
  4: one('count', 'fixed64'),
  5: one('sum', 'double'),
  6: many('quantileValues', () => quantile),
  7: many('attributes', () => keyValue),
  8: one('flags', 'uint'),
};
const points = (point: MessageDescription): MessageDescription => ({
  1: many('dataPoints', () => point),
  2: one('aggregationTemporality', 'uint'),
  3: one('isMonotonic', 'bool'),
});
const metric: MessageDescription = {
  1: one('name', 'string'),
  2: one('description', 'string'),
  3: one('unit', 'string'),
  5: one('gauge', () => points(numberPoint)),
  7: one('sum', () => points(numberPoint)),
  9: one('histogram', () => points(histogramPoint)),
  10: one('exponentialHistogram', () => points({})),
  11: one('summary', () => points(summaryPoint)),
};
const scope: MessageDescription = {
  1: one('name', 'string'),
  2: one('version', 'string'),
  3: many('attributes', () => keyValue),
};
const scopeMetrics: MessageDescription = {
  1: one('scope', () => scope),
  2: many('metrics', () => metric),
  3: one('schemaUrl', 'string'),
};
const resourceMetrics: MessageDescription = {
  1: one('resource', () => resource),
  2: many('scopeMetrics', () => scopeMetrics),
};

/** `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest`. */
export const exportMetricsRequest: MessageDescription = {
  1: many('resourceMetrics', () => resourceMetrics),
};
