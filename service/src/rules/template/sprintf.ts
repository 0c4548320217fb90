import { formatGo, formatSignificant } from '@weir/promql';
import { formatTemplateValue, type TemplateValue } from './template-value.ts';

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

// toFixed turns to an exponent from 1e21 on.
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
