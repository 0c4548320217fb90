/**
 * Splits SQL into tokens by the lexical rules of a dialect: enough to separate literals from everything else, without a grammar. Comments and white
 * space are dropped. A literal's text never leaves this file: its token's text is `?`.
 *
 * Fail-closed: where the text could be read in two ways, or ends inside a string, its rest is one token of kind `hidden`. Neither a truncated
 * statement nor a server setting that the driver does not report can leak a literal.
 */
import type { Dialect, Escapes } from './dialect.ts';

/** The kind of a token. A `value` is a literal or a placeholder, `hidden` the rest of the text; both read `?`. */
export type TokenKind = 'word' | 'quoted' | 'value' | 'hidden' | 'operator' | 'punctuation';

/** One token. `text` is as written, except that values read `?` and synonymous operators have one spelling. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

/** Any literal or placeholder. */
export const valueToken: Token = Object.freeze({ kind: 'value', text: '?' });
const hiddenToken: Token = Object.freeze({ kind: 'hidden', text: '?' });
const punctuationTokens = new Map(
  [...'(),;.[]'].map((text) => [text.charCodeAt(0), Object.freeze({ kind: 'punctuation', text } as const)]),
);
const word = (text: string): Token => Object.freeze({ kind: 'word', text });
const likeToken = word('like');
const ilikeToken = word('ilike');
const notToken = word('not');

// Spellings that the products themselves treat as one.
const operator = (text: string): Token => Object.freeze({ kind: 'operator', text });
const postgresSynonyms: ReadonlyMap<string, readonly Token[]> = new Map([
  ['!=', [operator('<>')]],
  ['~~', [likeToken]],
  ['~~*', [ilikeToken]],
  ['!~~', [notToken, likeToken]],
  ['!~~*', [notToken, ilikeToken]],
]);
const mysqlSynonyms: ReadonlyMap<string, readonly Token[]> = new Map([
  ['!=', [operator('<>')]],
  ['&&', [word('and')]],
]);
const sqliteSynonyms: ReadonlyMap<string, readonly Token[]> = new Map([
  ['!=', [operator('<>')]],
  ['==', [operator('=')]],
]);

// Character classes of ASCII; every character above it is part of a word.
const spaceClass = 1;
const letterClass = 2;
const digitClass = 3;
const asciiClasses = new Uint8Array(128);
for (const char of '\t\n\v\f\r ') asciiClasses[char.charCodeAt(0)] = spaceClass;
for (let code = 0; code < 128; code += 1) {
  const char = String.fromCharCode(code);
  if (/[A-Za-z_]/.test(char)) asciiClasses[code] = letterClass;
  else if (/\d/.test(char)) asciiClasses[code] = digitClass;
}
function classOf(code: number): number {
  if (code < 128) return asciiClasses[code] as number;
  return code >= 128 ? letterClass : 0;
}
const isWordPart = (code: number): boolean => code === dollarCode || classOf(code) >= letterClass;

const nulCode = 0;
const newLineCode = 10;
const returnCode = 13;
const blankCode = 32;
const doubleQuoteCode = 34;
const hashCode = 35;
const dollarCode = 36;
const ampersandCode = 38;
const quoteCode = 39;
const openCode = 40;
const starCode = 42;
const plusCode = 43;
const minusCode = 45;
const dotCode = 46;
const slashCode = 47;
const colonCode = 58;
const questionCode = 63;
const atCode = 64;
const openBracketCode = 91;
const backslashCode = 92;
const underscoreCode = 95;
const backtickCode = 96;
const deleteCode = 127;

/** Longer texts are read to the end of the token at this position. */
const maxLength = 1_048_576;

