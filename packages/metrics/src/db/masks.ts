/**
 * Words that are data though nothing quotes them: values of settings, and names that a program makes anew for each use, such as savepoints,
 * cursors, prepared statements and channels. `pg_stat_statements` files those under one statement too. Each reads `?`.
 */
import { type Token, VALUE } from './tokenizer.ts';

/** Whether the word at `index` is data, in a statement of these lower-case words; what is no word reads as it is. */
type Rule = (words: readonly string[], index: number) => boolean;

const TRANSACTION =
  /^(?:to|savepoint|transaction|tran|work|and|no|chain|release|prepared|isolation|level|read|write|only|repeatable|committed|uncommitted|serializable|deferrable|not|with|mark|consistent|snapshot)$/;
const CURSOR = /^(?:next|prior|first|last|absolute|relative|all|forward|backward|from|in)$/;
const HAS_SETTINGS = /^(?:role|user|group|database|system|function|procedure|routine|session)$/;
const NAMED_SETTING = /^(?:role|authorization|zone|names)$/;
// What SQLite takes no bare word for: it is the text of a default otherwise.
const DEFAULT =
  /^(?:null|true|false|current_time|current_date|current_timestamp|privileges|charset|character|collate)$/;

/** Past as many words it is not asked any more what came before. */
const MAX_WORDS = 1_000;

const second: Rule = (_words, index) => index === 1;
const allBut =
  (kept: RegExp): Rule =>
  (words, index) =>
    !kept.test(words[index] as string);
const after =
  (...signs: readonly string[]): Rule =>
  (words, index) =>
    index > MAX_WORDS || signs.some((sign) => words.lastIndexOf(sign, index - 1) > 0);

const isSetting: Rule = (words, index) =>
  after('=', 'to', ':=')(words, index) ||
  NAMED_SETTING.test(words[index - 1] as string) ||
  (words[index - 2] === 'character' && words[index - 1] === 'set');

const isCursor: Rule = (words, index) => words[index - 1] === 'of' && words[index - 2] === 'current';

const inDefinition: Rule = (words, index) => {
  const before = words[index - 1] as string;
  if (before === 'by') return words[index - 2] === 'identified';
  if (before === 'default') return words[index + 1] !== '(' && !DEFAULT.test(words[index] as string);
  return (
    HAS_SETTINGS.test(words[1] ?? '') && words.lastIndexOf('set', index - 2) > 0 && isSetting(words, index)
  );
};

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['set', isSetting],
  ['create', inDefinition],
  ['alter', inDefinition],
  ['grant', inDefinition],
  ['savepoint', second],
  ['release', allBut(/^savepoint$/)],
  ['save', allBut(TRANSACTION)],
  ['rollback', allBut(TRANSACTION)],
  ['commit', allBut(TRANSACTION)],
  ['prepare', (words, index) => index === 1 && words[1] !== 'transaction'],
  ['execute', (words, index) => index === 1 && words[1] !== 'immediate'],
  ['deallocate', allBut(/^(?:prepare|all)$/)],
  ['drop', (words, index) => index === 2 && words[1] === 'prepare'],
  ['declare', second],
  ['fetch', allBut(CURSOR)],
  ['move', allBut(CURSOR)],
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

/** The same tokens, where words that are data are values. */
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
      masked[start + index] = VALUE;
    }
  }
  return masked ?? tokens;
}
