import { ServiceError } from '../errors.ts';

/** A message of OTLP, in the shape of its JSON encoding. */
export type Shape = Readonly<Record<string, unknown>>;

/** Levels of nested lists and maps; the protobuf reader allows as many. */
const maxNesting = 28;

/**
 * The attributes as Prometheus labels. Values of keys that map to the same label are joined with `;`, as OpenTelemetry specifies.
 * Attributes named `job` and `instance` become `exported_job` and `exported_instance`, as in a scrape: the resource alone sets
 * those labels.
 * @param prefix Prepended to each key; empty by default.
 * @throws ServiceError `ERR_WEIR_SERVICE_PUSH` when a value is nested deeper than 28 levels.
 */
export function attributeLabels(attributes: unknown, prefix = ''): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const { key, value } of list(attributes)) {
    if (typeof key !== 'string' || key === '') continue;
    const label = prometheusLabel(prefix + key);
    const clash = Object.hasOwn(labels, label) ? labels[label] : undefined;
    labels[label] = clash === undefined ? attributeText(value) : `${clash};${attributeText(value)}`;
  }
  exportLabel(labels, 'job');
  exportLabel(labels, 'instance');
  return labels;
}

function exportLabel(labels: Record<string, string>, name: 'job' | 'instance'): void {
  const value = labels[name];
  if (value === undefined) return;
  delete labels[name];
  let free = `exported_${name}`;
  while (labels[free] !== undefined) free = `exported_${free}`;
  labels[free] = value;
}

/**
 * An attribute's value as text: strings and scalars as they are, lists and maps as JSON (OpenTelemetry specification,
 * "Mapping non-OTLP attribute values").
 * @throws ServiceError `ERR_WEIR_SERVICE_PUSH` when it is nested deeper than 28 levels.
 */
export function attributeText(value: unknown): string {
  const any = shape(value);
  if (typeof any.stringValue === 'string') return any.stringValue;
  if (isGiven(any.arrayValue) || isGiven(any.kvlistValue)) return json(any, 0);
  const scalar = scalarOf(any);
  return isGiven(scalar) ? String(scalar) : '';
}

// One pass over all levels: encoding level by level would double the escapes at each.
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
  // The JSON encoding carries 64-bit integers as strings.
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

// The mapping of names by the OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".

const units: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tibibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '%': 'percent',
};

const perUnits: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
};

/** The Prometheus name of a metric: its name, its unit, and the suffix `_total` of counters or `_ratio` of ratios. */
export function prometheusName(name: string, unit: string, kind: 'counter' | 'gauge' | 'other'): string {
  const words = name.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== '');
  const plain = unit.replace(/\{[^}]*\}/g, '').trim();
  const [main = '', per] = plain.split('/');
  const suffixes: string[] = [];
  if (main !== '' && main !== '1') suffixes.push(...wordsOf(units[main] ?? main));
  if (per !== undefined && per !== '') suffixes.push('per', ...wordsOf(perUnits[per] ?? per));
  for (const suffix of suffixes) if (!words.includes(suffix)) words.push(suffix);
  if (kind === 'counter') moveToEnd(words, 'total');
  else if (kind === 'gauge' && plain === '1') moveToEnd(words, 'ratio');
  const joined = words.join('_');
  return /^\d/.test(joined) ? `_${joined}` : joined;
}

/** The Prometheus label of an attribute. */
function prometheusLabel(key: string): string {
  const label = key.replace(/[^a-zA-Z0-9_]/g, '_');
  if (/^\d/.test(label)) return `key_${label}`;
  // Labels are object properties, among which this name is special.
  if (label === '__proto__') return 'key__proto__';
  return label.startsWith('_') && !label.startsWith('__') ? `key${label}` : label;
}

function wordsOf(text: string): string[] {
  return text.split(/[^a-zA-Z0-9]+/).filter((word) => word !== '');
}

function moveToEnd(words: string[], word: string): void {
  const at = words.indexOf(word);
  if (at !== -1) words.splice(at, 1);
  words.push(word);
}
