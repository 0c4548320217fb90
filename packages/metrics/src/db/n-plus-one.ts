/**
 * N+1 detection: one request runs the same read from the same line at least `threshold` times with different values.
 *
 * Not an N+1: writes and locking reads (queues), further pages of one result, reads of at least ten values at a time (chunks), the same values
 * again (polls, retries, missing memoisation), and the same statement from different lines.
 */
import { createHash } from 'node:crypto';
import type { HttpExchange } from '../http/recorder.ts';
import { callSite } from './call-site.ts';
import type { Dialect } from './dialect.ts';
import type { Statement } from './statements.ts';
import { type Token, tokenize } from './tokenizer.ts';

/** One finding, given to `onNPlusOne` once per request and statement. */
export interface NPlusOneEvent {
  readonly route: string | undefined;
  readonly summary: string;
  readonly fingerprint: string;
  /** The statement without literals. */
  readonly statement: string;
  /** Executions of the statement in this request so far. */
  readonly count: number;
  /** `file:line:column` of the caller's own code, if the stack shows it. */
  readonly callSite: string | undefined;
  /** The repair. */
  readonly suggestion: string;
}

/** A read, and which of its values select. */
export interface Read {
  readonly statement: Statement;
  /** Computed at its first use. */
  readonly selection: Selection;
}

/** How often one statement ran in one request. */
interface Repetition {
  /** The first execution, whose stack was not taken, and its values. */
  readonly read: Read;
  readonly values: unknown;
  sites: Map<string, Set<string>> | undefined;
  count: number;
  reported: boolean;
}

/** Statements followed in one request; further ones are ignored. */
const maxStatements = 200;
/** A read of this many values at a time is a chunk, which is the repair of an N+1. */
const chunkLength = 10;
const maxKeyLength = 200;

/** Follows repetitions within requests. */
export class NPlusOneDetector {
  readonly #threshold: number;
  readonly #report: (event: NPlusOneEvent) => void;

  constructor(threshold: number, report: (event: NPlusOneEvent) => void) {
    this.#threshold = threshold;
    this.#report = report;
  }

  /**
   * Call it synchronously in the caller's stack, which is read from the second execution on. `values` are those of the placeholders, as the
   * driver received them: a list, an object by name, or one value. With `calledAt`, the caller's site, it may be called from anywhere.
   */
  observe(exchange: HttpExchange, read: Read, values: unknown, calledAt?: string): void {
    const { statement } = read;
    if (!statement.isRead) return;
    exchange.repetitions ??= new Map<string, Repetition>();
    const repetitions = exchange.repetitions as Map<string, Repetition>;
    const known = repetitions.get(statement.fingerprint);
    if (known === undefined) {
      if (repetitions.size >= maxStatements) return;
      repetitions.set(statement.fingerprint, {
        read,
        values,
        sites: undefined,
        count: 1,
        reported: false,
      });
      return;
    }
    known.count += 1;
    if (known.reported) return;
    if (listLengthOf(read.selection, values) >= chunkLength) return;
    const site = calledAt ?? callSite() ?? '';
    known.sites ??= new Map();
    let different = known.sites.get(site);
    if (different === undefined) {
      if (known.sites.size >= this.#threshold) return;
      different = new Set();
      known.sites.set(site, different);
    }
    if (different.size === 0) different.add(keyOfRead(known.read, known.values));
    different.add(keyOfRead(read, values));
    if (different.size < this.#threshold) return;
    known.reported = true;
    this.#report({
      route: exchange.template,
      summary: statement.summary,
      fingerprint: statement.fingerprint,
      statement: statement.text,
      count: known.count,
      callSite: site || undefined,
      suggestion: suggest(statement),
    });
  }
}

// Holds values; it lives as long as the request and never leaves the process.
function keyOfRead({ selection }: Read, values: unknown): string {
  const key = keyOf(selection, values);
  return key.length > maxKeyLength ? createHash('sha1').update(key).digest('base64') : key;
}

