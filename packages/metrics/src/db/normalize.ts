/**
 * A statement without its literals, one text for all its executions: values read `?`, keywords and bare identifiers are lower case, white space
 * is one space. `true`, `false` and `null` are values too, except after IS, NOT and DEFAULT.
 *
 * The length of a list is data. Lists of values after IN, in rows of VALUES and in ARRAY read `(...)` or `[...]`. Of equal rows, and of equal
 * elements that are more than a value, one is kept. A list cut by the end of what was read reads like a whole one.
 */
import { type Token, valueToken } from './tokenizer.ts';

/** Renders the tokens of a text without literals. */
export function normalize(tokens: readonly Token[]): string {
  const writer = new Writer();
  let before = '';
  for (const { kind, text } of tokens) {
    if (kind === 'hidden') writer.cut();
    else if (kind !== 'word') writer.add(text, kind === 'value');
    else if (constantWord.test(text) && !keepsConstant.test(before)) writer.add('?', true);
    else writer.add(text.toLowerCase(), text.length === 7 && /^default$/i.test(text));
    before = text;
  }
  return render(writer.texts);
}

const constantWord = /^(?:true|false|null)$/i;
const keepsConstant = /^(?:is|not|default|set|nulls)$/i;

/** An open parenthesis. */
interface Open {
  /** Index of its parenthesis, and of its current element, in the written texts. */
  readonly start: number;
  element: number;
  /** A list of IN or ARRAY, one of the rows of VALUES, or any other parenthesis. */
  readonly kind: 'list' | 'row' | 'other';
  /** Whether all elements were bare values. */
  isPlain: boolean;
  /** The previous element as text. */
  previous: string | undefined;
}

class Writer {
  readonly texts: string[] = [];
  readonly #open: Open[] = [];
  /** Start and end of the last row of VALUES. */
  #row = { start: -1, end: -1 };

  /** Writes one text; `isValue` if it can be a whole element of a list. */
  add(text: string, isValue: boolean): void {
    const { texts } = this;
    const open = this.#open[this.#open.length - 1];
    if (text === '(' || text === '[') {
      if (open !== undefined) open.isPlain = false;
      this.#open.push({
        start: texts.length,
        element: texts.length + 1,
        kind: this.#kindOf(text),
        isPlain: true,
        previous: undefined,
      });
      texts.push(text);
    } else if (open !== undefined && text === ',') {
      this.#endElement(open);
      open.element = texts.length + 1;
      texts.push(text);
    } else if (open !== undefined && (text === ')' || text === ']')) {
      this.#close(text);
    } else {
      if (open !== undefined && (!isValue || texts.length !== open.element)) open.isPlain = false;
      texts.push(text);
    }
  }

  /** Ends the text where its rest is hidden. */
  cut(): void {
    const list = this.#open.find(({ kind }) => kind !== 'other');
    if (list === undefined) {
      const { length } = this.texts;
      if (this.#row.end === length) return;
      if (this.#row.end === length - 1 && this.texts[length - 1] === ',') this.texts.pop();
      else this.texts.push('?');
      return;
    }
    const start = list.kind === 'row' ? rowStart(this.texts, list.start) : list.start;
    const isLaterRow = list.kind === 'row' && this.texts[start - 1] === ',';
    const text = this.texts[list.start] === '[' ? '[...]' : '(...)';
    this.texts.length = isLaterRow ? start - 1 : list.start;
    if (!isLaterRow) this.texts.push(text);
  }

  #kindOf(text: string): Open['kind'] {
    const { texts } = this;
    const before = texts[texts.length - 1];
    if (text === '[') {
      const outer = this.#open.at(-1);
      const isNested = outer?.kind === 'list' && texts[outer.start] === '[';
      return before === 'array' || isNested ? 'list' : 'other';
    }
    if (before === 'in') return 'list';
    const lead = rowStart(texts, texts.length) - 1;
    return texts[lead] === 'values' || (texts[lead] === ',' && this.#row.end === lead) ? 'row' : 'other';
  }

  // An element equal to the previous one is dropped.
  #endElement(open: Open): void {
    if (open.kind !== 'list') return;
    const { texts } = this;
    const isBare = open.isPlain && texts.length === open.element + 1;
    const element = isBare ? '?' : texts.slice(open.element).join(' ');
    if (element === open.previous) texts.length = open.element - 1;
    else open.previous = element;
  }

  #close(text: string): void {
    const { texts } = this;
    const open = this.#open.pop() as Open;
    this.#endElement(open);
    const isEmpty = texts.length === open.start + 1;
    if (open.kind !== 'other' && open.isPlain && !isEmpty) {
      texts.length = open.start;
      texts.push(text === ']' ? '[...]' : '(...)');
    } else texts.push(text);
    if (open.kind === 'row') this.#endRow(rowStart(texts, open.start));
  }

  #endRow(start: number): void {
    const { texts } = this;
    const row = texts.slice(start).join(' ');
    const before = this.#row;
    if (
      texts[start - 1] === ',' &&
      before.end === start - 1 &&
      texts.slice(before.start, before.end).join(' ') === row
    )
      texts.length = start - 1;
    else this.#row = { start, end: texts.length };
  }
}

