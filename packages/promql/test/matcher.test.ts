import { describe, expect, it } from 'vitest';
import { createMatcher } from '../src/syntax/matcher.ts';

describe('a regular expression matcher', () => {
  it('is anchored at both ends', () => {
    const { matches } = createMatcher('job', '=~', 'a.c');
    expect(['abc', 'xabc', 'abcx', 'a\nc'].filter(matches)).toEqual(['abc', 'a\nc']);
  });

  it.each([
    ['a|b', ['a', 'b']],
    ['(a|b)', ['a', 'b']],
    ['(?:a|)', ['a', '']],
    [String.raw`127\.0\.0\.1:80|x\-y`, ['127.0.0.1:80', 'x-y']],
    ['', ['']],
  ])('that is a choice of texts hands it to the store: %j', (pattern, set) => {
    const matcher = createMatcher('job', '=~', pattern);
    expect(matcher.set).toEqual(set);
    for (const text of set) expect(matcher.matches(text)).toBe(true);
    expect(matcher.matches('other')).toBe(false);
    expect(createMatcher('job', '!~', pattern).matches('other')).toBe(true);
  });

  it.each(['a.b', 'a|b+', '(a)(b)', '((a|b)|c)', String.raw`\d`, 'a|(b|c)', '(?i)a', '(a|b', 'a|b)'])(
    'that is more than a choice has no set: %j',
    (pattern) => {
      try {
        expect(createMatcher('job', '=~', pattern).set).toBeUndefined();
      } catch (error) {
        expect(String(error)).toMatch(/regexp/i);
      }
    },
  );

  it('takes time in proportion to the value, whatever the pattern', () => {
    const { matches } = createMatcher('job', '=~', '(a+)+b');
    expect(matches('a'.repeat(20_000))).toBe(false);
  });

  it('is refused where it is too long or expands too far', () => {
    expect(() => createMatcher('job', '=~', `${'x'.repeat(10_001)}.*`)).toThrow(
      /more than the limit of 10000/,
    );
    expect(() => createMatcher('job', '=~', '((a{100}){10}|b{1000})'.repeat(50))).toThrow(/too complex/);
    expect(() =>
      createMatcher('job', '=~', Array.from({ length: 5_000 }, (_, i) => `host${i}`).join('|')),
    ).not.toThrow();
  });

  it('answers the same when asked again and after many other values', () => {
    const { matches } = createMatcher('job', '=~', 'v[0-9]*5');
    const values = Array.from({ length: 25_000 }, (_, index) => `v${index}`);
    const first = values.filter(matches).length;
    expect(first).toBe(2_500);
    expect(values.filter(matches).length).toBe(first);
  });
});
