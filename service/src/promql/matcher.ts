import { literalAlternation } from './literal-alternation.ts';
import { compileRegularExpression } from './regular-expression.ts';

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
