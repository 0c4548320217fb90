import { RE2JS } from 're2js';

export type MatchOperator = '=' | '!=' | '=~' | '!~';

/**
 * One condition on a label. `matches('')` tells whether a series without the label passes. Regular expressions are
 * RE2's, anchored at both ends, and linear in the length of the value whatever the pattern.
 */
export interface Matcher {
  readonly name: string;
  readonly operator: MatchOperator;
  readonly value: string;
  readonly matches: (value: string) => boolean;
  /**
   * The only values that can pass (`=`) or fail (`!=`), where the matcher amounts to such a set: equality, and
   * regular expressions that are plain alternations (`a|b`, `(a|b)`). A store can look them up in an index.
   */
  readonly set: readonly string[] | undefined;
}

interface Compiled {
  readonly test: (value: string) => boolean;
  readonly set: readonly string[] | undefined;
}

const cacheCapacity = 1_000;
const cache = new Map<string, Compiled>();

/**
 * @throws The regular expression library's own error when the pattern is not RE2. The parser turns it into a
 * `PromqlError` with the position.
 */
export function createMatcher(name: string, operator: MatchOperator, value: string): Matcher {
  switch (operator) {
    case '=':
      return { name, operator, value, matches: (given) => given === value, set: [value] };
    case '!=':
      return { name, operator, value, matches: (given) => given !== value, set: [value] };
    case '=~': {
      const { test, set } = compile(value);
      return { name, operator, value, matches: test, set };
    }
    case '!~': {
      const { test, set } = compile(value);
      return { name, operator, value, matches: (given) => !test(given), set };
    }
  }
}

/** The least recently used of a thousand patterns gives way. */
function compile(pattern: string): Compiled {
  const known = cache.get(pattern);
  if (known !== undefined) cache.delete(pattern);
  const compiled = known ?? build(pattern);
  cache.set(pattern, compiled);
  if (cache.size > cacheCapacity) cache.delete(cache.keys().next().value as string);
  return compiled;
}

function build(pattern: string): Compiled {
  const set = literalAlternation(pattern);
  if (set !== undefined) {
    const members = new Set(set);
    return { test: (value) => members.has(value), set };
  }
  if (pattern === '.*') return { test: () => true, set: undefined };
  if (pattern === '.+') return { test: (value) => value !== '', set: undefined };
  const expression = compileRegularExpression(pattern);
  return { test: remembered((value) => expression.matches(value)), set: undefined };
}

const verdictCapacity = 10_000;

/** Series share their labels' values: each is matched once, until the memory is full and starts anew. */
function remembered(test: (value: string) => boolean): (value: string) => boolean {
  const verdicts = new Map<string, boolean>();
  return (value) => {
    const known = verdicts.get(value);
    if (known !== undefined) return known;
    if (verdicts.size >= verdictCapacity) verdicts.clear();
    const verdict = test(value);
    verdicts.set(value, verdict);
    return verdict;
  };
}

const longest = 10_000;
const largestProgram = 25_000;

/**
 * RE2's syntax and its promise of linear time; `.` matches a line break too. Because time grows with the expression as
 * well, one that is very long or that compiles to a very large program is refused.
 * @throws An `Error` that says why.
 */
export function compileRegularExpression(pattern: string): RE2JS {
  if (pattern.length > longest)
    throw new Error(
      `the regular expression has ${pattern.length} characters, more than the limit of ${longest}`,
    );
  const expression = RE2JS.compile(pattern, RE2JS.DOTALL);
  if (expression.programSize() > largestProgram)
    throw new Error(
      `the regular expression is too complex: its repetitions expand beyond ${largestProgram} steps`,
    );
  return expression;
}

/**
 * The texts that an anchored regular expression matches, where it is nothing but literals joined by `|`, in at most one
 * pair of parentheses: `a|b`, `(a|b)`, `10\.0\.0\.1:80`. That is what dashboards send for a choice of values.
 * `undefined` for every other expression.
 */
function literalAlternation(pattern: string): readonly string[] | undefined {
  const grouped = /^\((?:\?:)?(.*)\)$/s.exec(pattern);
  const body = grouped?.[1] ?? pattern;
  const texts = new Set<string>();
  let text = '';
  for (let i = 0; i < body.length; i++) {
    const char = body[i] as string;
    if (char === '|') {
      texts.add(text);
      text = '';
    } else if (char === '\\') {
      // An escaped punctuation mark stands for itself; an escaped letter or digit is a class.
      const next = body[++i];
      if (next === undefined || !/[!-/:-@[-`{-~]/.test(next)) return undefined;
      text += next;
    } else if ('^$.*+?()[]{}'.includes(char)) return undefined;
    else text += char;
  }
  texts.add(text);
  return [...texts];
}
