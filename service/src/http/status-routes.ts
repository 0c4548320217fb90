import { formatDuration } from '@weir/promql';
import type { FastifyInstance } from 'fastify';
import type { Config, ScrapeConfig } from '../config/config.ts';
import type { SelfMetrics } from '../exchange/own-metrics.ts';
import type { TargetPool } from '../exchange/target-pool.ts';
import type { EngineClient } from '../threads/engine-client.ts';
import { prometheusVersion } from '../version.ts';
import { sendProblem, sendValue } from './answers.ts';
import { json, objectSchema, problem, prometheusSchema, type Schema } from './describe-routes.ts';
import { ApiParameters } from './prometheus-parameters.ts';

interface ServiceRoutesOptions {
  readonly engine: EngineClient;
  readonly metrics: SelfMetrics;
  readonly targets: TargetPool;
}

/** Targets of one job for the HTTP service discovery of Prometheus. */
interface DiscoveredTargets {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

const text = { type: 'string' };
const labelSet = { type: 'object', additionalProperties: text };

/** `/healthz`, `/readyz`, `/metrics` and `/sd/targets`: for monitors and other Prometheus servers. */
export function addServiceRoutes(
  app: FastifyInstance,
  { engine, metrics, targets }: ServiceRoutesOptions,
): void {
  const tags = ['Service'];
  const state = (value: string): Schema => objectSchema<{ status: string }>({ status: { const: value } });
  const health = {
    config: { role: 'public' },
    schema: {
      tags,
      summary: 'Check whether the process answers',
      response: { 200: json('The process answers', state('ok')) },
    },
  } as const;
  app.get('/healthz', health, async () => ({ status: 'ok' }));
  const readiness = {
    config: { role: 'public' },
    schema: {
      tags,
      summary: 'Check whether the store is open',
      response: { 200: json('The store is open', state('ready')), 503: problem('The store is not open yet') },
    },
  } as const;
  app.get('/readyz', readiness, async (_request, reply) =>
    engine.isReady
      ? { status: 'ready' }
      : sendProblem(reply, 503, 'Not ready', 'The store is not open. Ask again in a moment.'),
  );
  const ownMetrics = {
    config: { role: 'read' },
    schema: {
      tags,
      summary: 'Get the metrics of the service itself',
      response: {
        200: {
          description: 'In the format that `Accept` names: OpenMetrics, or the text format',
          content: { 'text/plain': { schema: text }, 'application/openmetrics-text': { schema: text } },
        },
      },
    },
  } as const;
  app.get('/metrics', ownMetrics, async (request, reply) => {
    const { contentType, body } = await metrics.render(request.headers.accept);
    return reply.type(contentType).send(body);
  });
  const discovery = {
    config: { role: 'read' },
    schema: {
      tags,
      summary: 'List the scraped targets for the HTTP service discovery of Prometheus',
      response: {
        200: json('The targets', {
          type: 'array',
          items: objectSchema<DiscoveredTargets>({
            targets: { type: 'array', items: text },
            labels: labelSet,
          }),
        }),
      },
    },
  } as const;
  app.get('/sd/targets', discovery, async () => describeDiscovery(targets.states));
}

interface StatusRoutesOptions {
  readonly targets: TargetPool;
  readonly config: () => Config;
  readonly startedMs: number;
  readonly version: string;
}

/** `/targets` and `/status/*` of the Prometheus API, except `/status/tsdb`: state and configuration of the service. */
export function addStatusRoutes(
  app: FastifyInstance,
  { targets, config, startedMs, version }: StatusRoutesOptions,
): void {
  const listing = {
    config: { role: 'read' as const },
    schema: prometheusSchema('List the scraped targets', targetListSchema, {
      properties: {
        state: { enum: ['active', 'dropped', 'any'], default: 'any' },
        scrapePool: { type: 'string', description: 'Job of the targets, all if absent' },
      },
    }),
  };
  app.get('/targets', listing, async (request, reply) => {
    const parameters = new ApiParameters(request.url, undefined);
    const filter = {
      state: parameters.text('state') ?? 'any',
      scrapePool: parameters.text('scrapePool') || undefined,
    };
    return sendValue(reply, describeTargets(targets, config().scrape, filter));
  });
  const describe = (summary: string, data: string) => ({
    config: { role: 'read' as const },
    schema: prometheusSchema(summary, { type: 'object', description: data }),
  });
  app.get(
    '/status/buildinfo',
    describe('Get the version', 'As of a Prometheus server'),
    async (_request, reply) =>
      sendValue(reply, {
        version: prometheusVersion,
        revision: `weir-${version}`,
        branch: 'weir',
        buildUser: '',
        buildDate: '',
        goVersion: '',
      }),
  );
  const runtime = describe('Get the state of the process', 'Fields of the Go runtime are empty');
  app.get('/status/runtimeinfo', runtime, async (_request, reply) => {
    const { store } = config();
    return sendValue(reply, {
      startTime: new Date(startedMs).toISOString(),
      CWD: process.cwd(),
      reloadConfigSuccess: true,
      lastConfigTime: new Date(startedMs).toISOString(),
      corruptionCount: 0,
      goroutineCount: 0,
      GOMAXPROCS: 0,
      GOMEMLIMIT: 0,
      GOGC: '',
      GODEBUG: '',
      storageRetention: formatDuration(store.retentionMs),
    });
  });
  const flags = describe('Get the settings as flags of Prometheus', 'The value of each flag');
  app.get('/status/flags', flags, async (_request, reply) => {
    const { listen, store } = config();
    return sendValue(reply, {
      'web.listen-address': `${listen.host}:${listen.port}`,
      'storage.tsdb.retention.time': formatDuration(store.retentionMs),
      'storage.tsdb.retention.size': store.retentionBytes === undefined ? '0B' : `${store.retentionBytes}B`,
      'query.lookback-delta': '5m',
      'query.timeout': '30s',
    });
  });
  const inForce = describe('Get the configuration in force', '`yaml`, without secrets');
  app.get('/status/config', inForce, async (_request, reply) =>
    sendValue(reply, { yaml: describeConfig(config()) }),
  );
}

// JSON is YAML too. Tokens and credentials in URLs are left out.
function describeConfig({ scrape, store, targets }: Config): string {
  const shown = {
    global: {
      scrape_interval: formatDuration(scrape.intervalMs),
      scrape_timeout: formatDuration(scrape.timeoutMs),
    },
    scrape_configs: targets.map(({ job, url, labels }) => ({
      job_name: job,
      scheme: url.protocol.slice(0, -1),
      metrics_path: url.pathname,
      static_configs: [{ targets: [url.host], labels }],
    })),
    storage: { retention: formatDuration(store.retentionMs) },
  };
  return JSON.stringify(shown, null, 2);
}

const never = '0001-01-01T00:00:00Z';

/** A scraped target, with the fields of Prometheus. */
export interface ActiveTarget {
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly globalUrl: string;
  readonly lastError: string;
  /** RFC 3339; year 1 before the first scrape. */
  readonly lastScrape: string;
  /** Seconds. */
  readonly lastScrapeDuration: number;
  readonly health: 'up' | 'down' | 'unknown';
  /** A Prometheus duration, as `scrapeTimeout` is. */
  readonly scrapeInterval: string;
  readonly scrapeTimeout: string;
}

/** The answer of `/api/v1/targets`. */
export interface TargetList {
  readonly activeTargets: readonly ActiveTarget[];
  /** Always empty: the service drops no targets. */
  readonly droppedTargets: readonly [];
  readonly droppedTargetCounts?: object | null;
}

const targetListSchema: Schema = objectSchema<TargetList>(
  {
    activeTargets: {
      type: 'array',
      items: objectSchema<ActiveTarget>({
        discoveredLabels: labelSet,
        labels: labelSet,
        scrapePool: text,
        scrapeUrl: text,
        globalUrl: text,
        lastError: text,
        lastScrape: { type: 'string', format: 'date-time', description: 'Year 1 before the first scrape' },
        lastScrapeDuration: { type: 'number', description: 'Seconds' },
        health: { enum: ['up', 'down', 'unknown'] },
        scrapeInterval: text,
        scrapeTimeout: text,
      }),
    },
    droppedTargets: { type: 'array', description: 'Always empty: the service drops no targets' },
    droppedTargetCounts: { type: ['object', 'null'] },
  },
  ['droppedTargetCounts'],
);

/** The answer of `/api/v1/targets`, field by field as Prometheus names them. */
function describeTargets(
  targets: TargetPool,
  scrape: ScrapeConfig,
  filter: { readonly state: string; readonly scrapePool: string | undefined },
): TargetList {
  const scrapeInterval = formatDuration(scrape.intervalMs);
  const scrapeTimeout = formatDuration(scrape.timeoutMs);
  const { state: wanted, scrapePool } = filter;
  if (wanted === 'dropped') return { activeTargets: [], droppedTargets: [] };
  const kept = targets.states.filter(({ job }) => scrapePool === undefined || job === scrapePool);
  const activeTargets = kept.map((state): ActiveTarget => {
    const url = new URL(state.url);
    const { instance: _, ...discovered } = state.labels;
    return {
      discoveredLabels: {
        __address__: url.host,
        __metrics_path__: url.pathname,
        __scheme__: url.protocol.slice(0, -1),
        __scrape_interval__: scrapeInterval,
        __scrape_timeout__: scrapeTimeout,
        ...discovered,
      },
      labels: state.labels,
      scrapePool: state.job,
      scrapeUrl: withoutSecrets(url),
      globalUrl: withoutSecrets(url),
      lastError: state.lastError,
      lastScrape: state.lastScrapeMs === undefined ? never : new Date(state.lastScrapeMs).toISOString(),
      lastScrapeDuration: state.lastDurationMs / 1000,
      health: state.health,
      scrapeInterval,
      scrapeTimeout,
    };
  });
  return wanted === 'active'
    ? { activeTargets, droppedTargets: [], droppedTargetCounts: null }
    : { activeTargets, droppedTargets: [], droppedTargetCounts: {} };
}

function withoutSecrets(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href;
}

/** The scraped targets in the format of Prometheus' `http_sd`. */
function describeDiscovery(states: TargetPool['states']): DiscoveredTargets[] {
  return states.map(({ job, url, labels }) => {
    const { host, protocol, pathname } = new URL(url);
    const { instance: _, ...own } = labels;
    return {
      targets: [host],
      labels: { ...own, job, __scheme__: protocol.slice(0, -1), __metrics_path__: pathname },
    };
  });
}
