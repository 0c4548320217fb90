const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/**
 * The text of a quoted literal, quotes included, after its escapes. Double and single quotes escape as in Go; back quotes
 * escape nothing. Bytes given as `\xNN` or octal are decoded as UTF-8 together; a byte that is no UTF-8 makes the string ill-formed (`isWellFormed`).
 * @throws An `Error` that names the escape that is wrong.
 */
export function unquote(literal: string): string {
  const quote = literal[0] as string;
  const body = literal.slice(1, -1);
  if (quote === '`' || !body.includes('\\')) return body;
  let text = '';
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length > 0) text += decode(bytes);
    bytes = [];
  };
  for (let i = 0; i < body.length; ) {
    const char = body[i] as string;
    if (char !== '\\') {
      flush();
      text += char;
      i++;
      continue;
    }
    const read = readEscape(body, i + 1, quote);
    if (read.byte) bytes.push(read.code);
    else {
      flush();
      text += String.fromCodePoint(read.code);
    }
    i = read.next;
  }
  flush();
  return text;
}

// A byte that is no UTF-8 stands as a lone surrogate, so that `isWellFormed` finds it and `quote` writes it back.
function decode(bytes: readonly number[]): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array(bytes));
  } catch {
    return String.fromCharCode(...bytes.map((byte) => (byte < 0x80 ? byte : 0xdc00 + byte)));
  }
}

function readEscape(body: string, at: number, quote: string): { code: number; byte: boolean; next: number } {
  const char = body[at] ?? '';
  const simple = char === quote ? quote : simpleEscapes[char];
  if (simple !== undefined) return { code: simple.charCodeAt(0), byte: false, next: at + 1 };
  const [start, digits, base] =
    char === 'x'
      ? [at + 1, 2, 16]
      : char === 'u'
        ? [at + 1, 4, 16]
        : char === 'U'
          ? [at + 1, 8, 16]
          : /[0-7]/.test(char)
            ? [at, 3, 8]
            : [at, 0, 0];
  if (digits === 0)
    throw new Error(char === '' ? 'escape sequence not terminated' : `unknown escape sequence "\\${char}"`);
  const text = body.slice(start, start + digits);
  const valid = base === 16 ? /^[0-9a-fA-F]+$/ : /^[0-7]+$/;
  if (text.length < digits) throw new Error('escape sequence not terminated');
  if (!valid.test(text)) throw new Error(`illegal character in escape sequence "\\${char}${text}"`);
  const code = Number.parseInt(text, base);
  const byte = base === 8 || char === 'x';
  if (code > (byte ? 255 : 0x10ffff) || (!byte && code >= 0xd800 && code < 0xe000))
    throw new Error('escape sequence is an invalid Unicode code point');
  return { code, byte, next: start + digits };
}

/** The value as a double-quoted literal. */
export function quote(value: string): string {
  let text = '"';
  for (const char of value) {
    const code = char.codePointAt(0) as number;
    if (char === '"' || char === '\\') text += `\\${char}`;
    else if (char === '\n') text += '\\n';
    else if (char === '\r') text += '\\r';
    else if (char === '\t') text += '\\t';
    else if (code >= 0xdc80 && code <= 0xdcff) text += `\\x${(code - 0xdc00).toString(16)}`;
    else if (code < 0x20 || code === 0x7f) text += `\\x${code.toString(16).padStart(2, '0')}`;
    else text += char;
  }
  return `${text}"`;
}

const pattern = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const unitsMs = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1] as const;

// The range of Go's time.Duration, which Prometheus computes with.
const maxMs = 2 ** 63 / 1e6;

/** `1h30m` in milliseconds; `undefined` when the text is no duration, `'range'` when it is longer than 292 years. */
export function parseDuration(text: string): number | 'range' | undefined {
  if (text === '0') return 0;
  const match = text === '' ? null : pattern.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const [index, unit] of unitsMs.entries()) total += Number(match[index + 1] ?? 0) * unit;
  return total > maxMs ? 'range' : total;
}

/** The shortest text that `parseDuration` reads back, as Prometheus writes it. Rounds to milliseconds. */
export function formatDuration(durationMs: number): string {
  let rest = Math.round(Math.abs(durationMs));
  if (rest === 0) return '0s';
  let text = durationMs < 0 ? '-' : '';
  const take = (unit: string, unitMs: number, exactOnly: boolean): void => {
    if (exactOnly && rest % unitMs !== 0) return;
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  };
  take('y', 31_536_000_000, true);
  take('w', 604_800_000, true);
  take('d', 86_400_000, false);
  take('h', 3_600_000, false);
  take('m', 60_000, false);
  take('s', 1_000, false);
  take('ms', 1, false);
  return text;
}

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
