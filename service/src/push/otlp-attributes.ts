import { ServiceError } from '../errors.ts';
import { prometheusLabel } from './otlp-names.ts';

/** A message of OTLP, in the shape of its JSON encoding. */
export type Shape = Readonly<Record<string, unknown>>;

/** Lists and maps within each other; the reader of protobuf takes as many. */
const maxNesting = 28;

/**
 * The attributes as labels of Prometheus. Keys that become the same label are joined with `;`, as the specification of
 * OpenTelemetry asks. `job` and `instance` come from the resource alone: attributes of these names become `exported_job` and
 * `exported_instance`, as those of a scrape do.
 * @param prefix Stands before each key [''].
 * @throws ServiceError `ERR_WEIR_SERVICE_PUSH` when a value is nested deeper than 28 levels.
 */
export function attributeLabels(attributes: unknown, prefix = ''): Record<string, string> {
  const values = new Map<string, string[]>();
  for (const { key, value } of list(attributes)) {
    if (text(key) === '') continue;
    const label = prometheusLabel(prefix + text(key));
    const found = values.get(label);
    if (found === undefined) values.set(label, [attributeText(value)]);
    else found.push(attributeText(value));
  }
  const labels: Record<string, string> = Object.create(null);
  for (const [label, texts] of values) {
    let free = label;
    if (label === 'job' || label === 'instance')
      do free = `exported_${free}`;
      while (values.has(free));
    labels[free] = texts.join(';');
  }
  return labels;
}

/**
 * An attribute's value as text: strings and scalars as they are, lists and maps as JSON (OpenTelemetry specification,
 * "Mapping non-OTLP attribute values").
 * @throws ServiceError `ERR_WEIR_SERVICE_PUSH` when it is nested deeper than 28 levels.
 */
export function attributeText(value: unknown): string {
  const { stringValue, arrayValue, kvlistValue } = shape(value);
  if (typeof stringValue === 'string') return stringValue;
  if (isGiven(arrayValue) || isGiven(kvlistValue)) return json(value, 0);
  const scalar = scalarOf(shape(value));
  return isGiven(scalar) ? String(scalar) : '';
}

// Written in one pass: text within text of each level would double its escapes at each.
function json(value: unknown, depth: number): string {
  if (depth > maxNesting)
    throw new ServiceError(
      'ERR_WEIR_SERVICE_PUSH',
      `an attribute is nested deeper than ${maxNesting} levels. Export flat attributes.`,
    );
  const { stringValue, intValue, arrayValue, kvlistValue } = shape(value);
  if (typeof stringValue === 'string') return JSON.stringify(stringValue);
  if (isGiven(arrayValue))
    return `[${list(shape(arrayValue).values)
      .map((member) => json(member, depth + 1))
      .join(',')}]`;
  if (isGiven(kvlistValue)) {
    const members = new Map<string, string>();
    for (const pair of list(shape(kvlistValue).values))
      members.set(text(pair.key), json(pair.value, depth + 1));
    const sorted = [...members].sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${sorted.map(([key, member]) => `${JSON.stringify(key)}:${member}`).join(',')}}`;
  }
  // JSON's encoding carries 64-bit numbers as strings.
  if (/^-?\d{1,20}$/.test(String(intValue))) return String(intValue);
  const scalar = scalarOf(shape(value));
  if (typeof scalar === 'boolean' || (typeof scalar === 'number' && Number.isFinite(scalar)))
    return String(scalar);
  return isGiven(scalar) ? JSON.stringify(String(scalar)) : 'null';
}

function scalarOf({ boolValue, intValue, doubleValue, bytesValue }: Shape): unknown {
  return boolValue ?? intValue ?? doubleValue ?? bytesValue;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

export function shape(value: unknown): Shape {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Shape) : {};
}

export function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function list(value: unknown): readonly Shape[] {
  return array(value).map(shape);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
