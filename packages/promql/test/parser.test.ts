import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PromqlError } from '../src/errors.ts';
import { format } from '../src/syntax/format.ts';
import { parse, parseMetricSelector } from '../src/syntax/parser.ts';
import { queryNames } from '../src/syntax/query-names.ts';

function canonical(query: string): string {
  return format(parse(query), { width: Number.POSITIVE_INFINITY });
}

function failure(query: string): PromqlError {
  try {
    parse(query);
  } catch (error) {
    if (error instanceof PromqlError) return error;
    throw error;
  }
  throw new Error(`Expected \`${query}\` to be refused.`);
}

describe('precedence', () => {
  it.each([
    ['a + b * c', 'binary', '+'],
    ['a * b + c', 'binary', '+'],
    ['a or b and c', 'binary', 'or'],
    ['a ^ b ^ c', 'binary', '^'],
    ['a == b + c', 'binary', '=='],
    ['a atan2 b - c', 'binary', '-'],
  ])('%s is split at its loosest operator', (query, kind, operator) => {
    expect(parse(query)).toMatchObject({ kind, operator });
  });

  it('makes the power right-associative and all else left-associative', () => {
    expect(parse('2 ^ 3 ^ 2')).toMatchObject({ left: { value: 2 }, right: { operator: '^' } });
    expect(parse('2 - 3 - 2')).toMatchObject({ left: { operator: '-' }, right: { value: 2 } });
  });

  it('binds a sign below the power and above multiplication', () => {
    expect(parse('-a ^ 2')).toMatchObject({ kind: 'unary', expression: { operator: '^' } });
    expect(parse('-a * 2')).toMatchObject({ operator: '*', left: { kind: 'unary' } });
    expect(parse('2 ^ -a * 3')).toMatchObject({ operator: '*', left: { operator: '^' } });
  });

  it('binds offset and @ to the selector right before them', () => {
    expect(parse('a offset 5m + b offset 1m')).toMatchObject({
      operator: '+',
      left: { name: 'a', offsetMs: 300_000 },
      right: { name: 'b', offsetMs: 60_000 },
    });
    expect(parse('rate(a[5m:] @ 10 offset -1m)')).toMatchObject({
      args: [{ kind: 'subquery', at: 10_000, offsetMs: -60_000 }],
    });
    expect(parse('-a offset 1m')).toMatchObject({ kind: 'unary', expression: { offsetMs: 60_000 } });
  });
});

describe('literals', () => {
  it.each([
    ['0x1F', 31],
    ['017', 15],
    ['08', 8],
    ['1_000.5', 1000.5],
    ['.5e-1', 0.05],
    ['5m', 300],
    ['1h30m', 5400],
    ['1y2w3d', 33_004_800],
    ['-Inf', Number.NEGATIVE_INFINITY],
    ['nAn', Number.NaN],
  ])('%s is %d', (query, value) => {
    expect(parse(query)).toMatchObject({ kind: 'number', value });
  });

  it('reads the escapes of strings and none in back quotes', () => {
    expect(parse(String.raw`"\x41\u00e9\n\"\101"`)).toMatchObject({ value: 'Aé\n"A' });
    expect(parse('`\\n"`')).toMatchObject({ value: '\\n"' });
  });

  it('takes quoted metric and label names', () => {
    expect(parse('{"http.requests", "service.name"="shop"}')).toMatchObject({
      matchers: [
        { name: '__name__', operator: '=', value: 'http.requests' },
        { name: 'service.name', operator: '=', value: 'shop' },
      ],
    });
  });

  it('takes keywords as names of metrics and labels', () => {
    expect(queryNames(parse('sum by (on, by, offset) (avg{bool="x"}) + start'))).toMatchObject({
      metrics: ['avg', 'start'],
      labels: ['bool', 'by', 'offset', 'on'],
    });
  });
});

