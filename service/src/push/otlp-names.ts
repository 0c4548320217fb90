// Names as the OpenTelemetry specification maps them ("Prometheus and OpenMetrics Compatibility").

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

/** The Prometheus name of a metric: its own, its unit, and `_total` or `_ratio` where they apply. */
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
export function prometheusLabel(key: string): string {
  const label = key.replace(/[^a-zA-Z0-9_]/g, '_');
  if (/^\d/.test(label)) return `key_${label}`;
  // Labels are properties of objects, where this name is not one like any other.
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
