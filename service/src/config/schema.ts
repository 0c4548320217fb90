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
          description: 'Names besides localhost and addresses under which the service may be asked.',
        },
      }),
      auth: section('Who may do what. Without tokens everyone may do everything, on loopback only.', {
        tokens: {
          type: 'array',
          description: 'Made with `weir token`.',
          items: section(
            'A token, known by its hash.',
            {
              name: { type: 'string', minLength: 1, description: 'Shown in the audit log.' },
              role: { enum: [...roles] },
              sha256: { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'Its hash.' },
            },
            ['name', 'role', 'sha256'],
          ),
        },
        anonymous: {
          enum: ['none', 'read'],
          default: 'none',
          description: 'What a request without a token may do where tokens are configured.',
        },
      }),
      store: section('Where samples and results are kept.', {
        path: { type: 'string', minLength: 1, default: '.weir/data', description: 'A directory.' },
        retention: duration('Age at which samples go.', '15d'),
        retentionSize: {
          type: 'string',
          pattern: sizePattern,
          description:
            'Size at which the oldest samples are removed, such as "10GB". What waits for receivers of remoteWrite does not count. Without it size has no bound.',
        },
        backlogSize: {
          type: 'string',
          pattern: sizePattern,
          description:
            'Size of what waits for receivers of remoteWrite, at which the oldest of it is dropped. It does not count towards retentionSize. Default: "1GB", or retentionSize where that is smaller.',
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
                allow: { ...allow('Where the targets that it names may be'), minItems: 1 },
                maxTargets: count('Targets taken of one list.', 1_000),
              },
              ['job', 'url', 'allow'],
            ),
          ],
        },
      },
      registration: section('Targets that announce themselves with POST /targets.', {
        allow: allow('Where they may be; without entries registration is off'),
        maxTargets: count('Targets registered at any one time.', 200),
        ttl: duration('How long a registration lasts that names no time.', '2m'),
        maxTtl: duration('The longest that one may name.', '1h'),
      }),
      push: section('Samples that are sent to the service.', {
        enabled: { type: 'boolean', default: true },
        expiry: duration('How long what a short-lived job pushed is shown after its last push.', '5m'),
      }),
      page: section('The web page.', {
        traceUrl: {
          type: 'string',
          minLength: 1,
          description:
            'Where a trace is shown, with {traceId} in place of its id. Exemplars then lead there.',
        },
      }),
      rules: section('Recording and alerting rules in Prometheus’ format.', {
        files: { type: 'array', items: { type: 'string', minLength: 1 }, description: 'YAML files.' },
        interval: duration('Evaluation interval of groups without one.', '1m'),
        webhook: { type: 'string', minLength: 1, description: 'Takes alerts as Alertmanager’s webhooks do.' },
        externalUrl: { type: 'string', minLength: 1, description: 'Where links in alerts lead.' },
      }),
      remoteWrite: {
        type: 'array',
        description: 'Prometheus-compatible receivers that get every sample too.',
        items: endpoint('A receiver.'),
      },
      backend: endpoint(
        'A Prometheus-compatible server that answers queries instead of the store. Parameters of its URL are sent with every query.',
      ),
      load: section('What benchmarks may do.', {
        enabled: { type: 'boolean', default: true, description: 'Off ends all load and starts none.' },
        allow: allow('Hosts besides loopback that may be loaded'),
        maxConnections: count('Connections of a scenario.', 1_000),
        maxDuration: duration(
          'Duration of a scenario with its warm-up; a load process that takes 15 s longer is ended.',
          '15m',
        ),
      }),
      benchmarks: {
        type: 'array',
        description: 'Benchmarks that can be run by name.',
        items: section(
          'One scenario of @weir/bench.',
          {
            name: { type: 'string', pattern: '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$' },
            file: { type: 'string', minLength: 1, description: 'A scenario file: .json, .ts or .js.' },
            schedule: {
              type: 'string',
              minLength: 1,
              description: 'When to run by itself, as cron: "0 3 * * *".',
            },
            profile: section('Builds that a run with `profile` compares.', {
              start: {
                type: 'string',
                minLength: 1,
                description:
                  'Command that runs a build in its directory, on the port in PORT. Default: that of the scenario’s `start`.',
              },
              base: { type: 'string', minLength: 1, default: '.', description: 'A directory or a commit.' },
              head: { type: 'string', minLength: 1, default: '.', description: 'A directory or a commit.' },
              rounds: count('Duets of fresh processes.', 3),
            }),
          },
          ['name', 'file'],
        ),
      },
    },
    ['targets'],
  ),
};
