import type { NumberLiteral } from './ast.ts';
import { parseDuration } from './duration.ts';
import type { Token } from './lexer.ts';
import type { TokenCursor } from './token-cursor.ts';

const durationWords = new Set(['step', 'range', 'min_of', 'max_of']);

/** The value of a number or duration token, a duration in seconds. */
export function literalValue(cursor: TokenCursor, token: Token): number {
  if (token.kind === 'number') return numberValue(token.text);
  const ms = parseDuration(token.text);
  if (ms === 'range') throw cursor.error(token.position, 'duration out of range');
  if (ms === undefined) throw cursor.error(token.position, `not a valid duration string: "${token.text}"`);
  return ms / 1000;
}

export function isLiteral(token: Token): boolean {
  return token.kind === 'number' || token.kind === 'duration' || isNamedNumber(token);
}

/** `inf` and `nan` in any case are numbers, never names. */
export function isNamedNumber(token: Token): boolean {
  return token.kind === 'identifier' && /^(?:inf|nan)$/i.test(token.text);
}

export function parseNumberLiteral(cursor: TokenCursor): NumberLiteral {
  const token = cursor.next();
  const value = isNamedNumber(token) ? namedValue(token.text) : literalValue(cursor, token);
  return cursor.built({
    kind: 'number',
    value,
    duration: token.kind === 'duration',
    position: token.position,
  });
}

/** A number with an optional sign, as after `@`. */
export function parseSignedNumber(cursor: TokenCursor, context: string, expected: string): number {
  const negative = acceptSign(cursor);
  if (!isLiteral(cursor.peek())) throw cursor.unexpected(context, expected);
  const { value } = parseNumberLiteral(cursor);
  return negative ? -value : value;
}

/** The milliseconds of a range or step in brackets, above zero. */
export function parsePositiveDuration(cursor: TokenCursor, context: string): number {
  const start = cursor.peek().position.start;
  const ms = parseDurationMs(cursor, context);
  if (ms <= 0) throw cursor.error({ start, end: cursor.end }, 'duration must be greater than 0');
  return ms;
}

/** Milliseconds, with a sign. Arithmetic on durations is refused as experimental. */
export function parseDurationMs(cursor: TokenCursor, context: string, arithmeticFollows = true): number {
  const start = cursor.peek().position.start;
  const negative = acceptSign(cursor);
  const token = cursor.peek();
  if (cursor.isPunctuation('(') || (durationWords.has(cursor.word()) && cursor.isPunctuation('(', 1)))
    throw cursor.unsupported(token.position, 'a duration expression');
  if (!isLiteral(token)) throw cursor.unexpected(context, 'number or duration');
  const { value } = parseNumberLiteral(cursor);
  const position = { start, end: cursor.end };
  if (arithmeticFollows && '+-*/%^'.includes(cursor.peek().text) && cursor.peek().kind === 'punctuation')
    throw cursor.unsupported(position, 'a duration expression');
  if (!(Math.abs(value) <= 2 ** 63 / 1e9)) throw cursor.error(position, 'duration out of range');
  return Math.round((negative ? -value : value) * 1000);
}

function acceptSign(cursor: TokenCursor): boolean {
  let negative = false;
  while (cursor.isPunctuation('+') || cursor.isPunctuation('-'))
    negative = (cursor.next().text === '-') !== negative;
  return negative;
}

function namedValue(text: string): number {
  return text.toLowerCase() === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY;
}

// A leading zero means octal where the digits allow it, as in Go.
function numberValue(text: string): number {
  const digits = text.replaceAll('_', '');
  if (/^0[0-7]+$/.test(digits)) return Number.parseInt(digits, 8);
  return Number(digits);
}
