import type { Labels } from '@weir/promql';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ExpositionFormat, ExpositionParser } from '../src/ingest/exposition-parser.ts';
import { parseSeriesText } from '../src/ingest/series-text.ts';

function print(labels: Labels): string {
  const pairs = [...labels].filter(([name]) => name !== '__name__');
  const inside = pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ');
  return labels.get('__name__') + (inside === '' ? '' : `{${inside}}`);
}

interface Read {
  readonly samples: [series: string, value: number, timeMs: number | undefined][];
  readonly exemplars: [labels: string, value: number, timeMs: number | undefined][];
  readonly metadata: [metric: string, kind: string, text: string][];
}

function read(
  text: string | Uint8Array,
  format: ExpositionFormat = 'text',
  cuts: readonly number[] = [],
): Read {
  const found: Read = { samples: [], exemplars: [], metadata: [] };
  const parser = new ExpositionParser(format, {
    sample: (series, value, timeMs) => found.samples.push([print(parseSeriesText(series)), value, timeMs]),
    exemplar: (labels, value, timeMs) => found.exemplars.push([labels, value, timeMs]),
    metadata: (...entry) => found.metadata.push(entry),
  });
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    parser.push(bytes.subarray(from, Math.min(cut, bytes.length)));
    from = Math.min(cut, bytes.length);
  }
  parser.push(bytes.subarray(from));
  parser.end();
  return found;
}

const example = `# HELP http_requests_total The total number of "HTTP" requests,\\nby method.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="get",path="C:\\\\DIR\\"x\\"\\n é"} 3

# a comment
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
rpc_duration_seconds{quantile="0.5",} NaN
 \t spaced { a = "b" , c="}" } -1.7560473e+07
{"with.dots",label="x"} 1
last 0`;

test('the bound of a bucket is the same whichever format it comes in', () => {
  const text = (series: string) => print(parseSeriesText(series));
  expect(text('a_bucket{le="1"}')).toBe(text('a_bucket{le="1.0"}'));
  expect(text('a_bucket{le="1"}')).toContain('le="1.0"');
  for (const kept of ['a_bucket{le="+Inf"}', 'a_bucket{le="0.25"}', 'a_bucket{le="x"}', 'a_gauge{le="1"}'])
    expect(text(kept)).toBe(kept);
});

test('the text format is read with its escapes, timestamps, special values and a last line without an end', () => {
  const { samples, metadata } = read(example);
  expect(samples).toEqual([
    ['http_requests_total{code="200", method="post"}', 1027, 1395066363000],
    [`http_requests_total{method="get", path=${JSON.stringify('C:\\DIR"x"\n é')}}`, 3, undefined],
    ['metric_without_timestamp_and_labels', 12.47, undefined],
    ['something_weird{problem="division by zero"}', Number.POSITIVE_INFINITY, -3982045],
    ['rpc_duration_seconds{quantile="0.5"}', Number.NaN, undefined],
    ['spaced{a="b", c="}"}', -1.7560473e7, undefined],
    ['with.dots{label="x"}', 1, undefined],
    ['last', 0, undefined],
  ]);
  expect(metadata).toEqual([
    ['http_requests_total', 'help', 'The total number of "HTTP" requests,\nby method.'],
    ['http_requests_total', 'type', 'counter'],
  ]);
});

test('OpenMetrics is read with float seconds and exemplars, and wants its end mark', () => {
  const text = `# TYPE foo histogram
# UNIT foo seconds
foo_bucket{le="0.1"} 8 # {trace_id="KOO5S4vxi0o",note="a } # {b"} 0.067
foo_bucket{le="1"} 10 123.5 # {} 9.8 1520879607.789
# EOF
`;
  const { samples, exemplars } = read(text, 'openmetrics');
  expect(samples).toEqual([
    ['foo_bucket{le="0.1"}', 8, undefined],
    ['foo_bucket{le="1.0"}', 10, 123_500],
  ]);
  expect(exemplars).toEqual([
    ['{trace_id="KOO5S4vxi0o",note="a } # {b"}', 0.067, undefined],
    ['{}', 9.8, 1_520_879_607_789],
  ]);
  expect(() => read('foo 1\n', 'openmetrics')).toThrow('line 1: expected "# EOF" at the end');
  expect(() => read('# EOF\nfoo 1\n', 'openmetrics')).toThrow('line 2: nothing may follow "# EOF"');
});

test('an exposition cut into chunks anywhere reads the same', () => {
  const whole = read(example);
  fc.assert(
    fc.property(fc.array(fc.nat(example.length + 8), { maxLength: 12 }), (cuts) => {
      expect(read(example, 'text', cuts)).toEqual(whole);
    }),
  );
});

test.each([
  ['no_value', 'line 1: expected a value after the metric name'],
  ['a 1\nb{x="y} 1', 'line 2: expected "}" after the labels'],
  ['a{x="1",x="2"} 1', 'line 1: a label is given twice'],
  ['a{1x="2"} 1', 'line 1: invalid label name "1x"'],
  ['1a 2', 'line 1: invalid metric name "1a"'],
  ['a 0x10', 'line 1: invalid number "0x10"'],
  ['a 1 2 3', 'line 1: expected the end of the line after the timestamp'],
  ['a 1 2.5', 'line 1: invalid timestamp "2.5"'],
  ['a{x="y" z="w"} 1', 'line 1: expected "," or "}" after a label'],
])('%j is refused with the line and the reason', (text, message) => {
  expect(() => read(text)).toThrow(message);
});

test('random bytes and mutated expositions either read or fail with a line, never otherwise', () => {
  const bytes = new TextEncoder().encode(example);
  const mutated = fc
    .array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((changes) => {
      const copy = bytes.slice();
      for (const [at, byte] of changes) copy[at] = byte;
      return copy;
    });
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 400 }), mutated),
      fc.boolean(),
      (input, isOpenMetrics) => {
        try {
          read(input, isOpenMetrics ? 'openmetrics' : 'text');
        } catch (thrown) {
          expect(String(thrown)).toMatch(/line \d+: |expected|invalid|label|metric/);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
