/** The facade: one object that owns the registry, all recorders and sources, and the scrape. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import { definitionOf, type GaugeAggregator, type MetricDefinition } from './catalogue.ts';
import { instrument } from './db/instrument.ts';
import { PoolRecorder } from './db/pool-recorder.ts';
import type { QueryOptions } from './db/query-events.ts';
import { QueryRecorder } from './db/query-recorder.ts';
import { metricsError } from './errors.ts';
import { negotiate } from './exposition/negotiate.ts';
import type { PromRegistry } from './exposition/prom-bridge.ts';
import { createHealth, type Health, type HealthOptions } from './http/health.ts';
import { HttpRecorder } from './http/recorder.ts';
import { type Slo, type SloOptions, SloRecorder } from './http/slo.ts';
import { markProbe } from './http/track-response.ts';
import type { Counter, Gauge } from './instruments/counter-gauge.ts';
import { defaultMaxSeries } from './instruments/family.ts';
import type { Histogram } from './instruments/histogram.ts';
import { type Clock, type FamilyOptions, MetricRegistry } from './registry.ts';
import { startCacheMetrics } from './sources/cache.ts';
import { startOverloadMetrics, startRateLimitMetrics } from './sources/ratelimit.ts';
import { startRuntimeMetrics } from './sources/runtime.ts';

/** Options of {@link createMetrics}. */
export interface MetricsOptions {
  /** Name of the service, exported as `target_info`. */
  readonly service: string;
  /**
   * Version of the service, exported as `target_info`.
   * @defaultValue `''`
   */
  readonly version?: string;
  readonly http?: {
    /**
     * Label sets of each HTTP family.
     * @defaultValue `maxSeries`
     */
    readonly maxSeries?: number;
  };
  /** Query timing; see {@link QueryOptions}. */
  readonly db?: QueryOptions;
  /**
   * Process, event-loop, heap and GC metrics.
   * @defaultValue `true`
   */
  readonly runtime?: boolean;
  /**
   * Registries of prom-client ≥ 15 or `@prometheus-io/client`. They receive our metrics, and our scrape carries theirs.
   * @defaultValue none
   */
  readonly registries?: readonly PromRegistry[];
  /**
   * Label sets a family keeps before new ones share its overflow series.
   * @defaultValue 2,000
   */
  readonly maxSeries?: number;
  /**
   * Adds native buckets to every histogram; only the protobuf format carries them.
   * @defaultValue `false`
   */
  readonly nativeHistograms?: boolean;
  /**
   * Where time comes from: monotonic milliseconds, which may be fractional.
   * @defaultValue `performance.now`
   */
  readonly clock?: Clock;
}

/** A family of your own. `labels` default to none. */
export interface OwnMetric extends FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** The metrics of one process, made by {@link createMetrics}. */
export interface Metrics {
  readonly registry: MetricRegistry;
  /** Records HTTP requests; for adapters. */
  readonly http: HttpRecorder;
  /** Registers a counter of your own. Throws ERR_WEIR_METRICS_DUPLICATE if the name is taken; so do `gauge` and `histogram`. */
  counter(metric: OwnMetric): Counter;
  /** Registers a gauge. `aggregator` combines the values of several processes; it defaults to `max` for names in `_ratio`, else to `sum`. */
  gauge(metric: OwnMetric & { readonly aggregator?: GaugeAggregator }): Gauge;
  /** Registers a histogram. `buckets` are ascending upper bounds; they default to those of HTTP durations in seconds. */
  histogram(metric: OwnMetric & { readonly buckets?: readonly number[] }): Histogram;
  /** Starts liveness and readiness; a second call throws ERR_WEIR_METRICS_DUPLICATE. */
  health(options: HealthOptions): Health;
  /** Counts requests, or other events, against an objective. */
  slo(options: SloOptions): Slo;
  /**
   * Times the queries of a client or pool and returns the same object. A client that other metrics instrumented moves to these. `name` is the
   * pool's name and defaults to `default`. Throws ERR_WEIR_METRICS_INVALID_CLIENT for an unknown client.
   */
  instrument<T extends object>(client: T, options?: { readonly name?: string }): T;
  /** One scrape in the text format that an Accept header prefers: 0.0.4 or OpenMetrics. */
  scrape(accept?: string): Promise<{ readonly contentType: string; readonly body: string }>;
  /** One scrape in the format that an Accept header prefers, protobuf included. */
  expose(accept?: string): Promise<{ readonly contentType: string; readonly body: string | Buffer }>;
  /** Serves `expose` on node:http and compatible servers. */
  handler(): (request: IncomingMessage, response: ServerResponse) => void;
  /** Stops timers, observers and subscriptions, and removes our metrics from the registries. */
  close(): Promise<void>;
}

const monotonicClock: Clock = { now: () => performance.now() };

/**
 * Starts collecting. Each has its own registry; one per process is usual. Throws ERR_WEIR_METRICS_INVALID_OPTION for an invalid option and
 * ERR_WEIR_METRICS_DUPLICATE for a name that `registries` hold already; nothing stays registered or started then.
 */
