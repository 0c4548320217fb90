import { Buffer } from 'node:buffer';
import { ChunkWriter } from '../../src/store/chunk.ts';
import { ChunkMemory } from '../../src/store/chunk-memory.ts';
import { sealChunk } from '../../src/store/sealed-chunk.ts';

export interface Seeds {
  readonly seeds: readonly Uint8Array[];
  readonly dictionary: readonly string[];
}

const exposition = `# HELP a_total Help \\\\ with\\n.
# TYPE a_total counter
a_total{code="200",path="C:\\\\x\\"\\n"} 1027 1395066363000
b 12.47e-3
{"with.dots",l="x",} NaN -5
c_bucket{le="+Inf"} +Inf # {trace_id="abc"} 0.5 1.5
# EOF
`;

const otlpJson = JSON.stringify({
  resourceMetrics: [
    {
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'a' } }] },
      scopeMetrics: [
        {
          metrics: [
            {
              name: 'm.x',
              unit: 's',
              sum: {
                aggregationTemporality: 2,
                isMonotonic: true,
                dataPoints: [
                  {
                    timeUnixNano: '1700000000000000000',
                    asInt: '5',
                    attributes: [{ key: 'k', value: { arrayValue: { values: [{ boolValue: true }] } } }],
                  },
                ],
              },
            },
            {
              name: 'h',
              histogram: {
                aggregationTemporality: 2,
                dataPoints: [{ count: '3', sum: 1, bucketCounts: ['1', '2'], explicitBounds: [0.5] }],
              },
            },
            {
              name: 's',
              summary: { dataPoints: [{ count: 1, quantileValues: [{ quantile: 0.5, value: 1 }] }] },
            },
          ],
        },
      ],
    },
  ],
});

const queries = [
  'sum by (a, b) (rate(http_requests_total{code=~"5..", job!="x"}[5m] offset 1h)) / ignoring(c) group_left(d) foo > bool 1',
  'histogram_quantile(0.99, sum(rate(x_bucket[1m:15s] @ end())) by (le)) unless on () vector(-1 ^ 2)',
  'topk(5, label_replace(up, "a", "$1", "b", "(.*)")) or absent_over_time({__name__="x"}[1h30m])',
];

const config = JSON.stringify({
  listen: { host: '127.0.0.1', port: 4040 },
  store: { path: 'x', retention: '15d', retentionSize: '1GB' },
  scrape: { interval: '5s', timeout: '4s' },
  auth: { tokens: [{ name: 'a', role: 'read', sha256: 'a'.repeat(64) }] },
  targets: [{ job: 'a', url: 'http://127.0.0.1:1/metrics', labels: { b: 'c' } }],
  benchmarks: [{ name: 'b', file: 'c.json', schedule: '0 3 * * *' }],
});

const rules = `groups:
  - name: example
    interval: 1m
    limit: 10
    rules:
      - record: job:requests:rate5m
        expr: sum by (job) (rate(requests_total[5m]))
        labels: { level: job }
      - alert: Slow
        expr: latency_seconds > 1
        for: 5m
        keep_firing_for: 1h
        annotations:
          summary: "{{ $labels.job }} takes {{ $value | humanizeDuration }}"
`;

const template =
  '{{ if gt $value 1.0 }}{{ range $i, $s := query "up" }}{{ printf "%.2f" $s.Value }}{{ else }}-{{ end }}{{ end }}';

const targetList = JSON.stringify([
  { targets: ['10.0.0.1:80', 'host'], labels: { job: 'a', __scheme__: 'https', zone: 'b' } },
]);

const result = JSON.stringify({ schemaVersion: 1, name: 'a', target: 'http://127.0.0.1', objectives: [] });

const otlpProtobuf = Buffer.from(
  '0a620a160a140a0c736572766963652e6e616d6512040a0262781248122012160a056c6576656c1a0242792a0d0a0b19000000000000f03f3105000000000000001224120a0a0174' +
    '4a1e0a1c19000000000000f03f210300000000000000290000000000000440320801000000000000001002',
  'hex',
);

const punctuation = [
  '{',
  '}',
  '"',
  '\\',
  '\n',
  ',',
  '=',
  '[',
  ']',
  '(',
  ')',
  ' ',
  '\u0000',
  'é',
  '😀',
  '1e999',
  '-0',
  'NaN',
  '+Inf',
];

/** Valid inputs of a parser and pieces that its language knows. */
export function seedsOf(name: string): Seeds {
  const encode = (...texts: string[]): Uint8Array[] => texts.map((one) => new TextEncoder().encode(one));
  switch (name) {
    case 'text':
    case 'openmetrics':
      return {
        seeds: encode(exposition),
        dictionary: [...punctuation, '# EOF\n', '# TYPE ', '# HELP ', ' # {', '\r\n'],
      };
    case 'otlpJson':
      return {
        seeds: encode(otlpJson),
        dictionary: [...punctuation, 'null', '"__proto__":', 'true', '[[[[', '{"kvlistValue":'],
      };
    case 'otlpProtobuf':
      return { seeds: [otlpProtobuf], dictionary: ['\n\n\n\n', '\u0012\u0002', '\u007f', '\u0001'] };
    case 'promql':
    case 'selector':
      return {
        seeds: encode(...queries, '{a="b", c=~"d|e"}', 'up{x!~"y+"}'),
        dictionary: [
          ...punctuation,
          '((((((((',
          '-',
          '+',
          '^',
          'offset -1s',
          '@ 1',
          '[5m]',
          'by',
          'sum',
          '=~"(a+)+$"',
          '#',
        ],
      };
    case 'config':
      return {
        seeds: encode(config),
        dictionary: [...punctuation, 'null', '"__proto__"', '1e400', '{}', '[]'],
      };
    case 'rules':
      return {
        seeds: encode(rules),
        dictionary: [
          ...punctuation,
          '&a ',
          '*a',
          '<<: ',
          '- ',
          '? ',
          '!!binary ',
          '|\n',
          '>-\n',
          '{{ ',
          '%YAML 1.1',
        ],
      };
    case 'template':
      return {
        seeds: encode(template, '{{ $x := "a" | toUpper }}{{- with .Labels }}{{ .job }}{{ end -}}'),
        dictionary: [
          ...punctuation,
          '{{',
          '}}',
          '{{-',
          '-}}',
          '`',
          '|',
          '$',
          'end',
          '{{ if true }}',
          '%1000d',
        ],
      };
    case 'targetList':
    case 'result':
      return {
        seeds: encode(name === 'result' ? result : targetList),
        dictionary: [...punctuation, 'null', '"__proto__":', '1e400', '[[[['],
      };
    case 'parameters':
      return {
        seeds: encode(
          'time=1.5&limit=3&start=0&end=10&step=15s',
          'start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z&step=60',
        ),
        dictionary: [...punctuation, '%', '%zz', '&', 'e308', 'time=', 'step=1ms'],
      };
    default: {
      const writer = new ChunkWriter(0, new ChunkMemory());
      for (let i = 0; i < 50; i++) writer.append(i * 1_000, i % 2 === 0 ? 0x40000000 : 0x3ff00000, i);
      const whole = new ChunkWriter(0, new ChunkMemory());
      for (let i = 0; i < 50; i++) whole.append(i * 1_000 + (i % 3), 0x40590000, 0);
      return {
        seeds: [sealChunk(writer), sealChunk(whole)],
        dictionary: ['\u0001', '\u0000', '\u007f\u007f'],
      };
    }
  }
}
