import { type Position, PromqlError } from '../errors.ts';
import { unquote } from './literals.ts';

export type TokenKind = 'identifier' | 'metric' | 'number' | 'duration' | 'string' | 'punctuation' | 'end';

/** `text` is the source for all kinds but strings, where it is the unquoted value. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly position: Position;
}

const identifierPattern = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const labelPattern = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const numberPattern =
  /(?:0[xX]_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|(?:[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)(?:[eE][+-]?[0-9]+(?:_[0-9]+)*)?)(?![a-zA-Z0-9_.])/y;
const durationPattern = /(?:[0-9]+(?:ms|[smhdwy]))+(?![a-zA-Z0-9_])/y;
const wordPattern = /[a-zA-Z0-9_.:]+/y;
const spacePattern = /(?:[ \t\r\n]|#[^\r\n]*)+/y;
const operators = ['==', '!=', '<=', '>=', '</', '>/'];

/** Splits a query into tokens, once and in full. @throws {PromqlError} `bad_data` with the position. */
export function tokenize(query: string): Token[] {
  return new Lexer(query).run();
}

/** A `bad_data` error in Prometheus' form, `line:column: parse error: …`, the column in bytes. */
export function parseError(
  query: string,
  position: Position,
  message: string,
  details: { readonly cause?: unknown; readonly unsupported?: boolean } = {},
): PromqlError {
  const text = `${lineAndColumn(query, position.start)}: parse error: ${message}`;
  return new PromqlError('bad_data', text, { position, ...details });
}

/** `line:column`, both from 1, the column in UTF-8 bytes as Prometheus counts it. */
export function lineAndColumn(query: string, offset: number): string {
  const before = query.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  return `${line}:${Buffer.byteLength(before.slice(lineStart)) + 1}`;
}

class Lexer {
  readonly #query: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #inBraces = false;
  #inBrackets = false;
  #parentheses = 0;

  constructor(query: string) {
    this.#query = query;
  }

  run(): Token[] {
    for (;;) {
      this.#match(spacePattern);
      const char = this.#query[this.#at];
      if (char === undefined) break;
      if (char === '"' || char === "'" || char === '`') this.#string(char);
      else if (this.#inBraces) this.#insideBraces(char);
      else this.#statement(char);
    }
    if (this.#inBraces) throw this.#error(this.#at, 'unexpected end of input inside braces');
    if (this.#parentheses > 0) throw this.#error(this.#at, 'unclosed left parenthesis');
    if (this.#inBrackets) throw this.#error(this.#at, 'unclosed left bracket');
    this.#push('end', '', this.#at);
    return this.#tokens;
  }

  #statement(char: string): void {
    const start = this.#at;
    const two = this.#query.slice(start, start + 2);
    if (/^\.?[0-9]/.test(two)) {
      this.#number();
      return;
    }
    if (/[a-zA-Z_:]/.test(char) && !(this.#inBrackets && char === ':')) {
      const text = this.#match(this.#inBrackets ? labelPattern : identifierPattern);
      this.#push(text.includes(':') ? 'metric' : 'identifier', text, start);
      return;
    }
    if (operators.includes(two)) {
      this.#punctuation(two);
      return;
    }
    if (char === '!') throw this.#error(start, `unexpected character after '!': ${show(two[1])}`);
    if (two === '=~') throw this.#error(start, "unexpected character after '=': '~'");
    if (!'()[]{},+-*/%^=<>@:'.includes(char))
      throw this.#error(start, `unexpected character: ${show(this.#charAt(start))}`);
    this.#nest(char, start);
    this.#punctuation(char);
  }

  #nest(char: string, start: number): void {
    if (char === '(') this.#parentheses++;
    else if (char === ')') {
      if (--this.#parentheses < 0) throw this.#error(start, "unexpected right parenthesis ')'");
    } else if (char === '{') this.#inBraces = true;
    else if (char === '}') throw this.#error(start, "unexpected character: '}'");
    else if (char === '[') {
      if (this.#inBrackets) throw this.#error(start, "unexpected left bracket '['");
      this.#inBrackets = true;
    } else if (char === ']') {
      if (!this.#inBrackets) throw this.#error(start, "unexpected right bracket ']'");
      this.#inBrackets = false;
    }
  }

  #insideBraces(char: string): void {
    const start = this.#at;
    if (/[a-zA-Z_]/.test(char)) {
      this.#push('identifier', this.#match(labelPattern), start);
      return;
    }
    const two = this.#query.slice(start, start + 2);
    if (two === '=~' || two === '!~' || two === '!=') {
      this.#punctuation(two);
      return;
    }
    if (char === '!')
      throw this.#error(start, `unexpected character after '!' inside braces: ${show(two[1])}`);
    if (char === '{') throw this.#error(start, "unexpected left brace '{'");
    if (!',=}'.includes(char))
      throw this.#error(start, `unexpected character inside braces: ${show(this.#charAt(start))}`);
    if (char === '}') this.#inBraces = false;
    this.#punctuation(char);
  }

  #number(): void {
    const start = this.#at;
    const number = this.#match(numberPattern);
    if (number !== '') {
      this.#push('number', number, start);
      return;
    }
    const duration = this.#match(durationPattern);
    if (duration === '')
      throw this.#error(start, `bad number or duration syntax: ${JSON.stringify(this.#match(wordPattern))}`);
    this.#push('duration', duration, start);
  }

  #string(quote: string): void {
    const start = this.#at;
    let end = start + 1;
    for (; this.#query[end] !== quote; end++) {
      const char = this.#query[end];
      if (char === undefined || (char === '\n' && quote !== '`'))
        throw this.#error(start, quote === '`' ? 'unterminated raw string' : 'unterminated quoted string');
      if (char === '\\' && quote !== '`') end++;
    }
    this.#at = end + 1;
    try {
      this.#push('string', unquote(this.#query.slice(start, this.#at)), start);
    } catch (error) {
      throw this.#error(start, (error as Error).message);
    }
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#query)?.[0] ?? '';
    this.#at += text.length;
    return text;
  }

  #punctuation(text: string): void {
    const start = this.#at;
    this.#at += text.length;
    this.#push('punctuation', text, start);
  }

  #push(kind: TokenKind, text: string, start: number): void {
    this.#tokens.push({ kind, text, position: { start, end: this.#at } });
  }

  #charAt(at: number): string {
    return String.fromCodePoint(this.#query.codePointAt(at) ?? 0xfffd);
  }

  #error(start: number, message: string): PromqlError {
    return parseError(this.#query, { start, end: this.#query.length }, message);
  }
}

function show(char: string | undefined): string {
  return char === undefined ? 'end of input' : `'${char}'`;
}
