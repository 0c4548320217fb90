/** What a template of an alert's label or annotation may name. */
export interface TemplateData {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

type Filter = (value: unknown, argument: string | undefined) => string;

const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'] as const;
const binaryPrefixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'] as const;
const smallPrefixes = ['', 'm', 'u', 'n', 'p', 'f', 'a', 'z', 'y'] as const;

const filters: Readonly<Record<string, Filter>> = {
  humanize: (value) => humanize(Number(value), 1000, prefixes),
  humanize1024: (value) => humanize(Number(value), 1024, binaryPrefixes),
  humanizePercentage: (value) => `${significant(Number(value) * 100)}%`,
  humanizeDuration: (value) => humanizeDuration(Number(value)),
  humanizeTimestamp: (value) =>
    new Date(Number(value) * 1000).toISOString().replace('T', ' ').replace('Z', ' +0000 UTC'),
  title: (value) => String(value).replace(/\b\w/g, (letter) => letter.toUpperCase()),
  toUpper: (value) => String(value).toUpperCase(),
  toLower: (value) => String(value).toLowerCase(),
  printf: (value, format = '%v') =>
    format.replace(/%(?:\.(\d+))?([fgvsd])/, (_whole, digits: string | undefined, verb: string) => {
      if (verb === 'f') return Number(value).toFixed(digits === undefined ? 6 : Number(digits));
      if (verb === 'd') return String(Math.trunc(Number(value)));
      return String(value);
    }),
};

/**
 * Fills `{{ $value }}`, `{{ $labels.name }}` and their long forms `.Value`, `.Labels.name`, through the filters above.
 * What it does not know (Go's control structures, queries) stays as it is written.
 */
export function expandTemplate(template: string, data: TemplateData): string {
  return template.replace(/\{\{-?\s*(.*?)\s*-?\}\}/gs, (whole, inside: string) => {
    const [head = '', ...pipes] = inside.split('|').map((part) => part.trim());
    let value = lookUp(head, data);
    if (value === undefined) {
      // `humanize $value`, `printf "%.2f" $value`
      const call = /^(\w+)(?:\s+"([^"]*)")?\s+(\S+)$/.exec(head);
      const inner = call === null ? undefined : lookUp(call[3] as string, data);
      if (call === null || inner === undefined) return whole;
      value = filters[call[1] as string]?.(inner, call[2]);
    }
    for (const pipe of pipes) {
      const call = /^(\w+)(?:\s+"([^"]*)")?$/.exec(pipe);
      const filter = call === null ? undefined : filters[call[1] as string];
      if (filter === undefined) return whole;
      value = filter(value, call?.[2]);
    }
    return value === undefined ? whole : String(value);
  });
}

function lookUp(text: string, { labels, value }: TemplateData): unknown {
  if (text === '$value' || text === '.Value') return value;
  const label = /^(?:\$labels|\.Labels)\.(\w+)$/.exec(text)?.[1];
  return label === undefined ? undefined : (labels[label] ?? '');
}

function significant(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value);
  const [digits = '', exponent = '0'] = value.toExponential(3).split('e');
  // Go's %.4g.
  if (Number(exponent) >= -4 && Number(exponent) < 4) return String(Number(value.toPrecision(4)));
  return `${Number(digits)}e${exponent.startsWith('-') ? '-' : '+'}${exponent.slice(1).padStart(2, '0')}`;
}

function humanize(value: number, base: number, names: readonly string[]): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  let scaled = value;
  let at = 0;
  if (Math.abs(value) >= 1) {
    for (; Math.abs(scaled) >= base && at < names.length - 1; at++) scaled /= base;
    return `${significant(scaled)}${names[at]}`;
  }
  if (base === 1024) return significant(value);
  for (; Math.abs(scaled) < 1 && at < smallPrefixes.length - 1; at++) scaled *= 1000;
  return `${significant(scaled)}${smallPrefixes[at]}`;
}

function humanizeDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return String(seconds);
  const size = Math.abs(seconds);
  const sign = seconds < 0 ? '-' : '';
  if (size < 1) return `${sign}${humanize(size, 1000, prefixes)}s`;
  const whole = Math.trunc(size);
  const parts = [Math.floor(whole / 86_400), Math.floor(whole / 3_600) % 24, Math.floor(whole / 60) % 60];
  if (parts.every((part) => part === 0)) return `${sign}${significant(size)}s`;
  const [days, hours, minutes] = parts as [number, number, number];
  const rest = `${minutes}m ${whole % 60}s`;
  if (days > 0) return `${sign}${days}d ${hours}h ${rest}`;
  return hours > 0 ? `${sign}${hours}h ${rest}` : `${sign}${rest}`;
}