const dollarTag = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const postgresOperatorPattern = /[+\-*/<>=~!@#%^&|?]+/y;
const operatorPattern = /<=>|->>|::|:=|@@|[<>=!]=|<>|<<|>>|\|\||&&|->|[\s\S]/y;
// Words before an operand.
const beforeOperand =
  /^(?:select|distinct|all|any|where|and|or|xor|not|in|is|from|then|else|when|limit|offset|by|values|return|returning|between|like|ilike|similar|glob|regexp|rlike|escape|div|mod|case|on|having|set|to|interval|default)$/i;
// With those above, the words before a bracketed name of other dialects, and never before a subscript.
const beforeName = /^(?:join|as|into|update|distinct|top|table)$/i;
const beforeSqliteName =
  /^(?:from|join|into|update|table|index|view|trigger|as|exists|references|rename|to)$/i;
// What stands before INTO in INSERT and REPLACE. VACUUM INTO reads an expression.
const beforeSqliteInto = /^(?:insert|replace|rollback|abort|fail|ignore)$/i;

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** The index after a quoted text; -1 if it does not end, or if its end depends on how backslashes are read. */
function endOfQuoted(text: string, at: number, quote: string, escapes: Escapes): number {
  const code = quote.charCodeAt(0);
  let from = at + 1;
  for (;;) {
    const end = text.indexOf(quote, from);
    if (end === -1) return -1;
    let before = end;
    if (escapes !== 'never')
      while (before > from && text.charCodeAt(before - 1) === backslashCode) before -= 1;
    if ((end - before) % 2 === 1) {
      if (escapes === 'unknown') return -1;
      from = end + 1;
    } else if (text.charCodeAt(end + 1) === code) from = end + 2;
    else return end + 1;
  }
}

/** All tokens of `text`, in time linear in its length. `spans` receives the start and end of every value. */
export function tokenize(text: string, dialect: Dialect, spans?: number[]): Token[] {
  return new Tokenizer(text, dialect, spans).run();
}

class Tokenizer {
  readonly #text: string;
  readonly #dialect: Dialect;
  readonly #spans: number[] | undefined;
  readonly #tokens: Token[] = [];
  readonly #synonyms: ReadonlyMap<string, readonly Token[]>;
  #at = 0;
  /** How the last token reads backslashes, if it is a string; a string directly after it is its continuation. */
  #lastString: Escapes | undefined;
  #brackets = 0;

  constructor(text: string, dialect: Dialect, spans: number[] | undefined) {
    this.#text = text;
    this.#dialect = dialect;
    this.#spans = spans;
    if (dialect.isPostgres) this.#synonyms = postgresSynonyms;
    else this.#synonyms = dialect.isMysql ? mysqlSynonyms : sqliteSynonyms;
  }

  run(): Token[] {
    const { length } = this.#text;
    while (this.#at < length) {
      const code = this.#code(0);
      const kind = classOf(code);
      if (this.#at >= maxLength) this.#at = this.#hide();
      else if (kind === spaceClass) this.#at += 1;
      else this.#at = this.#comment(code) ?? this.#token(code, kind);
    }
    return this.#tokens;
  }

  #token(code: number, kind: number): number {
    const { length } = this.#tokens;
    const string = this.#lastString;
    let end: number;
    if (kind === letterClass) end = this.#word();
    else if (kind === digitClass) end = this.#number();
    else end = this.#other(code);
    if (this.#tokens.length > length && this.#lastString === string) this.#lastString = undefined;
    return end;
  }

  #code(offset: number): number {
    return this.#text.charCodeAt(this.#at + offset);
  }

  #push(token: Token, end: number): number {
    if (token === valueToken) this.#spans?.push(this.#at, end);
    this.#tokens.push(token);
    return end;
  }

  /** Hides the rest: it may hold literals anywhere. */
  #hide(): number {
    return this.#push(hiddenToken, this.#text.length);
  }

  /** The end of a comment that begins here; `undefined` if none does. */
  #comment(code: number): number | undefined {
    const { isMysql } = this.#dialect;
    const next = this.#code(1);
    if (code === slashCode && next === starCode) return this.#blockComment();
    if (code === hashCode && isMysql) return this.#lineComment();
    if (code !== minusCode || next !== minusCode) return undefined;
    const after = this.#code(2);
    // A character above ASCII may be white space in the connection's character set.
    if (isMysql && after > deleteCode) return this.#hide();
    return isMysql && after > blankCode && after < deleteCode ? undefined : this.#lineComment();
  }

  #lineComment(): number {
    const { isPostgres } = this.#dialect;
    let at = this.#at;
    for (; at < this.#text.length; at += 1) {
      const code = this.#text.charCodeAt(at);
      if (code === newLineCode || (code === returnCode && isPostgres)) break;
      if (code === nulCode) return this.#hide();
    }
    return at;
  }

  #blockComment(): number {
    const text = this.#text;
    const { nestedComments, isMysql } = this.#dialect;
    let depth = 1;
    let at = this.#at + 2;
    const isCode = isMysql && /^(?:!|\+|M!)/.test(text.slice(at, at + 2));
    while (depth > 0) {
      const end = text.indexOf('*/', at);
      const inner = text.indexOf('/*', at);
      // An unterminated comment hides the rest.
      if (end === -1) return this.#hide();
      if (inner === -1 || inner > end) {
        depth -= 1;
        at = end + 2;
      } else if (nestedComments) {
        depth += 1;
        at = inner + 2;
      } else return this.#hide();
    }
    // MySQL may execute the comment; where a quote or a comment in it ends then depends on the server's version.
    if (isCode && /['"`#]|--/.test(text.slice(this.#at, at))) return this.#hide();
    return at;
  }

  #word(): number {
    const text = this.#text;
    const { isPostgres, isMysql, escapes } = this.#dialect;
    let end = this.#at + 1;
    while (end < text.length && isWordPart(text.charCodeAt(end))) end += 1;
    const found = text.slice(this.#at, end);
    const after = text.charCodeAt(end);
    if (after === quoteCode) {
      const prefix = found.toLowerCase();
      // Oracle's q'[…]' ends at its own bracket.
      if (prefix === 'q' || prefix === 'nq') return this.#hide();
      if (isPostgres && prefix === 'e') return this.#string(end, 'always');
      // CockroachDB reads backslashes in b'…'.
      if (isPostgres && (prefix === 'b' || prefix === 'x')) return this.#string(end, 'unknown');
      if (prefix === 'n' || prefix === 'x' || prefix === 'b') return this.#string(end, escapes);
    }
    if (isPostgres && after === ampersandCode && text.charCodeAt(end + 1) === quoteCode && /^u$/i.test(found))
      return this.#string(end + 1, escapes);
    if (isMysql && text.charCodeAt(this.#at) === underscoreCode) {
      // _utf8mb4 'text'
      let quote = end;
      while (classOf(text.charCodeAt(quote)) === spaceClass) quote += 1;
      if (text.charCodeAt(quote) === quoteCode) return this.#string(quote, escapes);
    }
    return this.#push({ kind: 'word', text: found }, end);
  }

  #string(quote: number, escapes: Escapes): number {
    const text = this.#text;
    const end = endOfQuoted(text, quote, text[quote] as string, escapes);
    if (end === -1) return this.#hide();
    const isContinued = this.#lastString !== undefined;
    this.#lastString = escapes;
    // 'a' 'b' is one literal in every dialect that allows it.
    if (!isContinued) return this.#push(valueToken, end);
    if (this.#spans !== undefined) this.#spans[this.#spans.length - 1] = end;
    return end;
  }

  #number(): number {
    const text = this.#text;
    const isHex = /[xX]/.test(text[this.#at + 1] ?? '');
    let hasDot = false;
    let end = this.#at;
    for (; end < text.length; end += 1) {
      const code = text.charCodeAt(end);
      if (classOf(code) >= letterClass) continue;
      if (code === dotCode && !hasDot && text.charCodeAt(end + 1) !== dotCode) hasDot = true;
      else if (
        (code !== plusCode && code !== minusCode) ||
        isHex ||
        !/[eE]/.test(text[end - 1] as string) ||
        classOf(text.charCodeAt(end + 1)) !== digitClass
      )
        break;
    }
    this.#foldSign();
    return this.#push(valueToken, end);
  }

  // A sign right before a number belongs to it unless an operand precedes: `= -1`, not `a - 1`.
  #foldSign(): void {
    const tokens = this.#tokens;
    const sign = tokens[tokens.length - 1];
    if (sign?.text !== '-' && sign?.text !== '+') return;
    const before = tokens[tokens.length - 2];
    const isOperand =
      before !== undefined &&
      (before.kind === 'value' ||
        before.kind === 'quoted' ||
        before.text === ')' ||
        before.text === ']' ||
        (before.kind === 'word' && !beforeOperand.test(before.text)));
    if (!isOperand) tokens.pop();
  }

  #other(code: number): number {
    const { doubleQuotes, escapes, backticks, isPostgres, isMysql } = this.#dialect;
    const next = this.#code(1);
    if (code === quoteCode)
      return this.#string(
        this.#at,
        isPostgres && this.#lastString !== undefined ? this.#lastString : escapes,
      );
    if (code === doubleQuoteCode) {
      // Under ANSI_QUOTES it is a name, in which a backslash escapes nothing.
      if (doubleQuotes === 'string') return this.#string(this.#at, escapes === 'never' ? 'never' : 'unknown');
      return this.#name('"', doubleQuotes === 'name');
    }
    if (code === backtickCode) return backticks ? this.#name('`', true) : this.#hide();
    if (code === openBracketCode) return this.#bracket();
    if (code === dotCode && classOf(next) === digitClass) return this.#number();
    if (code === dollarCode) return this.#dollar();
    if (code === backslashCode && isMysql && next === 78) return this.#push(valueToken, this.#at + 2);
    // Neither is SQL outside of strings: the text so far was read by the wrong rules.
    if (code === backslashCode || code === nulCode) return this.#hide();
    if (code === questionCode && !isPostgres) return this.#placeholder();
    if (code === colonCode && next !== colonCode && classOf(next) === letterClass) return this.#placeholder();
    if (code === atCode && !isPostgres && classOf(next) === letterClass) return this.#placeholder();
    if (code === hashCode && this.#dialect.system === 'sqlite' && classOf(next) === letterClass)
      return this.#placeholder();
    const punctuation = punctuationTokens.get(code);
    if (punctuation !== undefined) {
      if (punctuation.text === ']') this.#brackets -= 1;
      return this.#push(punctuation, this.#at + 1);
    }
    return this.#operator();
  }

  #dollar(): number {
    const text = this.#text;
    const tag = match(dollarTag, text, this.#at);
    if (tag === undefined || this.#dialect.system === 'sqlite') return this.#placeholder();
    const end = this.#dialect.isPostgres ? text.indexOf(tag, this.#at + tag.length) : -1;
    return end === -1 ? this.#hide() : this.#push(valueToken, end + tag.length);
  }

  /** `?`, `?1`, `$1`, `:name`, `@name`. */
  #placeholder(): number {
    const text = this.#text;
    const isSqlite = this.#dialect.system === 'sqlite';
    let end = this.#at + 1;
    if (classOf(text.charCodeAt(end)) === digitClass)
      while (classOf(text.charCodeAt(end)) === digitClass) end += 1;
    else if (text.charCodeAt(end - 1) !== questionCode) {
      while (
        classOf(text.charCodeAt(end)) >= letterClass ||
        (isSqlite && text.charCodeAt(end) === dollarCode)
      )
        end += 1;
      const after = text.charCodeAt(end);
      const isLonger = after === openCode || (after === colonCode && text.charCodeAt(end + 1) === colonCode);
      // SQLite reads $name(anything) as one name.
      if (isSqlite && isLonger) return this.#hide();
    }
    return this.#push(valueToken, end);
  }

  #bracket(): number {
    const { brackets } = this.#dialect;
    if (brackets === 'name') return this.#name(']', true);
    if (brackets === 'none' || !this.#isSubscript()) return this.#hide();
    this.#brackets += 1;
    return this.#push(punctuationTokens.get(openBracketCode) as Token, this.#at + 1);
  }

  // `a[1]`, `ARRAY[…]`, `int []`; anything else is a bracketed name of another dialect.
  #isSubscript(): boolean {
    const before = this.#tokens[this.#tokens.length - 1];
    if (before === undefined) return false;
    if (before.kind === 'word' && (beforeOperand.test(before.text) || beforeName.test(before.text)))
      return false;
    if (/^array$/i.test(before.text) || /^\[\s*\]/.test(this.#text.slice(this.#at, this.#at + 9)))
      return true;
    if (before.text === '[' || before.text === ',') return this.#brackets > 0;
    return /[\w$)\]"\u0080-\uffff]/.test(this.#text[this.#at - 1] as string);
  }

  #name(quote: string, isName: boolean): number {
    const end = endOfQuoted(this.#text, this.#at, quote, 'never');
    if (end === -1) return this.#hide();
    if (!isName && !this.#isNameInSqlite(end)) return this.#push(valueToken, end);
    return this.#push({ kind: 'quoted', text: this.#text.slice(this.#at, end) }, end);
  }

  // SQLite with double-quoted strings reads "x" as a string if no column has that name. It is surely a name only where no string can stand.
  #isNameInSqlite(end: number): boolean {
    const before = this.#tokens[this.#tokens.length - 1];
    return (
      before?.text === '.' ||
      (before?.kind === 'word' && beforeSqliteName.test(before.text) && !this.#isBeforeExpression(before)) ||
      /^\s*\./.test(this.#text.slice(end, end + 9))
    );
  }

  // `IS [NOT] DISTINCT FROM` and `VACUUM INTO` are followed by an expression.
  #isBeforeExpression(last: Token): boolean {
    const before = this.#tokens[this.#tokens.length - 2];
    if (/^from$/i.test(last.text)) return before?.kind === 'word' && /^distinct$/i.test(before.text);
    return /^into$/i.test(last.text) && !(before?.kind === 'word' && beforeSqliteInto.test(before.text));
  }

  #operator(): number {
    const text = this.#text;
    let found = match(this.#dialect.isPostgres ? postgresOperatorPattern : operatorPattern, text, this.#at);
    if (found === undefined) found = match(operatorPattern, text, this.#at) as string;
    else if (this.#dialect.isPostgres) found = postgresOperator(found);
    if (found === '?') return this.#push(valueToken, this.#at + 1);
    const end = this.#at + found.length;
    const synonyms = this.#synonyms.get(found);
    if (synonyms !== undefined) for (const token of synonyms) this.#push(token, end);
    else this.#push({ kind: 'operator', text: found }, end);
    return end;
  }
}

/** PostgreSQL's own rules: a comment ends an operator, and only one with a character of `~!@#%^&|?` may end in a sign. */
function postgresOperator(munched: string): string {
  const comment = munched.search(/--|\/\*/);
  let found = comment > 0 ? munched.slice(0, comment) : munched;
  // `=?`: a placeholder, which drivers send as `$1`; `@?` is an operator.
  if (/^(?:[=<>!]+|[-+*/%]|\|\|)\?$/.test(found)) found = found.slice(0, -1);
  while (found.length > 1 && /[-+]$/.test(found) && !/[~!@#%^&|?]/.test(found)) found = found.slice(0, -1);
  return found;
}