describe('a query that is wrong', () => {
  it.each([
    ['', '1:1: parse error: no expression found in input'],
    ['sum(', '1:5: parse error: unclosed left parenthesis'],
    ['foo{', '1:5: parse error: unexpected end of input inside braces'],
    [
      'rate(foo)',
      '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
    ],
    ['foo +\n  bar(1)', '2:3: parse error: unknown function with name "bar"'],
    ['"é" + foo', '1:1: parse error: binary expression must contain only scalar and instant vector types'],
    ['{job=~".*"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
    ['foo[5m] offset 1m offset 2m', '1:1: parse error: offset may not be set multiple times'],
    ['foo @ 1 @ 2', '1:1: parse error: @ <timestamp> may not be set multiple times'],
    ['foo[0s]', '1:5: parse error: duration must be greater than 0'],
    ['1 > 2', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
    ['foo + bool bar', '1:5: parse error: bool modifier can only be used on comparison operators'],
    ['foo and 1', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
    ['foo and on (a) group_left bar', '1:1: parse error: no grouping allowed for "and" operation'],
    [
      'topk(foo)',
      '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
    ],
    ['time(1)', '1:1: parse error: expected 0 argument(s) in call to "time", got 1'],
    ['foo{__name__="bar"}', '1:1: parse error: metric name must not be set twice: "foo" or "bar"'],
    ['1 + "unterminated', '1:5: parse error: unterminated quoted string'],
    ['5 5', '1:3: parse error: unexpected number "5"'],
  ])('%j says where and what', (query, message) => {
    const error = failure(query);
    expect(error.message).toBe(message);
    expect(error).toMatchObject({ errorType: 'bad_data', unsupported: false });
  });

  it('counts the columns of its position in bytes, and its range in code units', () => {
    const error = failure('"é" or foo{a="é"} ==');
    expect(error.message).toMatch(/^1:23: parse error: unexpected end of input/);
    expect(error.position).toEqual({ start: 20, end: 20 });
  });

  it('is refused where a regular expression is not RE2', () => {
    expect(failure('foo{a=~"(?=x)"}').errorType).toBe('bad_data');
    expect(failure(String.raw`foo{a=~"(x)\\1"}`).errorType).toBe('bad_data');
    expect(failure('foo{a=~"(?<=x)y"}').errorType).toBe('bad_data');
  });

  it.each([
    'limitk(1, foo)',
    'sort_by_label(foo, "a")',
    'double_exponential_smoothing(foo[1m], 0.5, 0.5)',
    'foo[5m + 1m]',
    'foo offset step()',
    'rate(foo[1m] smoothed)',
    'foo + fill(0) bar',
    'info(foo)',
  ])('%s is refused by name as experimental', (query) => {
    expect(failure(query)).toMatchObject({ errorType: 'bad_data', unsupported: true });
    expect(failure(query).message).toContain('is experimental and not supported');
  });

  it.each(['foo </ 5', 'histogram_count(foo)', 'histogram_avg(foo)'])(
    '%s is refused as of native histograms',
    (query) => {
      expect(failure(query)).toMatchObject({ errorType: 'bad_data', unsupported: true });
      expect(failure(query).message).toContain('works on native histograms, which are not supported');
    },
  );

  it('is refused when it nests deeper than the stack should bear', () => {
    for (const query of [
      '('.repeat(50_000),
      `${'-'.repeat(50_000)}1`,
      '1'.concat('+1'.repeat(50_000)),
      'abs('.repeat(50_000),
    ])
      expect(failure(query).message).toMatch(/nested more than 400 levels deep|unclosed left parenthesis/);
    expect(() => parse(`a${' or a'.repeat(390)}`)).not.toThrow();
  });
});

describe('the canonical text', () => {
  it.each([
    ['sum(rate(foo[5m]))by(job)', 'sum by (job) (rate(foo[5m]))'],
    ['FOO{b!="x",a=~"y"}offset 90s', 'FOO{a=~"y",b!="x"} offset 1m30s'],
    ['a*on(x)group_left(y)b', 'a * on (x) group_left (y) b'],
    ['a >bool ignoring(x) b', 'a > bool ignoring (x) b'],
    ['foo @ start() offset -1h', 'foo @ start() offset -1h'],
    ['(foo[1h:5m]@1.5)', '(foo[1h:5m] @ 1.500)'],
    ['topk(3,foo)', 'topk(3, foo)'],
    ['{"a.b",c="d"}', '{__name__="a.b",c="d"}'],
    ["'it\\'s'", `"it's"`],
  ])('of %s is %s', (query, text) => {
    expect(canonical(query)).toBe(text);
  });

  it('breaks what is too wide, operands and arguments indented', () => {
    const query = 'histogram_quantile(0.99, sum by (le, job) (rate(latency_seconds_bucket[5m]))) > 1';
    expect(format(parse(query), { width: 50 })).toBe(
      [
        '  histogram_quantile(',
        '    0.99,',
        '    sum by (le, job) (',
        '      rate(latency_seconds_bucket[5m])',
        '    )',
        '  )',
        '>',
        '  1',
      ].join('\n'),
    );
  });
});

describe('selectors', () => {
  it('lists what a query reads and the labels it works by', () => {
    const names = queryNames(
      parse(
        'label_replace(sum by (job) (rate(a_total{code="500"}[5m])) / on (job) group_left (team) b, "x", "$1", "y", "(.*)")',
      ),
    );
    expect(names.metrics).toEqual(['a_total', 'b']);
    expect(names.labels).toEqual(['code', 'job', 'team', 'x', 'y']);
    expect(names.selectors.map(({ metric }) => metric)).toEqual(['a_total', 'b']);
  });

  it('parses a bare selector of a match[] parameter and nothing more', () => {
    expect(parseMetricSelector('up{job="shop"}')).toMatchObject([
      { name: 'job' },
      { name: '__name__', value: 'up' },
    ]);
    for (const wrong of ['up[5m]', 'up offset 1m', 'up + 1', '1', '', '{}'])
      expect(() => parseMetricSelector(wrong)).toThrow(PromqlError);
  });
});

describe('any text', () => {
  const fragments = fc.constantFrom(
    ...'sum rate foo by without ( ) { } [ ] , = =~ !~ != == + - * / % ^ and or unless on ignoring bool offset @'.split(
      ' ',
    ),
    ...[
      '"a"',
      '`b`',
      "'c'",
      '5m',
      '1',
      '0x',
      '1e',
      '.',
      ':',
      'start()',
      'group_left',
      '\\',
      '"',
      '#',
      '\n',
      'é',
      '\ud800',
      '😀',
      'Inf',
      '_',
      '1h:',
    ],
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.array(fragments, { maxLength: 25 }).map((parts) => parts.join('')),
    fc.array(fragments, { maxLength: 25 }).map((parts) => parts.join(' ')),
  );

  it('either parses or is refused as bad_data', () => {
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(PromqlError);
          expect((error as PromqlError).errorType).toBe('bad_data');
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('that parses has a canonical text that parses to the same', () => {
    fc.assert(
      fc.property(texts, (text) => {
        let once: string;
        try {
          once = canonical(text);
        } catch {
          return;
        }
        expect(canonical(once)).toBe(once);
      }),
      { numRuns: 5_000, examples: [['Inf ^ 2']] },
    );
  });
});
