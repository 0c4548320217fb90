import type { Position } from '../errors.ts';
import type {
  AtModifier,
  Expression,
  MatrixSelector,
  NumberLiteral,
  Subquery,
  VectorSelector,
} from './ast.ts';
import type { Token } from './lexer.ts';
import { parseDuration } from './literals.ts';
import { createMatcher, type Matcher, type MatchOperator } from './matcher.ts';
import type { TokenCursor } from './token-cursor.ts';

/** A selector from its name or its opening brace on. */
export function parseSelector(cursor: TokenCursor): VectorSelector {
  const start = cursor.peek().position.start;
  const name = cursor.isPunctuation('{') ? '' : cursor.next().text;
  const matchers = cursor.isPunctuation('{') ? parseMatchers(cursor) : [];
  if (name !== '') matchers.push(createMatcher('__name__', '=', name));
  return cursor.built({
    kind: 'selector',
    name,
    matchers,
    offsetMs: 0,
    at: undefined,
    position: { start, end: cursor.end },
  });
}

function parseMatchers(cursor: TokenCursor): Matcher[] {
  const matchers: Matcher[] = [];
  cursor.next();
  while (!cursor.accept('}')) {
    matchers.push(parseMatcher(cursor));
    if (!cursor.accept(',') && !cursor.isPunctuation('}'))
      throw cursor.unexpected('label matching', '"," or "}"');
  }
  return matchers;
}

function parseMatcher(cursor: TokenCursor): Matcher {
  const label = cursor.next();
  if (label.kind !== 'identifier' && label.kind !== 'string') {
    throw cursor.error(
      label.position,
      `unexpected "${label.text}" in label matching, expected identifier or "}"`,
    );
  }
  const operator = cursor.peek();
  if (label.kind === 'string' && (operator.text === ',' || operator.text === '}'))
    return createMatcher('__name__', '=', label.text);
  if (operator.kind !== 'punctuation' || !['=', '!=', '=~', '!~'].includes(operator.text))
    throw cursor.unexpected('label matching', 'label matching operator');
  cursor.next();
  const value = cursor.peek();
  if (value.kind !== 'string') throw cursor.unexpected('label matching', 'string');
  cursor.next();
  return compileMatcher(cursor, label, operator.text as MatchOperator, value);
}

function compileMatcher(cursor: TokenCursor, label: Token, operator: MatchOperator, value: Token): Matcher {
  try {
    return createMatcher(label.text, operator, value.text);
  } catch (error) {
    const position = { start: label.position.start, end: value.position.end };
    throw cursor.error(position, (error as Error).message, error);
  }
}

/** What follows an expression and binds closest: `[range]`, `[range:step]`, `offset`, `@`. */
export function parsePostfix(cursor: TokenCursor, operand: Expression): Expression {
  let expression = operand;
  for (;;) {
    if (cursor.isPunctuation('[')) expression = parseBrackets(cursor, expression);
    else if (cursor.word() === 'offset') expression = parseOffset(cursor, expression);
    else if (cursor.isPunctuation('@')) expression = parseAt(cursor, expression);
    else if (cursor.word() === 'anchored' || cursor.word() === 'smoothed')
      throw cursor.unsupported(cursor.peek().position, `the ${cursor.word()} modifier`);
    else return expression;
  }
}

