/** As Go prints a float by `%v` and `%g`: shortest, with an exponent below 1e-4 and from a million on. */
export function formatGo(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e6)) return goExponent(value.toExponential());
  return Object.is(value, -0) ? '-0' : String(value);
}

/** As Go's `%.<digits>g`. */
export function formatSignificant(value: number, digits: number): string {
  if (!Number.isFinite(value) || value === 0) return formatGo(value);
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e') as [string, string];
  if (Number(exponent) < -4 || Number(exponent) >= digits)
    return goExponent(`${mantissa.replace(/\.?0+$/, '')}e${exponent}`);
  return String(Number(value.toPrecision(digits)));
}

/** As Go prints a float without an exponent and with the fewest digits, for label values. */
export function formatPlain(value: number): string {
  if (!Number.isFinite(value)) return formatGo(value);
  if (Object.is(value, -0)) return '-0';
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  const digits = mantissa.replace(/[-.]/g, '');
  const point = Number(exponent) + 1;
  const sign = value < 0 ? '-' : '';
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + '0'.repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

// Go writes at least two digits of exponent.
function goExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}
