/**
 * `db.query.summary` of the OpenTelemetry conventions: `{operation} {target}…` in original case, at most 255 characters, cut
 * between words. Made from tokens whose literals are gone already.
 */
import type { Token } from './tokenizer.ts';

const MAX_LENGTH = 255;
const OPERATION =
  /^(?:select|insert|update|delete|merge|replace|truncate|create|drop|alter|call|exec|execute|copy|explain|vacuum|analyze|refresh|lock|set|show|begin|start|commit|rollback|savepoint|release|listen|notify|unlisten|declare|fetch|close|prepare|deallocate|discard|grant|revoke|reindex|cluster|comment|use|pragma|attach|detach|values|table|do|reset|checkpoint|load|end|abort|import)$/i;
const OBJECT_OPERATION = /^(?:create|drop|alter|truncate|refresh|comment|reindex)$/i;
const OBJECT_KIND =
  /^(?:table|view|index|schema|sequence|function|procedure|trigger|database|type|extension|role|user|domain|policy)$/i;
const TARGET_AFTER =
  /^(?:from|join|into|update|call|execute|copy|truncate|analyze|vacuum|lock|using|pragma)$/i;
const SKIPPED =
  /^(?:only|lateral|if|not|exists|concurrently|table|low_priority|ignore|or|replace|rollback|abort|fail|unique|temp|temporary|materialized|unlogged)$/i;
const ENDS_TARGETS =
  /^(?:where|set|on|group|order|having|limit|offset|union|intersect|except|returning|values|using|window|for|fetch|left|right|inner|outer|full|cross|natural|join)$/i;
const FROM_ARGUMENT = /^(?:extract|substring|trim|overlay|position|ltrim|rtrim|btrim)$/i;

function isName(token: Token | undefined): token is Token {
  return token !== undefined && (token.kind === 'word' || token.kind === 'quoted');
}

/** Reads a dotted name; gives it with the index after it. */
function readName(tokens: readonly Token[], at: number): { readonly name: string; readonly end: number } {
  let name = (tokens[at] as Token).text;
  let end = at + 1;
  while (tokens[end]?.text === '.' && isName(tokens[end + 1])) {
    name += `.${tokens[end + 1]?.text}`;
    end += 2;
  }
  return { name, end };
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

/** The summary of one statement's tokens; `''` where there is no word at all. */
export function summarize(tokens: readonly Token[]): string {
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
    if (token.kind === 'word' && SKIPPED.test(text) && (expectsTarget || words.length === 1)) {
      expectsTarget ||= /^table$/i.test(text);
      continue;
    }
    if (expectsTarget && !OPERATION.test(text)) {
      const { name, end } = readName(tokens, index);
      if (!common.has(name)) words.push(name);
      index = end - 1;
      expectsTarget = false;
      inList = true;
      continue;
    }
    if (token.kind === 'quoted' || tokens[index - 1]?.text === '.') continue;
    if (ENDS_TARGETS.test(text)) inList = false;
    if (OPERATION.test(text) && isOperation(tokens, index, words)) words.push(text);
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
  if (OBJECT_KIND.test(text) && OBJECT_OPERATION.test(words[words.length - 1] ?? '')) return true;
  if (!TARGET_AFTER.test(text)) return false;
  if (/^from$/i.test(text))
    return !/^distinct$/i.test(before) && !FROM_ARGUMENT.test(openers[openers.length - 1] ?? '');
  // FOR UPDATE, DO UPDATE, ON UPDATE lock or act on what is named already.
  if (/^update$/i.test(text)) return !/^(?:for|do|on|key|or)$/i.test(before);
  if (/^using$/i.test(text)) return /^(?:delete|merge)$/i.test(words[0] ?? '');
  if (/^(?:join|from|into)$/i.test(text)) return true;
  return index === 0;
}

function cut(words: readonly string[]): string {
  let summary = '';
  for (const word of words) {
    const longer = summary === '' ? word : `${summary} ${word}`;
    if (longer.length > MAX_LENGTH) break;
    summary = longer;
  }
  return summary || (words[0] ?? '').slice(0, MAX_LENGTH);
}
