/**
 * The statement without its literals, one text for all its executions: values read `?`, lists of values `(...)`, keywords and bare identifiers
 * are lower case, white space is one space. `true`, `false` and `null` are values too, save after IS, NOT and DEFAULT.
 */
import type { Token } from './tokenizer.ts';

const CONSTANTS = /^(?:true|false|null)$/i;
const KEEPS_CONSTANT = /^(?:is|not|default|set|nulls)$/i;

function maskConstants(tokens: readonly Token[]): Token[] {
  const isSetting = /^(?:set|alter)$/i.test(tokens[0]?.text ?? '');
  let inSetting = false;
  return tokens.map((token, index) => {
    const before = tokens[index - 1]?.text ?? '';
    // `SET role = name`, `SET search_path TO a, b`: what comes after is data, quoted or not.
    if (isSetting && token.kind === 'word' && inSetting && tokens[0]?.text.toLowerCase() === 'set')
      return { kind: 'value', text: '?' };
    if (isSetting && (token.text === '=' || /^to$/i.test(token.text))) inSetting = true;
    const isConstant = token.kind === 'word' && CONSTANTS.test(token.text) && !KEEPS_CONSTANT.test(before);
    return isConstant ? { kind: 'value', text: '?' } : token;
  });
}

// `( ? , ? , ? )` after IN, VALUES, ANY, or another such list becomes `(...)`; so do repeated rows of VALUES.
function foldLists(tokens: readonly Token[]): string[] {
  const texts: string[] = [];
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] as Token;
    const end = token.text === '(' && canHoldList(texts) ? endOfList(tokens, index) : -1;
    if (end === -1) {
      texts.push(token.kind === 'word' ? token.text.toLowerCase() : token.text);
      continue;
    }
    index = end;
    const repeats = texts[texts.length - 1] === ',' && texts[texts.length - 2] === '(...)';
    if (repeats) texts.pop();
    else texts.push('(...)');
  }
  return texts;
}

function canHoldList(texts: readonly string[]): boolean {
  const before = texts[texts.length - 1];
  return before === 'in' || before === 'values' || (before === ',' && texts[texts.length - 2] === '(...)');
}

function endOfList(tokens: readonly Token[], open: number): number {
  let index = open + 1;
  for (; index < tokens.length; index += 2) {
    const value = tokens[index] as Token;
    if (value.kind !== 'value' && !/^default$/i.test(value.text)) return -1;
    const separator = tokens[index + 1]?.text;
    if (separator === ')') return index + 1;
    if (separator !== ',') return -1;
  }
  return -1;
}

/** Renders the tokens of one statement without literals. */
export function normalize(tokens: readonly Token[]): string {
  const texts = foldLists(maskConstants(tokens));
  while (texts[texts.length - 1] === ';') texts.pop();
  let result = '';
  let previous = '';
  for (const text of texts) {
    const glued =
      previous === '' ||
      previous === '(' ||
      previous === '.' ||
      previous === '[' ||
      text === '.' ||
      text === ',' ||
      text === ')' ||
      text === ']' ||
      text === '[' ||
      text === ';' ||
      text === '::' ||
      previous === '::';
    result += glued ? text : ` ${text}`;
    previous = text;
  }
  return result;
}