/** The start of a row whose parenthesis is at `open`: MySQL also allows `VALUES ROW(1, 2), ROW(3, 4)`. */
function rowStart(texts: readonly string[], open: number): number {
  return texts[open - 1] === 'row' ? open - 1 : open;
}

function render(texts: string[]): string {
  while (texts[texts.length - 1] === ';') texts.pop();
  let result = '';
  let previous = '';
  for (const text of texts) {
    const isGlued =
      previous === '' ||
      previous === '(' ||
      previous === '.' ||
      previous === '[' ||
      text === '.' ||
      text === ',' ||
      text === ')' ||
      text === ']' ||
      text === '[' ||
      text === '[...]' ||
      text === ';' ||
      text === '::' ||
      previous === '::';
    result += isGlued ? text : ` ${text}`;
    previous = text;
  }
  return result;
}

/**
 * Makes values of words that are data though nothing quotes them: values of settings, and names that a program makes anew for each use, such as
 * savepoints, cursors, prepared statements and channels. `pg_stat_statements` groups those too.
 */
export function maskData(tokens: readonly Token[]): readonly Token[] {
  let masked: Token[] | undefined;
  for (let start = 0, end = 0; start < tokens.length; start = end + 1) {
    end = start;
    while (end < tokens.length && tokens[end]?.text !== ';') end += 1;
    const rule = rules.get(tokens[start]?.text.toLowerCase() as string);
    if (rule === undefined) continue;
    const words = tokens
      .slice(start, end)
      .map(({ kind, text }) =>
        kind === 'word' || kind === 'operator' || kind === 'punctuation' ? text.toLowerCase() : '',
      );
    for (let index = 1; index < words.length; index += 1) {
      const { kind } = tokens[start + index] as Token;
      if ((kind !== 'word' && kind !== 'quoted') || !rule(words, index)) continue;
      masked ??= [...tokens];
      masked[start + index] = valueToken;
    }
  }
  return masked ?? tokens;
}

/** Whether the word at `index` of a statement is data. Words are lower case; literals are `''`. */
type Rule = (words: readonly string[], index: number) => boolean;

const transactionWord =
  /^(?:to|savepoint|transaction|tran|work|and|no|chain|release|prepared|isolation|level|read|write|only|repeatable|committed|uncommitted|serializable|deferrable|not|with|mark|consistent|snapshot)$/;
const cursorWord = /^(?:next|prior|first|last|absolute|relative|all|forward|backward|from|in)$/;
const hasSettings = /^(?:role|user|group|database|system|function|procedure|routine|session)$/;
const namedSetting = /^(?:role|authorization|zone|names)$/;
// In SQLite, any other bare word after DEFAULT is a text.
const defaultKeyword =
  /^(?:null|true|false|current_time|current_date|current_timestamp|privileges|charset|character|collate)$/;

/** Beyond this many words every word counts as following the sign, so that time stays linear. */
const maxWords = 1_000;

const second: Rule = (_words, index) => index === 1;
const allBut =
  (kept: RegExp): Rule =>
  (words, index) =>
    !kept.test(words[index] as string);
const after =
  (...signs: readonly string[]): Rule =>
  (words, index) =>
    index > maxWords || signs.some((sign) => words.lastIndexOf(sign, index - 1) > 0);

const isSetting: Rule = (words, index) =>
  after('=', 'to', ':=')(words, index) ||
  namedSetting.test(words[index - 1] as string) ||
  (words[index - 2] === 'character' && words[index - 1] === 'set');

const isCursor: Rule = (words, index) => words[index - 1] === 'of' && words[index - 2] === 'current';

const inDefinition: Rule = (words, index) => {
  const before = words[index - 1] as string;
  if (before === 'by') return words[index - 2] === 'identified';
  if (before === 'default') return words[index + 1] !== '(' && !defaultKeyword.test(words[index] as string);
  return (
    hasSettings.test(words[1] ?? '') && words.lastIndexOf('set', index - 2) > 0 && isSetting(words, index)
  );
};

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['set', isSetting],
  ['create', inDefinition],
  ['alter', inDefinition],
  ['grant', inDefinition],
  ['savepoint', second],
  ['release', allBut(/^savepoint$/)],
  ['save', allBut(transactionWord)],
  ['rollback', allBut(transactionWord)],
  ['commit', allBut(transactionWord)],
  ['prepare', (words, index) => index === 1 && words[1] !== 'transaction'],
  ['execute', (words, index) => index === 1 && words[1] !== 'immediate'],
  ['deallocate', allBut(/^(?:prepare|all)$/)],
  ['drop', (words, index) => index === 2 && words[1] === 'prepare'],
  ['declare', second],
  ['fetch', allBut(cursorWord)],
  ['move', allBut(cursorWord)],
  ['close', allBut(/^all$/)],
  ['update', isCursor],
  ['delete', isCursor],
  ['listen', second],
  ['unlisten', second],
  ['notify', second],
  ['pragma', after('=', '(')],
  ['attach', allBut(/^(?:database|as|key)$/)],
  ['detach', allBut(/^database$/)],
  ['vacuum', after('into')],
]);
