/**
 * What may be known of a statement outside the process: its literal-free text, its fingerprint and its summary.
 *
 * A program's own statements repeat and are looked up. Texts with inlined values never repeat, so the cache is bounded in entries and characters.
 */
import { createHash } from 'node:crypto';
import type { Dialect } from './dialect.ts';
import { maskData, normalize } from './normalize.ts';
import { type Token, tokenize } from './tokenizer.ts';

/** A statement as metrics, logs and spans may show it. Nothing here holds a literal. */
export interface Statement {
  /** The statement without literals, cut at 4,096 characters. */
  readonly text: string;
  /** `db.query.summary`. */
  readonly summary: string;
  /** First 64 bits of SHA-1 over the literal-free text, in hexadecimal. */
  readonly fingerprint: string;
  /** Reads only: a SELECT without locks. */
  readonly isRead: boolean;
  /** The rest of the text is hidden: it could be read in two ways, or is no SQL of this dialect. */
  readonly isCut: boolean;
  /** Waits on purpose, as BLPOP does, so it is never slow. */
  readonly waits: boolean;
}

const maxShownLength = 4_096;

/** Analyses one statement, of which at most 1,048,576 characters are read. */
export function analyze(text: string, dialect: Dialect): Statement {
  const found = tokenize(text, dialect);
  const isCut = found.at(-1)?.kind === 'hidden';
  const tokens = maskData(found);
  const normalized = normalize(tokens);
  return Object.freeze({
    text: normalized.length > maxShownLength ? normalized.slice(0, maxShownLength) : normalized,
    summary: summarize(tokens) || 'unknown',
    fingerprint: fingerprintOf(normalized),
    isRead:
      /^(?:select|with)\b/.test(normalized) &&
      !/\bfor (?:update|share|no key update|key share)\b/.test(normalized) &&
      !/\b(?:insert into|update \S+ set|delete from)\b/.test(normalized),
    isCut,
    waits: false,
  });
}

/** The statement of a command that is not SQL; `shape` must hold no value. */
export function namedStatement(summary: string, shape: string = summary, waits = false): Statement {
  return Object.freeze({
    text: shape.slice(0, maxShownLength),
    summary,
    fingerprint: fingerprintOf(shape),
    isRead: false,
    isCut: false,
    waits,
  });
}

function fingerprintOf(shape: string): string {
  return createHash('sha1').update(shape).digest('hex').slice(0, 16);
}

const maxSummaryLength = 255;
const operation =
  /^(?:select|insert|update|delete|merge|replace|truncate|create|drop|alter|call|exec|execute|copy|explain|vacuum|analyze|refresh|lock|set|show|begin|start|commit|rollback|savepoint|release|listen|notify|unlisten|declare|fetch|close|prepare|deallocate|discard|grant|revoke|reindex|cluster|comment|use|pragma|attach|detach|values|table|do|reset|checkpoint|load|end|abort|import)$/i;
const objectOperation = /^(?:create|drop|alter|truncate|refresh|comment|reindex)$/i;
const objectKind =
  /^(?:table|view|index|schema|sequence|function|procedure|trigger|database|type|extension|role|user|domain|policy)$/i;
const beforeTarget =
  /^(?:from|join|into|update|call|execute|copy|truncate|analyze|vacuum|lock|using|pragma)$/i;
const skippedWord =
  /^(?:only|lateral|if|not|exists|concurrently|table|low_priority|ignore|or|replace|rollback|abort|fail|unique|temp|temporary|materialized|unlogged)$/i;
const endsTargets =
  /^(?:where|set|on|group|order|having|limit|offset|union|intersect|except|returning|values|using|window|for|fetch|left|right|inner|outer|full|cross|natural|join)$/i;
const fromArgument = /^(?:extract|substring|trim|overlay|position|ltrim|rtrim|btrim)$/i;

/**
 * `db.query.summary` of the OpenTelemetry conventions: `{operation} {target}…` in original case, at most 255 characters, cut between words. `''` if
 * the tokens hold no word.
 */
function summarize(tokens: readonly Token[]): string {
  const common = commonTables(tokens);
  const words: string[] = [];
  const openers: string[] = [];
  let expectsTarget = false;
  let inList = false;
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] as Token;
    const { text } = token;
    if (text === '(') openers.push(tokens[index - 1]?.text ?? '');
    if (text === ')') openers.pop();
    if (text === ',' && inList) expectsTarget = true;
    if (!isName(token)) {
      if (text !== ',' && text !== '(') expectsTarget = false;
      if (text === '(' || text === ')') inList = false;
      continue;
    }
    if (token.kind === 'word' && skippedWord.test(text) && (expectsTarget || words.length === 1)) {
      expectsTarget ||= /^table$/i.test(text);
      continue;
    }
    if (expectsTarget && !operation.test(text)) {
      const { name, end } = readName(tokens, index);
      if (!common.has(name)) words.push(name);
      index = end - 1;
      expectsTarget = false;
      inList = true;
      continue;
    }
    if (token.kind === 'quoted' || tokens[index - 1]?.text === '.') continue;
    if (endsTargets.test(text)) inList = false;
    if (operation.test(text) && isOperation(tokens, index, words)) words.push(text);
    else if (index === 0 && !/^with$/i.test(text)) words.push(text);
    expectsTarget = expectsTargetAfter(tokens, index, words, openers);
  }
  return cut(words);
}

