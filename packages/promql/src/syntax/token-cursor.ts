import type { Position, PromqlError } from '../errors.ts';
import type { Expression } from './ast.ts';
import { parseError, type Token, tokenize } from './lexer.ts';

// Beyond this the recursive passes over the tree could run out of stack.
const maxDepth = 400;

/** A query's tokens with the errors that speak of them, and the guard against trees too deep to walk. */
export class TokenCursor {
  readonly query: string;
  readonly #tokens: readonly Token[];
  readonly #depths = new WeakMap<Expression, number>();
  #index = 0;
  #nesting = 0;

  constructor(query: string) {
    this.query = query;
    this.#tokens = tokenize(query);
  }

  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#index + ahead, this.#tokens.length - 1)] as Token;
  }

  next(): Token {
    const token = this.peek();
    this.#index++;
    return token;
  }

  /** Where the last taken token ends. */
  get end(): number {
    return this.#tokens[Math.max(0, this.#index - 1)]?.position.end ?? 0;
  }

  isPunctuation(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === 'punctuation' && token.text === text;
  }

  /** The next token in lower case when it is a word; `''` otherwise. */
  word(ahead = 0): string {
    const token = this.peek(ahead);
    return token.kind === 'identifier' ? token.text.toLowerCase() : '';
  }

  accept(text: string): boolean {
    if (!this.isPunctuation(text)) return false;
    this.#index++;
    return true;
  }

  acceptWord(text: string): boolean {
    if (this.word() !== text) return false;
    this.#index++;
    return true;
  }

  expect(text: string, context: string, expected = `"${text}"`): Token {
    if (!this.isPunctuation(text)) throw this.unexpected(context, expected);
    return this.next();
  }

  unexpected(context = '', expected = ''): PromqlError {
    const token = this.peek();
    const inside = context === '' ? '' : ` in ${context}`;
    const wanted = expected === '' ? '' : `, expected ${expected}`;
    return this.error(token.position, `unexpected ${describe(token)}${inside}${wanted}`);
  }

  error(position: Position, message: string, cause?: unknown): PromqlError {
    return parseError(this.query, position, message, { cause });
  }

  /** Refuses what Prometheus knows and this engine leaves out. */
  unsupported(position: Position, what: string, why = 'is experimental and not supported'): PromqlError {
    return parseError(this.query, position, `${what} ${why}`, { unsupported: true });
  }

  /** Runs a step of the recursive descent, within the depth limit. */
  nested<T>(step: () => T): T {
    if (++this.#nesting > maxDepth) throw this.#tooDeep(this.peek().position);
    const result = step();
    this.#nesting--;
    return result;
  }

  /** Passes the node on after measuring its height. */
  built<T extends Expression>(node: T, ...children: readonly Expression[]): T {
    let depth = 1;
    for (const child of children) depth = Math.max(depth, 1 + (this.#depths.get(child) ?? 0));
    if (depth > maxDepth) throw this.#tooDeep(node.position);
    this.#depths.set(node, depth);
    return node;
  }

  #tooDeep(position: Position): PromqlError {
    return this.error(position, `the expression is nested more than ${maxDepth} levels deep`);
  }
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'end of input';
    case 'punctuation':
      return `"${token.text}"`;
    case 'metric':
      return `metric identifier "${token.text}"`;
    case 'identifier':
    case 'number':
    case 'duration':
    case 'string':
      return `${token.kind} ${JSON.stringify(token.text)}`;
  }
}
