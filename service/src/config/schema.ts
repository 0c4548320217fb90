import { durationPattern, sizePattern } from './duration.ts';

const duration = (description: string, fallback?: string): object => ({
  type: 'string',
  pattern: durationPattern,
  description: `${description} A duration such as "15s" or "1h30m".`,
  ...(fallback === undefined ? {} : { default: fallback }),
});

const labels: object = {
  type: 'object',
  description: 'Labels put on every series of the target.',
  propertyNames: { pattern: '^[a-zA-Z_][a-zA-Z0-9_]*$' },
  additionalProperties: { type: 'string' },
};

const section = (
  description: string,
  properties: Record<string, object>,
  required: string[] = [],
): object => ({
  type: 'object',
  description,
  additionalProperties: false,
  properties,
  ...(required.length === 0 ? {} : { required }),
});

const count = (description: string, fallback: number): object => ({
  type: 'integer',
  minimum: 1,
  default: fallback,
  description,
});

/** What `weir.config.json` may hold, as JSON Schema (draft-07). `service/weir.config.schema.json` is generated from it. */
export const configSchema: object = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'weir.config.json',
  ...section(
    'Configuration of the Weir service. Paths are relative to the file.',
    {
      $schema: { type: 'string' },
      listen: section('Where the service listens.', {
        host: {
          type: 'string',
          minLength: 1,
          default: '127.0.0.1',
          description: 'Address to listen on. Loopback unless changed.',
        },
        port: {
          type: 'integer',
          minimum: 0,
          maximum: 65_535,
          default: 4040,
          description: 'The environment variable PORT overrides it. 0 takes a free port.',
        },
      }),
      store: section('Where samples and results are kept.', {
        path: { type: 'string', minLength: 1, default: '.weir/data', description: 'A directory.' },
        retention: duration('Age at which samples go.', '15d'),
        retentionSize: {
          type: 'string',
          pattern: sizePattern,
          description: 'Size at which the oldest samples go, such as "10GB". Without it size has no bound.',
        },
        maxSeries: count('Series held at any one time; scrapes with more are refused.', 1_000_000),
      }),
      scrape: section('How targets are scraped.', {
        interval: duration('Time between two scrapes of a target.', '5s'),
        timeout: duration('Time a target has to answer; not longer than the interval.', '4s'),
        maxBodyBytes: count('Size of an exposition, after decompression.', 16_777_216),
        maxSamples: count('Samples in an exposition.', 200_000),
        maxLabels: count('Labels of a series.', 64),
        maxLabelValueLength: count('Characters in the name or value of a label.', 4_096),
      }),
      targets: {
        type: 'array',
        description: 'What to scrape.',
        items: section(
          'One address that answers with metrics.',
          {
            job: { type: 'string', minLength: 1, description: 'The label `job`.' },
            url: { type: 'string', minLength: 1, description: 'Such as http://127.0.0.1:4041/metrics.' },
            labels,
          },
          ['job', 'url'],
        ),
      },
      benchmarks: {
        type: 'array',
        description: 'Benchmarks that can be run by name.',
        items: section(
          'One scenario of @weir/bench.',
          {
            name: { type: 'string', pattern: '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$' },
            file: { type: 'string', minLength: 1, description: 'A scenario file: .json, .ts or .js.' },
          },
          ['name', 'file'],
        ),
      },
    },
    ['targets'],
  ),
};