function isOperation(tokens: readonly Token[], index: number, words: readonly string[]): boolean {
  if (words.length === 0)
    return (
      index === 0 ||
      /^(?:select|insert|update|delete|merge|values)$/i.test(tokens[index]?.text ?? '') ||
      tokens[index - 1]?.text === '('
    );
  if (/^select$/i.test(tokens[index]?.text ?? '')) return true;
  const before = tokens[index - 1]?.text ?? '';
  const starts =
    before === '(' || before === ';' || before === ')' || /^(?:as|explain|analyze)$/i.test(before);
  return starts && /^(?:insert|update|delete|merge)$/i.test(tokens[index]?.text ?? '');
}

function expectsTargetAfter(
  tokens: readonly Token[],
  index: number,
  words: readonly string[],
  openers: readonly string[],
): boolean {
  const text = tokens[index]?.text ?? '';
  const before = tokens[index - 1]?.text ?? '';
  if (objectKind.test(text) && objectOperation.test(words[words.length - 1] ?? '')) return true;
  if (!beforeTarget.test(text)) return false;
  if (/^from$/i.test(text))
    return !/^distinct$/i.test(before) && !fromArgument.test(openers[openers.length - 1] ?? '');
  // FOR UPDATE, DO UPDATE and ON UPDATE act on a target that is named already.
  if (/^update$/i.test(text)) return !/^(?:for|do|on|key|or)$/i.test(before);
  if (/^using$/i.test(text)) return /^(?:delete|merge)$/i.test(words[0] ?? '');
  if (/^(?:join|from|into)$/i.test(text)) return true;
  return index === 0;
}

function commonTables(tokens: readonly Token[]): Set<string> {
  const names = new Set<string>();
  if (!/^with$/i.test(tokens[0]?.text ?? '')) return names;
  for (let index = 1; index < tokens.length; index += 1) {
    if (!/^as$/i.test(tokens[index]?.text ?? '')) continue;
    const after = tokens[index + 1]?.text ?? '';
    const opens =
      after === '(' ||
      (/^(?:not|materialized)$/i.test(after) &&
        tokens.slice(index, index + 4).some(({ text }) => text === '('));
    let before = index - 1;
    // `name (a, b) AS (`
    if (tokens[before]?.text === ')') while (before > 0 && tokens[before]?.text !== '(') before -= 1;
    if (tokens[before]?.text === '(') before -= 1;
    const name = tokens[before];
    if (opens && isName(name)) names.add(name.text);
  }
  return names;
}

function isName(token: Token | undefined): token is Token {
  return token !== undefined && (token.kind === 'word' || token.kind === 'quoted');
}

/** Reads a dotted name; returns it with the index after it. */
function readName(tokens: readonly Token[], at: number): { readonly name: string; readonly end: number } {
  let name = (tokens[at] as Token).text;
  let end = at + 1;
  while (tokens[end]?.text === '.' && isName(tokens[end + 1])) {
    name += `.${tokens[end + 1]?.text}`;
    end += 2;
  }
  return { name, end };
}

function cut(words: readonly string[]): string {
  let summary = '';
  for (const word of words) {
    const longer = summary === '' ? word : `${summary} ${word}`;
    if (longer.length > maxSummaryLength) break;
    summary = longer;
  }
  return summary || (words[0] ?? '').slice(0, maxSummaryLength);
}

/** Longer texts are cached separately, so that a flood of them evicts no shorter one. */
const maxShortLength = 4_096;
const maxEntries = 1_000;
/** All long texts together. */
const maxLongCharacters = 4_194_304;

/** A bounded cache by statement text; the oldest entry is evicted first. */
export class StatementCache<T> {
  readonly #make: (text: string) => T;
  readonly #short = new Map<string, T>();
  readonly #long = new Map<string, T>();
  #longCharacters = 0;

  constructor(make: (text: string) => T) {
    this.#make = make;
  }

  /** Cached texts. */
  get size(): number {
    return this.#short.size + this.#long.size;
  }

  /** Characters of the cached texts above 4,096 characters. */
  get longCharacters(): number {
    return this.#longCharacters;
  }

  get(text: string): T {
    const isShort = text.length <= maxShortLength;
    const known = (isShort ? this.#short : this.#long).get(text);
    if (known !== undefined) return known;
    const made = this.#make(text);
    if (isShort) {
      if (this.#short.size >= maxEntries) this.#short.delete(this.#short.keys().next().value as string);
      this.#short.set(text, made);
    } else if (text.length <= maxLongCharacters) this.#keepLong(text, made);
    return made;
  }

  #keepLong(text: string, made: T): void {
    this.#longCharacters += text.length;
    for (const oldest of this.#long.keys()) {
      if (this.#longCharacters <= maxLongCharacters) break;
      this.#long.delete(oldest);
      this.#longCharacters -= oldest.length;
    }
    this.#long.set(text, made);
  }
}
