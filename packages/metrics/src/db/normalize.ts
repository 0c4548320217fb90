/**
 * The statement without its literals, one text for all its executions: values read `?`, keywords and bare identifiers are lower case, white
 * space is one space. `true`, `false` and `null` are values too, save after IS, NOT and DEFAULT.
 *
 * A list's length is data. Lists of values after IN, in rows of VALUES and in ARRAY read `(...)` or `[...]`; of equal rows, or equal elements
 * that are more than a value, one is left. A list that the end of what was read cuts off reads like a whole one.
 */
import type { Token } from './tokenizer.ts';

const CONSTANT = /^(?:true|false|null)$/i;
const KEEPS_CONSTANT = /^(?:is|not|default|set|nulls)$/i;

/** A list or row that is open. */
interface Open {
  /** Where its parenthesis, and its element of now, begin in what is written. */
  readonly start: number;
  element: number;
  /** A list of IN or ARRAY, one of the rows of VALUES, or any other parenthesis. */
  readonly kind: 'list' | 'row' | 'other';
  /** Whether all elements were bare values. */
  isPlain: boolean;
  /** The element before, written out. */
  previous: string | undefined;
}

class Writer {
  readonly texts: string[] = [];
  readonly #open: Open[] = [];
  /** Where the last row of VALUES began and ended. */
  #row = { start: -1, end: -1 };

  /** Writes one text; `isValue` where an element of a list may consist of it. */
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

  /** Ends where the rest is not known. */
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

  // An element that says the same as the one before says nothing.
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

/** Where a row begins whose parenthesis is at `open`: MySQL writes `VALUES ROW(1, 2), ROW(3, 4)` too. */
function rowStart(texts: readonly string[], open: number): number {
  return texts[open - 1] === 'row' ? open - 1 : open;
}

/** Renders the tokens of a text without literals. */
export function normalize(tokens: readonly Token[]): string {
  const writer = new Writer();
  let before = '';
  for (const { kind, text } of tokens) {
    if (kind === 'hidden') writer.cut();
    else if (kind !== 'word') writer.add(text, kind === 'value');
    else if (CONSTANT.test(text) && !KEEPS_CONSTANT.test(before)) writer.add('?', true);
    else writer.add(text.toLowerCase(), text.length === 7 && /^default$/i.test(text));
    before = text;
  }
  return render(writer.texts);
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
