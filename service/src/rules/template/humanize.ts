import { formatGo, formatSignificant } from '@weir/promql';

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
