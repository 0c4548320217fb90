import { roles } from '../auth/tokens.ts';
import { durationPattern, sizePattern } from './duration.ts';

const duration = (description: string, fallback?: string): object => ({
  type: 'string',
  pattern: durationPattern,
  description: `${description} A duration such as "15s" or "1h30m".`,
  ...(fallback === undefined ? {} : { default: fallback }),
});

const labels: object = {
  type: 'object',
  description: 'Labels added to every series of the target.',
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

const headers: object = {
  type: 'object',
  additionalProperties: { type: 'string' },
  description: 'Sent with every request. Never shown or logged.',
};

const allow = (description: string): object => ({
  type: 'array',
  items: { type: 'string', minLength: 1 },
  description: `${description}: \`host\`, \`host:port\`, \`10.0.0.0/8\` or \`10.0.0.0/8:8080\`.`,
});

const endpoint = (description: string): object =>
  section(
    description,
    {
      url: { type: 'string', minLength: 1 },
      headers,
    },
    ['url'],
  );

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
        allowedHosts: {
          type: 'array',
          items: { type: 'string', minLength: 1 },
          description: 'Host names under which the service answers, besides localhost and IP addresses.',
        },
      }),
      auth: section(
        'Access. Without tokens everyone may do everything, and the service listens on loopback only.',
        {
          tokens: {
            type: 'array',
            description: 'Create tokens with `weir token`.',
            items: section(
              'A token, known by its hash.',
              {
                name: { type: 'string', minLength: 1, description: 'Shown in the audit log.' },
                role: { enum: [...roles] },
                sha256: {
                  type: 'string',
                  pattern: '^[0-9a-f]{64}$',
                  description: 'SHA-256 of the token, in hexadecimal.',
                },
              },
              ['name', 'role', 'sha256'],
            ),
          },
          anonymous: {
            enum: ['none', 'read'],
            default: 'none',
            description: 'What a request without a token may do where tokens are configured.',
          },
        },
      ),
      store: section('Where samples and results are kept.', {
        path: { type: 'string', minLength: 1, default: '.weir/data', description: 'A directory.' },
        retention: duration('Age at which samples are removed.', '15d'),
        retentionSize: {
          type: 'string',
          pattern: sizePattern,
          description:
            'Size at which the oldest samples are removed, such as "10GB". The backlog of remoteWrite does not count. Default: no bound.',
        },
        backlogSize: {
          type: 'string',
          pattern: sizePattern,
          description:
            'Size of the backlog of remoteWrite at which its oldest samples are dropped. It does not count towards retentionSize. Default: "1GB", or retentionSize where that is smaller.',
        },
        maxSeries: count(
          'The most series held at any one time; scrapes that exceed it are refused.',
          1_000_000,
        ),
      }),
      scrape: section('How targets are scraped.', {
        interval: duration('Time between two scrapes of a target.', '5s'),
        timeout: duration('Timeout of a scrape; at most the interval.', '4s'),
        maxBodyBytes: count('Size of an exposition, after decompression.', 16_777_216),
        maxSamples: count('Samples in an exposition.', 200_000),
        maxLabels: count('Labels of a series.', 64),
        maxLabelValueLength: count('Characters in the name or value of a label.', 4_096),
      }),
      targets: {
        type: 'array',
        description: 'Targets to scrape.',
        items: section(
          'A URL that serves metrics.',
          {
            job: { type: 'string', minLength: 1, description: 'The label `job`.' },
            url: { type: 'string', minLength: 1, description: 'Such as http://127.0.0.1:4041/metrics.' },
            labels,
          },
          ['job', 'url'],
        ),
      },
      discovery: {
        type: 'array',
        description:
          'Target lists: directories (Prometheus’ file_sd), watched for changes, and URLs (http_sd).',
        items: {
          oneOf: [
            section(
              'A directory of target lists, JSON or YAML.',
              {
                job: { type: 'string', minLength: 1 },
                directory: { type: 'string', minLength: 1 },
                scheme: { enum: ['http', 'https'], default: 'http' },
                path: { type: 'string', pattern: '^/', default: '/metrics' },
              },
              ['job', 'directory'],
            ),
            section(
              'A URL that answers with a target list, JSON.',
              {
                job: { type: 'string', minLength: 1, description: 'For targets without a label `job`.' },
                url: { type: 'string', minLength: 1 },
                headers,
                interval: duration('Time between two requests.', '1m'),
                allow: { ...allow('Addresses that its targets may have'), minItems: 1 },
                maxTargets: count('Targets taken of one list.', 1_000),
              },
              ['job', 'url', 'allow'],
            ),
          ],
        },
      },
      registration: section('Registration of targets with POST /targets.', {
        allow: allow('Addresses that registered targets may have; without entries registration is off'),
        maxTargets: count('Targets registered at any one time.', 200),
        ttl: duration('Lifetime of a registration that does not name one.', '2m'),
        maxTtl: duration('The longest lifetime that a registration may name.', '1h'),
      }),
      push: section('Samples that are sent to the service.', {
        enabled: { type: 'boolean', default: true },
        expiry: duration('How long the metrics of a short-lived job are kept after its last push.', '5m'),
      }),
      page: section('The web page.', {
        traceUrl: {
          type: 'string',
          minLength: 1,
          description: 'URL of a trace, with {traceId} for its id. Exemplars link to it.',
        },
      }),
      rules: section('Recording and alerting rules in Prometheus’ format.', {
        files: { type: 'array', items: { type: 'string', minLength: 1 }, description: 'YAML files.' },
        interval: duration('Evaluation interval of groups without one.', '1m'),
        webhook: {
          type: 'string',
          minLength: 1,
          description: 'URL that receives alerts in the format of Alertmanager’s webhook.',
        },
        externalUrl: { type: 'string', minLength: 1, description: 'Base URL of links in alerts.' },
      }),
      remoteWrite: {
        type: 'array',
        description: 'Prometheus-compatible receivers that get a copy of every sample.',
        items: endpoint('A receiver.'),
      },
      backend: endpoint(
        'A Prometheus-compatible server that answers queries instead of the store. Parameters of its URL are sent with every query.',
      ),
      load: section('Limits of benchmarks.', {
        enabled: {
          type: 'boolean',
          default: true,
          description: '`false` ends running benchmarks and refuses new ones.',
        },
        allow: allow('Hosts besides loopback that benchmarks may load'),
        maxConnections: count('The most connections of a scenario.', 1_000),
        maxDuration: duration(
          'The longest duration of a scenario with its warm-up. A load process that takes 15 s longer is killed.',
          '15m',
        ),
      }),
      benchmarks: {
        type: 'array',
        description: 'Benchmarks by name.',
        items: section(
          'One scenario of @weir/bench.',
          {
            name: { type: 'string', pattern: '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$' },
            file: { type: 'string', minLength: 1, description: 'A scenario file: .json, .ts or .js.' },
            schedule: {
              type: 'string',
              minLength: 1,
              description: 'Schedule as a cron expression, such as "0 3 * * *".',
            },
            profile: section('Builds that a run with `profile` compares.', {
              start: {
                type: 'string',
                minLength: 1,
                description:
                  'Command that runs a build in its directory, on the port in PORT. Default: the scenario’s `start`.',
              },
              base: { type: 'string', minLength: 1, default: '.', description: 'A directory or a commit.' },
              head: { type: 'string', minLength: 1, default: '.', description: 'A directory or a commit.' },
              rounds: count('Duets, each with fresh processes.', 3),
            }),
          },
          ['name', 'file'],
        ),
      },
    },
    ['targets'],
  ),
};
