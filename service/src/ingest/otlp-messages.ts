// The fields of opentelemetry-proto 1.x, under the names of its JSON encoding, so that both encodings decode to the same shape.

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

/**
 * A reader for the part of protocol buffers' wire format (https://protobuf.dev/programming-guides/encoding) that OTLP uses.
 */

type ScalarKind = 'string' | 'hex' | 'base64' | 'double' | 'fixed64' | 'sint32' | 'uint' | 'int' | 'bool';

interface FieldDescription {
  readonly name: string;
  readonly kind: ScalarKind | (() => MessageDescription);
  readonly isRepeated?: boolean;
}

/** Fields by number. */
export type MessageDescription = Readonly<Record<number, FieldDescription>>;

export type Message = Record<string, unknown>;

const maxDepth = 64;

/**
 * Decodes a message to a plain object. 64-bit integers become numbers where exact, else bigints. Absent fields stay absent; unknown
 * fields are skipped.
 * @throws RangeError when the bytes are not such a message.
 */
export function readMessage(bytes: Uint8Array, description: MessageDescription, depth = 0): Message {
  if (depth > maxDepth) throw new RangeError('The message is nested too deeply.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const message: Message = Object.create(null);
  let at = 0;
  const varint = (): bigint => {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError('The message is cut short.');
      result |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, result);
    }
    throw new RangeError('A number of the message is too long.');
  };
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw new RangeError('The message is cut short.');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    const field = description[Math.floor(tag / 8)];
    if (wire === 0) {
      const value = varint();
      if (field !== undefined) store(message, field, fromVarint(field, value));
    } else if (wire === 1) {
      const start = at;
      take(8);
      if (field !== undefined)
        store(
          message,
          field,
          field.kind === 'double' ? view.getFloat64(start, true) : exact(view.getBigUint64(start, true)),
        );
    } else if (wire === 5) take(4);
    else if (wire === 2) {
      const part = take(Number(varint()));
      if (field !== undefined) readLengthDelimited(message, field, part, depth);
    } else throw new RangeError(`The message has a field of unknown wire type ${wire}.`);
  }
  return message;
}

function readLengthDelimited(
  message: Message,
  field: FieldDescription,
  part: Uint8Array,
  depth: number,
): void {
  if (typeof field.kind === 'function') store(message, field, readMessage(part, field.kind(), depth + 1));
  else if (field.kind === 'string') store(message, field, utf8.decode(part));
  else if (field.kind === 'hex' || field.kind === 'base64')
    store(message, field, Buffer.from(part).toString(field.kind));
  else if (field.isRepeated === true && (field.kind === 'double' || field.kind === 'fixed64')) {
    if (part.length % 8 !== 0) throw new RangeError('A packed field of the message is cut short.');
    const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
    for (let at = 0; at < part.length; at += 8)
      store(
        message,
        field,
        field.kind === 'double' ? view.getFloat64(at, true) : exact(view.getBigUint64(at, true)),
      );
  } else throw new RangeError(`Field ${field.name} of the message has the wrong wire type.`);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function store(message: Message, field: FieldDescription, value: unknown): void {
  if (field.isRepeated !== true) message[field.name] = value;
  else if (Array.isArray(message[field.name])) (message[field.name] as unknown[]).push(value);
  else message[field.name] = [value];
}

function fromVarint({ kind, name }: FieldDescription, value: bigint): unknown {
  switch (kind) {
    case 'bool':
      return value !== 0n;
    case 'int':
      return exact(BigInt.asIntN(64, value));
    case 'uint':
      return exact(value);
    case 'sint32':
      return Number(value & 1n) === 1 ? -Number(value >> 1n) - 1 : Number(value >> 1n);
    default:
      throw new RangeError(`Field ${name} of the message has the wrong wire type.`);
  }
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
