import { formatGo, formatSignificant } from '@weir/promql';

/** A value of the template language; `undefined` is Go's nil. */
export type TemplateValue = string | number | boolean | undefined | TemplateMap | readonly TemplateValue[];

/** Labels, samples, and the data of a template. A missing name yields the empty string. */
export class TemplateMap {
  readonly #values: ReadonlyMap<string, TemplateValue>;

  constructor(values: Readonly<Record<string, TemplateValue>>) {
    this.#values = new Map(Object.entries(values));
  }

  get size(): number {
    return this.#values.size;
  }

  get(name: string): TemplateValue {
    return this.#values.has(name) ? this.#values.get(name) : '';
  }

  /** Sorted by name. */
  entries(): (readonly [string, TemplateValue])[] {
    return [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** Whether the value is true for `if`: not nil, false, 0 or empty. */
export function isTruthy(value: TemplateValue): boolean {
  if (value instanceof TemplateMap) return value.size > 0;
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== false && value !== 0 && value !== '';
}

/** The value as Go's `%v` prints it. */
export function formatTemplateValue(value: TemplateValue): string {
  if (value === undefined) return '<no value>';
  if (typeof value === 'number') return formatFloat(value);
  if (value instanceof TemplateMap)
    return `map[${value
      .entries()
      .map(([name, one]) => `${name}:${formatTemplateValue(one)}`)
      .join(' ')}]`;
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  return `[${value.map(formatTemplateValue).join(' ')}]`;
}

// Go's `%v` of a float64 has an exponent from 1e21 on, unlike its `%g`.
function formatFloat(value: number): string {
  const magnitude = Math.abs(value);
  return magnitude >= 1e6 && magnitude < 1e21 ? String(value) : formatGo(value);
}

const verb = /%([-+ 0#]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g;
const maxWidth = 1_000;

/** Go's printf for the verbs that alerts use: %v %s %q %d %f %e %g %x %t %%, with flags, width and precision. */
export function sprintf(format: string, values: readonly TemplateValue[]): string {
  let at = 0;
  return format.replace(
    verb,
    (_whole, flags: string, width: string | undefined, digits: string | undefined, kind: string) => {
      if (kind === '%') return '%';
      if (at >= values.length) return `%!${kind}(MISSING)`;
      const precision = digits === undefined ? undefined : Math.min(100, Number(digits));
      const shown = withSign(formatVerb(values[at++], kind, precision), flags, values[at - 1]);
      return pad(shown, Math.min(Number(width ?? 0), maxWidth), flags);
    },
  );
}

function formatVerb(value: TemplateValue, kind: string, precision: number | undefined): string {
  const wrong = `%!${kind}(${formatTemplateValue(value)})`;
  switch (kind) {
    case 'v':
    case 's': {
      const text = formatTemplateValue(value);
      return precision === undefined || typeof value === 'number' ? text : text.slice(0, precision);
    }
    case 'q':
      return JSON.stringify(formatTemplateValue(value));
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong;
    case 'd':
      return typeof value === 'number' ? String(Math.trunc(value)) : wrong;
    case 'x':
      return typeof value === 'number' ? Math.trunc(value).toString(16) : wrong;
    default:
      return typeof value === 'number' ? formatFloatVerb(value, kind, precision) : wrong;
  }
}

function formatFloatVerb(value: number, kind: string, precision: number | undefined): string {
  if (!Number.isFinite(value)) return formatGo(value);
  if (kind === 'f' || kind === 'F') return fixed(value, precision ?? 6);
  if (kind === 'e' || kind === 'E')
    return value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
  if (kind === 'g' || kind === 'G')
    return precision === undefined
      ? formatTemplateValue(value)
      : formatSignificant(value, Math.max(1, precision));
  return `%!${kind}(float64=${formatTemplateValue(value)})`;
}

// `toFixed` uses an exponent from 1e21 on.
function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return text.includes('e') ? `${BigInt(value)}${digits === 0 ? '' : `.${'0'.repeat(digits)}`}` : text;
}

function withSign(text: string, flags: string, value: TemplateValue): string {
  return flags.includes('+') && typeof value === 'number' && !/^[+-]/.test(text) ? `+${text}` : text;
}

function pad(text: string, width: number, flags: string): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0')) return text.padStart(width);
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}

const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'] as const;
const binaryPrefixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'] as const;
const smallPrefixes = ['', 'm', 'u', 'n', 'p', 'f', 'a', 'z', 'y'] as const;

const significant = (value: number): string => formatSignificant(value, 4);

/** With metric prefixes: `1.235k`. */
export function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return significant(value);
  if (Math.abs(value) >= 1) return scaled(value, 1000, prefixes);
  let small = value;
  let at = 0;
  for (; Math.abs(small) < 1 && at < smallPrefixes.length - 1; at++) small *= 1000;
  return `${significant(small)}${smallPrefixes[at]}`;
}

/** With prefixes of 1024: `1.206Ki`. */
export function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return significant(value);
  return scaled(value, 1024, binaryPrefixes);
}

/** A ratio: `12.35%`. */
export function humanizePercentage(value: number): string {
  return `${significant(value * 100)}%`;
}

/** Unix seconds as Go prints a time. */
export function humanizeTimestamp(seconds: number): string {
  if (!Number.isFinite(seconds)) return formatGo(seconds);
  const ms = Math.round(seconds * 1000);
  if (Math.abs(ms) > 8.64e15) throw new Error(`${seconds} cannot be represented as a time`);
  const text = new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
  // Go leaves trailing zeros of the fraction out.
  return `${text.replace(/\.?0+$/, (zeros) => (zeros.startsWith('.') ? '' : text.includes('.') ? '' : zeros))} +0000 UTC`;
}

/** Seconds as days, hours, minutes and seconds. */
export function humanizeDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return formatGo(seconds);
  if (seconds === 0) return '0s';
  const size = Math.abs(seconds);
  const sign = seconds < 0 ? '-' : '';
  if (size < 1) return `${sign}${humanize(size)}s`;
  const whole = Math.trunc(size);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3_600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (whole < 60) return `${sign}${significant(size)}s`;
  const rest = `${minutes}m ${whole % 60}s`;
  if (days > 0) return `${sign}${days}d ${hours}h ${rest}`;
  return hours > 0 ? `${sign}${hours}h ${rest}` : `${sign}${rest}`;
}

function scaled(value: number, base: number, names: readonly string[]): string {
  let rest = value;
  let at = 0;
  for (; Math.abs(rest) >= base && at < names.length - 1; at++) rest /= base;
  return `${significant(rest)}${names[at]}`;
}
