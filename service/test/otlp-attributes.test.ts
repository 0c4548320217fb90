import { expect, test } from 'vitest';
import { attributeLabels, attributeText } from '../src/ingest/otlp-labels.ts';
import { exportMetricsRequest, readMessage } from '../src/ingest/otlp-messages.ts';
import { translateOtlp } from '../src/ingest/translate-otlp.ts';

const limits = { maxSamples: 1_000, maxLabels: 4, maxLabelValueLength: 50 };
const listOf = (...values: object[]): object => ({ arrayValue: { values } });
const mapOf = (members: Record<string, object>): object => ({
  kvlistValue: { values: Object.entries(members).map(([key, value]) => ({ key, value })) },
});
const string = (stringValue: string): object => ({ stringValue });
const nested = (depth: number, wrap: (value: object) => object): object => {
  let value = string('"\\');
  for (let level = 0; level < depth; level++) value = wrap(value);
  return value;
};

test.each<[string, object, string]>([
  ['a string', string('a "b"'), 'a "b"'],
  ['a number of JSON', { intValue: '9007199254740993' }, '9007199254740993'],
  ['a number of protobuf', { intValue: 9_007_199_254_740_993n }, '9007199254740993'],
  ['a float', { doubleValue: 0.5 }, '0.5'],
  ['a boolean', { boolValue: false }, 'false'],
  ['bytes', { bytesValue: 'aGk=' }, 'aGk='],
  ['nothing', {}, ''],
  ['an empty list', listOf(), '[]'],
  [
    'a list of each kind',
    listOf(string('a'), { intValue: '9007199254740993' }, { boolValue: true }, {}),
    '["a",9007199254740993,true,null]',
  ],
  [
    'what JSON has no number for',
    listOf({ doubleValue: 'NaN' }, { doubleValue: Infinity }),
    '["NaN","Infinity"]',
  ],
  ['a map, sorted by key', mapOf({ b: string('"'), a: { doubleValue: 1.5 } }), '{"a":1.5,"b":"\\""}'],
  ['a list in a map in a list', listOf(mapOf({ k: listOf(string('x')) })), '[{"k":["x"]}]'],
])('%s becomes its text', (_name, value, expected) => {
  expect(attributeText(value)).toBe(expected);
});

test.each<[string, (value: object) => object]>([
  ['lists', (value) => listOf(value)],
  ['maps', (value) => mapOf({ k: value })],
])('nested %s grow with their depth and not faster, and end in an error', (_name, wrap) => {
  const length = (depth: number): number => attributeText(nested(depth, wrap)).length;
  expect(length(28) - length(27)).toBe(length(2) - length(1));
  for (const depth of [29, 1_000, 20_000])
    expect(() => attributeText(nested(depth, wrap))).toThrow('nested deeper than 28 levels');
});

test('protobuf may nest attributes as deeply as JSON', () => {
  const field = (number: number, body: number[]): number[] => {
    const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
    return [(number << 3) | 2, ...length, ...body];
  };
  const request = (depth: number): Uint8Array => {
    let value = field(1, [120]);
    for (let level = 0; level < depth; level++) value = field(5, field(1, value));
    const point = field(7, [...field(1, [107]), ...field(2, value)]);
    const metric = [...field(1, [109]), ...field(5, field(1, point))];
    return Uint8Array.from(field(1, field(2, field(2, metric))));
  };
  const translate = (depth: number) =>
    translateOtlp(readMessage(request(depth), exportMetricsRequest), 1, {
      ...limits,
      maxLabelValueLength: 100,
    });
  expect(translate(28).samples[0]?.labels.k).toBe(`${'['.repeat(28)}"x"${']'.repeat(28)}`);
  expect(() => translate(29)).toThrow('nested');
});

test('attributes that become one label are joined, and none sets job or instance', () => {
  const pair = (key: string, value: string): object => ({ key, value: string(value) });
  expect({
    ...attributeLabels([pair('a.b', '1'), pair('a-b', '2'), pair('job', 'x'), pair('instance', 'y')]),
  }).toEqual({ a_b: '1;2', exported_job: 'x', exported_instance: 'y' });
  expect({ ...attributeLabels([pair('job', 'x'), pair('exported_job', 'y')]) }).toEqual({
    exported_exported_job: 'x',
    exported_job: 'y',
  });
  const names = ['constructor', 'toString', 'hasOwnProperty', '__proto__', 'valueOf'];
  expect(Object.entries(attributeLabels(names.map((name) => pair(name, 'v'))))).toEqual(
    names.map((name) => [name === '__proto__' ? 'key__proto__' : name, 'v']),
  );
});

test('attributes beyond a limit reject their point before its buckets multiply them', () => {
  const attributes = (count: number, size: number) =>
    Array.from({ length: count }, (_, at) => ({ key: `k${at}`, value: string('x'.repeat(size)) }));
  const explicitBounds = Array.from({ length: 400 }, (_, at) => at);
  const translate = (...points: object[][]) =>
    translateOtlp(
      {
        resourceMetrics: [
          {
            scopeMetrics: [
              {
                metrics: [
                  {
                    name: 'h',
                    histogram: {
                      aggregationTemporality: 2,
                      dataPoints: points.map((own) => ({ explicitBounds, attributes: own })),
                    },
                  },
                ],
              },
            ],
          },
        ],
      },
      1,
      limits,
    );
  const { samples, rejectedPoints, reasons } = translate(
    attributes(5, 1),
    attributes(1, 51),
    attributes(4, 50),
  );
  expect([samples.length, rejectedPoints, reasons]).toEqual([
    402,
    2,
    ['h has more than 4 attributes', 'h has an attribute longer than 50 characters'],
  ]);
  expect(() => translate(attributes(1, 1), attributes(1, 1), attributes(1, 1))).toThrow(
    'more than 1000 samples',
  );
});
