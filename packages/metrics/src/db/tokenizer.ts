/**
 * Splits SQL into tokens by the lexical rules of a dialect: enough to tell literals from everything else, without a grammar.
 * Comments and white space vanish. A literal's text never leaves this file: its token's text is `?`. What does not end (an open
 * string, a cut-off statement) counts as a literal to the end of the text, so that truncation cannot leak either.
 */
import type { Dialect } from './dialect.ts';

/** What a token is. A `value` is a literal or a placeholder; both read `?`. */
export type TokenKind = 'word' | 'quoted' | 'value' | 'operator' | 'punctuation';

/** One token; `text` is as written, except that values read `?`. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const VALUE: Token = Object.freeze({ kind: 'value', text: '?' });
const PUNCTUATION = new Map(
  [...'(),;.[]'].map((text) => [text, Object.freeze({ kind: 'punctuation', text } as const)]),
);

const SPACE = /\s*/y;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;
const NUMBER =
  /(?:0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?)\w*/y;
const PLACEHOLDER = /\$\d+|\?\d*(?![|&-])|[:@$][A-Za-z_]\w*/y;
const OPERATOR = /(?:[+*/<>=~!@%^&|`?:#]|-(?!-)|-(?=-\S))+/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const STRING_PREFIX = /(?:[eEbBxXnN]|[uU]&|_[a-zA-Z]\w*\s*)(?=')/y;

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function skipQuoted(text: string, at: number, quote: string, backslash: boolean): number {
  let index = at + 1;
  while (index < text.length) {
    const char = text[index];
    if (char === '\\' && backslash) index += 2;
    else if (char !== quote) index += 1;
    else if (text[index + 1] === quote) index += 2;
    else return index + 1;
  }
  return text.length;
}

function skipBlockComment(text: string, at: number, nested: boolean): number {
  let depth = 0;
  let index = at;
  while (index < text.length) {
    if (text.startsWith('/*', index) && (nested || depth === 0)) {
      depth += 1;
      index += 2;
    } else if (text.startsWith('*/', index)) {
      depth -= 1;
      index += 2;
      if (depth === 0) return index;
    } else index += 1;
  }
  return text.length;
}

function skipLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end + 1;
}

/** The index after white space and comments. */
function skipBlank(text: string, start: number, dialect: Dialect): number {
  let at = start;
  for (;;) {
    at += match(SPACE, text, at)?.length ?? 0;
    if (text.startsWith('/*', at)) at = skipBlockComment(text, at, dialect.nestedComments);
    else if (text[at] === '#' && dialect.hashComments) at = skipLine(text, at);
    else if (text.startsWith('--', at) && (!dialect.dashNeedsSpace || !/\S/.test(text[at + 2] ?? ' ')))
      at = skipLine(text, at);
    else return at;
  }
}

// SQLite built with double-quoted strings reads "x" as a string where no column has that name. Beside an operator, or in a list of
// values, and without a dot, it is taken for one.
function isStringInSqlite(tokens: readonly Token[], text: string, end: number): boolean {
  const before = tokens[tokens.length - 1];
  if (before === undefined || match(/\s*\./y, text, end) !== undefined) return false;
  if (before.kind === 'operator') return before.text !== '*';
  if (before.kind === 'word')
    return /^(?:like|glob|values|in|then|else|between|and|match|regexp)$/i.test(before.text);
  return (before.text === '(' || before.text === ',') && inValueList(tokens);
}

function inValueList(tokens: readonly Token[]): boolean {
  let depth = 0;
  for (let index = tokens.length - 1; index > 0; index -= 1) {
    const { text } = tokens[index] as Token;
    if (text === ')') depth += 1;
    if (text === '(' && depth === 0) {
      const opener = tokens[index - 1]?.text ?? '';
      // The second row of VALUES follows a comma.
      return opener === ',' || /^(?:values|in)$/i.test(opener);
    }
    if (text === '(') depth -= 1;
  }
  return false;
}

// A sign right before a number belongs to it where no operand comes before: `= -1`, not `a - 1`.
function foldSign(tokens: Token[]): void {
  const sign = tokens[tokens.length - 1];
  if (sign?.text !== '-' && sign?.text !== '+') return;
  const before = tokens[tokens.length - 2];
  const isOperand =
    before !== undefined &&
    (before.kind === 'value' ||
      before.kind === 'quoted' ||
      before.text === ')' ||
      before.text === ']' ||
      (before.kind === 'word' && !CLAUSE.test(before.text)));
  if (!isOperand) tokens.pop();
}

const CLAUSE =
  /^(?:select|where|and|or|not|in|then|else|when|limit|offset|by|values|return|returning|between|like|case|on|having|set|to)$/i;

/** All tokens of `text`. Linear in its length. */
export function tokenize(text: string, dialect: Dialect): Token[] {
  const tokens: Token[] = [];
  let at = skipBlank(text, 0, dialect);
  while (at < text.length) {
    at = skipBlank(text, next(text, at, dialect, tokens), dialect);
  }
  return tokens;
}

function next(text: string, at: number, dialect: Dialect, tokens: Token[]): number {
  const char = text[at] as string;
  const prefix = match(STRING_PREFIX, text, at);
  if (char === "'" || prefix !== undefined) {
    const backslash = dialect.backslashEscapes || (dialect.dollarQuotes && (char === 'e' || char === 'E'));
    const previous = tokens[tokens.length - 1];
    // 'a' 'b' is one literal in every dialect that allows it.
    if (previous !== VALUE || text[at - 1] === ',') tokens.push(VALUE);
    return skipQuoted(text, at + (prefix?.length ?? 0), "'", backslash);
  }
  if (char === '"') return doubleQuoted(text, at, dialect, tokens);
  if (char === '`') return quoted(text, at, skipQuoted(text, at, '`', false), tokens);
  if (char === '[' && dialect.brackets) return quoted(text, at, skipQuoted(text, at, ']', false), tokens);
  if (char === '$' && dialect.dollarQuotes) {
    const tag = match(DOLLAR_TAG, text, at);
    if (tag !== undefined) {
      const end = text.indexOf(tag, at + tag.length);
      tokens.push(VALUE);
      return end === -1 ? text.length : end + tag.length;
    }
  }
  const word = match(WORD, text, at);
  if (word !== undefined) {
    tokens.push({ kind: 'word', text: word });
    return at + word.length;
  }
  const number = match(NUMBER, text, at);
  if (number !== undefined) {
    foldSign(tokens);
    tokens.push(VALUE);
    return at + number.length;
  }
  const isCast = char === ':' && (text[at + 1] === ':' || text[at - 1] === ':');
  const placeholder =
    isCast || (char === '@' && dialect.dollarQuotes) ? undefined : match(PLACEHOLDER, text, at);
  if (placeholder !== undefined) {
    tokens.push(VALUE);
    return at + placeholder.length;
  }
  const punctuation = PUNCTUATION.get(char);
  if (punctuation !== undefined) {
    tokens.push(punctuation);
    return at + 1;
  }
  return operator(text, at, tokens);
}

function operator(text: string, at: number, tokens: Token[]): number {
  let found = match(OPERATOR, text, at) ?? (text[at] as string);
  const comment = found.indexOf('/*');
  if (comment > 0) found = found.slice(0, comment);
  // `=-1`: the sign is not part of the operator; PostgreSQL's own rule for names that end in a sign.
  if (found.length > 1 && /[-+]$/.test(found) && !/[~!@#%^&|`?]/.test(found)) found = found.slice(0, -1);
  tokens.push({ kind: 'operator', text: found });
  return at + found.length;
}

function doubleQuoted(text: string, at: number, dialect: Dialect, tokens: Token[]): number {
  const isString = dialect.doubleQuotes === 'string';
  const end = skipQuoted(text, at, '"', isString && dialect.backslashEscapes);
  if (isString || (dialect.doubleQuotes === 'either' && isStringInSqlite(tokens, text, end))) {
    tokens.push(VALUE);
    return end;
  }
  return quoted(text, at, end, tokens);
}

function quoted(text: string, at: number, end: number, tokens: Token[]): number {
  const closed = end - at >= 2 && /["`\]]/.test(text[end - 1] as string);
  tokens.push(closed ? { kind: 'quoted', text: text.slice(at, end) } : VALUE);
  return end;
}
