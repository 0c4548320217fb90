/**
 * Which values of a read say what is read, as against those that only walk through it in pages: the values of LIMIT, OFFSET and FETCH FIRST, and,
 * where there is an ORDER BY with one of those, those that a column is compared with by `<` or `>` (keyset pagination).
 */
import type { Dialect } from './dialect.ts';
import { type Token, tokenize } from './tokenizer.ts';

/** Executions of a read differ where the keys of their values do. */
export interface Selection {
  /** Values of the longest list in the text. */
  readonly listLength: number;
  /** The literals that say what is read. Stays inside the process. */
  readonly literals: string;
  /** Placeholders that only page: positions from 0 on, or names. */
  readonly paging: ReadonlySet<number | string>;
}

const PAGE = /^(?:limit|offset|fetch)$/i;
const IN_PAGE =
  /^(?:limit|offset|fetch|first|next|row|rows|only|all|int|int2|int4|int8|integer|bigint|numeric)$/i;
const LIST = /^(?:in|values|array)$/i;

function pagingValues(tokens: readonly Token[]): boolean[] {
  const isOrdered = tokens.some(
    ({ kind, text }, index) =>
      kind === 'word' && /^by$/i.test(text) && /^order$/i.test(tokens[index - 1]?.text ?? ''),
  );
  const isLimited = tokens.some(({ kind, text }) => kind === 'word' && /^(?:limit|fetch)$/i.test(text));
  const paging: boolean[] = [];
  let isPage = false;
  let pageDepth = 0;
  // Depth of parentheses since `<` or `>`; below 0 there is none.
  let ranged = -1;
  for (const [index, { kind, text }] of tokens.entries()) {
    if (kind === 'value') {
      paging.push(isPage || ranged >= 0);
      continue;
    }
    const isTyped = text === '::' || tokens[index - 1]?.text === '::';
    if (kind === 'word') {
      if (PAGE.test(text)) pageDepth = 0;
      isPage = PAGE.test(text) || (isPage && (isTyped || IN_PAGE.test(text)));
      if (!isTyped && tokens[index + 1]?.kind !== 'value') ranged = -1;
    } else if (kind === 'operator') {
      isPage &&= isTyped;
      if (/^[<>]=?$/.test(text)) ranged = isOrdered && isLimited ? 0 : -1;
      else if (!isTyped) ranged = -1;
    } else if (text === '(') {
      pageDepth += 1;
      ranged += ranged < 0 ? 0 : 1;
    } else if (text === ')') {
      pageDepth -= 1;
      isPage &&= pageDepth >= 0;
      ranged -= ranged < 0 ? 0 : 1;
    } else if (text === ',' && ranged === 0) ranged = -1;
  }
  return paging;
}

function longestList(tokens: readonly Token[]): number {
  let longest = 0;
  for (let index = 1; index < tokens.length; index += 1) {
    const { text } = tokens[index] as Token;
    if ((text !== '(' && text !== '[') || !LIST.test(tokens[index - 1]?.text ?? '')) continue;
    let values = 0;
    for (let depth = 0; index < tokens.length; index += 1) {
      const inner = tokens[index] as Token;
      if (inner.text === '(' || inner.text === '[') depth += 1;
      else if (inner.text === ')' || inner.text === ']') depth -= 1;
      else if (inner.kind === 'value') values += 1;
      // The rows of VALUES follow one another.
      const next = tokens[index + 1]?.text;
      if (depth === 0 && !(inner.text !== ',' && next === ',') && !(inner.text === ',' && next === '('))
        break;
    }
    longest = Math.max(longest, values);
  }
  return longest;
}

/** Reads the values of one text. */
export function selectionOf(text: string, dialect: Dialect): Selection {
  const spans: number[] = [];
  const tokens = tokenize(text, dialect, spans);
  const literals: string[] = [];
  const paging = new Set<number | string>();
  let position = 0;
  for (const [index, isPaging] of pagingValues(tokens).entries()) {
    const value = text.slice(spans[index * 2], spans[index * 2 + 1]);
    const [, sign, name] = /^([?$:@#])(\w*)$/.exec(value) ?? [];
    if (sign === undefined) {
      if (!isPaging) literals.push(value);
      continue;
    }
    const isNumbered = name !== '' && /^\d+$/.test(name as string);
    const placeholder = isNumbered ? Number(name) - 1 : name || position;
    if (name === '') position += 1;
    if (isPaging) paging.add(placeholder);
  }
  // What was not read may differ.
  if (tokens[tokens.length - 1]?.kind === 'hidden') literals.push(text);
  return { listLength: longestList(tokens), literals: literals.join('\0'), paging };
}

/** Values of the longest list that an execution is given, in its text or as one value: an array, or one in JSON. */
export function listLengthOf(selection: Selection, values: unknown): number {
  let longest = selection.listLength;
  for (const value of valuesOf(values)) longest = Math.max(longest, lengthOf(value));
  return longest;
}

function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  if (ArrayBuffer.isView(value))
    return Buffer.isBuffer(value) || value instanceof DataView ? 0 : (value as Uint8Array).length;
  // '[1,2]' for json_each, '{1,2}' for ANY; an object of JSON is one value.
  if (typeof value === 'string' && (value.startsWith('[') || (value.startsWith('{') && !value.includes(':'))))
    return value.split(',', MAX_COUNTED).length;
  return 0;
}

const MAX_COUNTED = 100;

/** What the values of an execution select by, as one text. */
export function keyOf({ literals, paging }: Selection, values: unknown): string {
  const parts = [literals];
  for (const [name, value] of entriesOf(values))
    if (!paging.has(name)) parts.push(`${name}=${textOf(value)}`);
  return parts.join('\0');
}

function isNamed(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    !(value instanceof Date)
  );
}

function* entriesOf(values: unknown): Generator<readonly [number | string, unknown]> {
  if (isNamed(values)) {
    for (const name of Object.keys(values)) yield [name.replace(/^[:@$]/, ''), values[name]];
  } else if (Array.isArray(values)) {
    let position = 0;
    for (const value of values) {
      // SQLite takes names in an object before positions.
      if (position === 0 && isNamed(value)) yield* entriesOf(value);
      else {
        yield [position, value];
        position += 1;
      }
    }
  } else if (values !== undefined) yield [0, values];
}

function* valuesOf(values: unknown): Generator {
  for (const [, value] of entriesOf(values)) yield value;
}

function textOf(value: unknown): string {
  try {
    if (typeof value !== 'object' || value === null) return String(value);
    if (ArrayBuffer.isView(value))
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
    return JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === 'bigint' ? String(inner) : inner,
    );
  } catch {
    return '?';
  }
}
