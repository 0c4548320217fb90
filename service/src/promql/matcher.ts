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
   * regular expressions that are plain alternations (`a|b|c`). A store can look them up in an index.
   */
  readonly set: readonly string[] | undefined;
}

const cacheCapacity = 1_000;
const compiled = new Map<string, { test: (value: string) => boolean; set: readonly string[] | undefined }>();

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

function compile(pattern: string): { test: (value: string) => boolean; set: readonly string[] | undefined } {
  const cached = compiled.get(pattern);
  if (cached !== undefined) {
    compiled.delete(pattern);
    compiled.set(pattern, cached);
    return cached;
  }
  const fresh = build(pattern);
  compiled.set(pattern, fresh);
  if (compiled.size > cacheCapacity) compiled.delete(compiled.keys().next().value as string);
  return fresh;
}

function build(pattern: string): { test: (value: string) => boolean; set: readonly string[] | undefined } {
  if (/^[^\\^$.*+?()[\]{}]*$/.test(pattern)) {
    const set = [...new Set(pattern.split('|'))];
    const members = new Set(set);
    return { test: (value) => members.has(value), set };
  }
  if (pattern === '.*')
    return { test: (value) => !value.includes('\n') || dotAll.test(value), set: undefined };
  if (pattern === '.+') return { test: (value) => value !== '', set: undefined };
  const re = RE2JS.compile(pattern, RE2JS.DOTALL);
  return { test: (value) => re.matches(value), set: undefined };
}

const dotAll = /^.*$/s;