function suggest(statement: Statement): string {
  const column = /\bwhere\b.*?([\w."]+) = \?/.exec(statement.text)?.[1];
  const condition =
    column === undefined
      ? 'the values of all rows at once'
      : `\`${column} = ANY($1)\` with all values at once`;
  return `Run it once before the loop: ask for ${condition}, or join the table in the query that feeds the loop.`;
}

/**
 * Which values of a read select rows, and which only page through them: the values of LIMIT, OFFSET and FETCH FIRST, and, with an ORDER BY and one
 * of those, the values that a column is compared with by `<` or `>` (keyset pagination).
 */
export interface Selection {
  /** Values of the longest list in the text. */
  readonly listLength: number;
  /** The selecting literals. They stay in the process. */
  readonly literals: string;
  /** Placeholders that only page: positions from 0, or names. */
  readonly paging: ReadonlySet<number | string>;
}

/** Reads which values of a text select. */
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
  // The hidden rest of a text may differ.
  if (tokens[tokens.length - 1]?.kind === 'hidden') literals.push(text);
  return { listLength: longestList(tokens), literals: literals.join('\0'), paging };
}

const pageWord = /^(?:limit|offset|fetch)$/i;
const pageClauseWord =
  /^(?:limit|offset|fetch|first|next|row|rows|only|all|int|int2|int4|int8|integer|bigint|numeric)$/i;
const listWord = /^(?:in|values|array)$/i;

function pagingValues(tokens: readonly Token[]): boolean[] {
  const isOrdered = tokens.some(
    ({ kind, text }, index) =>
      kind === 'word' && /^by$/i.test(text) && /^order$/i.test(tokens[index - 1]?.text ?? ''),
  );
  const isLimited = tokens.some(({ kind, text }) => kind === 'word' && /^(?:limit|fetch)$/i.test(text));
  const paging: boolean[] = [];
  let isPage = false;
  let pageDepth = 0;
  // Depth of parentheses since `<` or `>`; below 0 outside such a comparison.
  let ranged = -1;
  for (const [index, { kind, text }] of tokens.entries()) {
    if (kind === 'value') {
      paging.push(isPage || ranged >= 0);
      continue;
    }
    const isTyped = text === '::' || tokens[index - 1]?.text === '::';
    if (kind === 'word') {
      if (pageWord.test(text)) pageDepth = 0;
      isPage = pageWord.test(text) || (isPage && (isTyped || pageClauseWord.test(text)));
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
    if ((text !== '(' && text !== '[') || !listWord.test(tokens[index - 1]?.text ?? '')) continue;
    let values = 0;
    for (let depth = 0; index < tokens.length; index += 1) {
      const inner = tokens[index] as Token;
      if (inner.text === '(' || inner.text === '[') depth += 1;
      else if (inner.text === ')' || inner.text === ']') depth -= 1;
      else if (inner.kind === 'value') values += 1;
      // Rows of VALUES follow one another.
      const next = tokens[index + 1]?.text;
      if (depth === 0 && !(inner.text !== ',' && next === ',') && !(inner.text === ',' && next === '('))
        break;
    }
    longest = Math.max(longest, values);
  }
  return longest;
}

/** Values in the longest list of an execution, written in its text or passed as one value: an array, or JSON. */
function listLengthOf(selection: Selection, values: unknown): number {
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
    return value.split(',', maxCounted).length;
  return 0;
}

const maxCounted = 100;

/** The selecting values of an execution, as one text: executions with equal keys read the same. */
export function keyOf({ literals, paging }: Selection, values: unknown): string {
  const parts = [literals];
  for (const [name, value] of entriesOf(values))
    if (!paging.has(name)) parts.push(`${name}=${textOf(value)}`);
  return parts.join('\0');
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

function isNamed(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    !(value instanceof Date)
  );
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