export function createMetrics(options: MetricsOptions): Metrics {
  validate(options);
  const { clock = monotonicClock, maxSeries = defaultMaxSeries, registries = [] } = options;
  const registry = new MetricRegistry({ clock, maxSeries, registries, native: options.nativeHistograms });
  const { http, queries, pools, stop } = startRecorders(registry, options);
  let slos: SloRecorder | undefined;

  const scrape: Metrics['scrape'] = async (accept) => {
    const { format, contentType } = negotiate(accept);
    // Every scraper accepts text, even one that prefers protobuf.
    if (format === 'protobuf')
      return { contentType: negotiate(undefined).contentType, body: await registry.render('text') };
    return { contentType, body: await registry.render(format) };
  };
  const expose: Metrics['expose'] = async (accept) => {
    const { format, contentType } = negotiate(accept);
    return format === 'protobuf' ? { contentType, body: await registry.renderProtobuf() } : scrape(accept);
  };
  return Object.freeze({
    registry,
    http,
    counter: (metric: OwnMetric) => registry.counter(ownDefinition(metric, 'counter'), metric),
    gauge: (metric: OwnMetric & { readonly aggregator?: GaugeAggregator }) => {
      const { aggregator } = metric;
      if (aggregator !== undefined && !['sum', 'min', 'max'].includes(aggregator))
        throw metricsError(
          'ERR_WEIR_METRICS_INVALID_OPTION',
          'aggregator',
          '`sum`, `min` or `max`',
          aggregator,
        );
      const definition = ownDefinition(metric, 'gauge', aggregator === undefined ? {} : { aggregator });
      return registry.gauge(definition, metric);
    },
    histogram: (metric: OwnMetric & { readonly buckets?: readonly number[] }) => {
      const buckets = metric.buckets ?? definitionOf('http_server_request_duration_seconds').buckets ?? [];
      return registry.histogram(ownDefinition(metric, 'histogram', { buckets }), metric);
    },
    instrument: <T extends object>(client: T, { name = 'default' }: { readonly name?: string } = {}): T => {
      queries.enable();
      instrument(client, { name, queries, pools, clock });
      return client;
    },
    health: (healthOptions: HealthOptions) =>
      registry.atomically(() => createHealth(registry, healthOptions)),
    slo: (sloOptions: SloOptions) => {
      slos ??= registry.atomically(() => new SloRecorder(registry, http));
      return slos.create(sloOptions);
    },
    scrape,
    expose,
    handler: () => (request: IncomingMessage, response: ServerResponse) => {
      markProbe(response);
      expose(request.headers.accept).then(
        ({ contentType, body }) => {
          // Something else, such as a timeout, may have answered meanwhile.
          if (!response.headersSent) response.setHeader('content-type', contentType).end(body);
        },
        (error: unknown) => {
          if (response.headersSent) return;
          response.writeHead(500, { 'content-type': 'text/plain' }).end(`${String(error)}\n`);
        },
      );
    },
    close: async () => {
      stop();
      await queries.close();
    },
  });
}

function validate(options: MetricsOptions): void {
  const positive = (name: string, value: number | undefined, allowInfinity: boolean): void => {
    if (
      value === undefined ||
      (Number.isSafeInteger(value) && value > 0) ||
      (allowInfinity && value === Infinity)
    )
      return;
    const expected = allowInfinity ? 'a positive integer or `Infinity`' : 'a positive integer';
    throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', name, expected, value);
  };
  if (typeof options.service !== 'string' || options.service === '') {
    throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', 'service', 'a non-empty string', options.service);
  }
  const { registries = [] } = options;
  if (!Array.isArray(registries) || !registries.every(isRegistry)) {
    const expected = 'a list of registries of prom-client, such as `[register]`';
    throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', 'registries', expected, registries);
  }
  positive('maxSeries', options.maxSeries, false);
  positive('http.maxSeries', options.http?.maxSeries, false);
  positive('db.maxStatements', options.db?.maxStatements, false);
  positive('db.nPlusOneThreshold', options.db?.nPlusOneThreshold, true);
  const slow = options.db?.slowQueryMs;
  if (slow !== undefined && !(slow >= 0))
    throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', 'db.slowQueryMs', 'at least 0', slow);
}

function isRegistry(registry: unknown): boolean {
  return typeof (registry as PromRegistry | null | undefined)?.registerMetric === 'function';
}

interface Recorders {
  readonly http: HttpRecorder;
  readonly queries: QueryRecorder;
  readonly pools: PoolRecorder;
  /** Stops everything and removes the families from the team's registries. */
  readonly stop: () => void;
}

// If a name is taken, everything started and registered before is undone.
function startRecorders(registry: MetricRegistry, options: MetricsOptions): Recorders {
  const maxSeries = options.http?.maxSeries ?? options.maxSeries ?? defaultMaxSeries;
  const stops = [() => registry.close()];
  const stop = (): void => {
    for (const next of stops.splice(0).reverse()) next();
  };
  try {
    registry
      .gauge(definitionOf('target_info'))
      .labels(options.service, options.version ?? '')
      .set(1);
    const http = new HttpRecorder(registry, maxSeries);
    const queries = new QueryRecorder(registry, http, { ...options.db });
    const pools = new PoolRecorder(registry);
    const sources = [startCacheMetrics, startRateLimitMetrics, startOverloadMetrics];
    if (options.runtime !== false) sources.push(startRuntimeMetrics);
    for (const start of sources) stops.push(start(registry));
    followOverflow(registry);
    return { http, queries, pools, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

function followOverflow(registry: MetricRegistry): void {
  const overflow = registry.counter(definitionOf('weir_metrics_overflow_total'));
  registry.onCollect(() => {
    for (const family of registry.families()) {
      if (family.definition.labels.length > 0)
        overflow.labels(family.definition.name).setTotal(family.overflowed);
    }
  });
}

function ownDefinition(
  metric: OwnMetric,
  type: MetricDefinition['type'],
  rest: Pick<MetricDefinition, 'buckets' | 'aggregator'> = {},
): MetricDefinition {
  const { name, help, labels = [] } = metric;
  return { name, type, unit: '', labels: [...labels], help, ...rest };
}