function parseBrackets(cursor: TokenCursor, operand: Expression): MatrixSelector | Subquery {
  const bracket = cursor.next().position;
  const rangeMs = parsePositiveDuration(cursor, 'subquery or range selector');
  if (cursor.accept(':')) {
    const stepMs = cursor.isPunctuation(']') ? undefined : parsePositiveDuration(cursor, 'subquery selector');
    cursor.expect(']', 'subquery selector');
    const position = { start: operand.position.start, end: cursor.end };
    const node: Subquery = {
      kind: 'subquery',
      expression: operand,
      rangeMs,
      stepMs,
      offsetMs: 0,
      at: undefined,
      position,
    };
    return cursor.built(node, operand);
  }
  cursor.expect(']', 'subquery or range', '":" or "]"');
  const position = { start: bracket.start, end: cursor.end };
  if (operand.kind !== 'selector') throw cursor.error(position, 'ranges only allowed for vector selectors');
  if (operand.offsetMs !== 0) throw cursor.error(position, 'no offset modifiers allowed before range');
  if (operand.at !== undefined) throw cursor.error(position, 'no @ modifiers allowed before range');
  const whole = { start: operand.position.start, end: cursor.end };
  return cursor.built({ kind: 'range', selector: operand, rangeMs, position: whole }, operand);
}

function parseOffset(cursor: TokenCursor, operand: Expression): Expression {
  cursor.next();
  const offsetMs = parseDurationMs(cursor, 'offset', false);
  const target = modified(cursor, operand, 'offset modifier');
  if (target.offsetMs !== 0) throw cursor.error(operand.position, 'offset may not be set multiple times');
  return extend(cursor, operand, { offsetMs });
}

function parseAt(cursor: TokenCursor, operand: Expression): Expression {
  cursor.next();
  const at = parseAtValue(cursor, operand.position);
  const target = modified(cursor, operand, '@ modifier');
  if (target.at !== undefined)
    throw cursor.error(operand.position, '@ <timestamp> may not be set multiple times');
  return extend(cursor, operand, { at });
}

function parseAtValue(cursor: TokenCursor, position: Position): AtModifier {
  const word = cursor.word();
  if (word === 'start' || word === 'end') {
    cursor.next();
    cursor.expect('(', '@');
    cursor.expect(')', '@');
    return word;
  }
  const seconds = parseSignedNumber(cursor, '@', 'timestamp');
  if (!(Math.abs(seconds) < 2 ** 63))
    throw cursor.error(position, `timestamp out of bounds for @ modifier: ${seconds}`);
  return Math.round(seconds * 1000);
}

function modified(cursor: TokenCursor, operand: Expression, what: string): VectorSelector | Subquery {
  if (operand.kind === 'range') return operand.selector;
  if (operand.kind === 'selector' || operand.kind === 'subquery') return operand;
  throw cursor.error(
    operand.position,
    `${what} must be preceded by an instant vector selector or range vector selector or a subquery`,
  );
}

function extend(
  cursor: TokenCursor,
  operand: Expression,
  change: { readonly offsetMs: number } | { readonly at: AtModifier },
): Expression {
  const position = { start: operand.position.start, end: cursor.end };
  if (operand.kind === 'range')
    return cursor.built({ ...operand, selector: { ...operand.selector, ...change }, position });
  if (operand.kind === 'subquery')
    return cursor.built({ ...operand, ...change, position }, operand.expression);
  return cursor.built({ ...(operand as VectorSelector), ...change, position });
}

const durationWords = new Set(['step', 'range', 'min_of', 'max_of']);

/** The value of a number or duration token, a duration in seconds. */
function literalValue(cursor: TokenCursor, token: Token): number {
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
function parseSignedNumber(cursor: TokenCursor, context: string, expected: string): number {
  const negative = acceptSign(cursor);
  if (!isLiteral(cursor.peek())) throw cursor.unexpected(context, expected);
  const { value } = parseNumberLiteral(cursor);
  return negative ? -value : value;
}

/** The milliseconds of a range or step in brackets, above zero. */
function parsePositiveDuration(cursor: TokenCursor, context: string): number {
  const start = cursor.peek().position.start;
  const ms = parseDurationMs(cursor, context);
  if (ms <= 0) throw cursor.error({ start, end: cursor.end }, 'duration must be greater than 0');
  return ms;
}

/** Milliseconds, with a sign. Arithmetic on durations is refused as experimental. */
function parseDurationMs(cursor: TokenCursor, context: string, arithmeticFollows = true): number {
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
