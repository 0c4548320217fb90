/** The facade: one object that owns the registry, what feeds it and the ways out of it. */
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
import { stateProbe } from './http/track-response.ts';
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
  readonly version?: string;
  readonly http?: { /** Label sets of HTTP metrics. Default 2,000. */ readonly maxSeries?: number };
  readonly db?: QueryOptions;
  /** Process, event-loop, heap and GC metrics. Default `true`. */
  readonly runtime?: boolean;
  /** Registries of prom-client 15 or `@prometheus-io/client` that get our metrics and whose metrics our scrape carries. */
  readonly registries?: readonly PromRegistry[];
  /** Label sets a family keeps before new ones share its overflow series. Default 2,000. */
  readonly maxSeries?: number;
  /** Gives every histogram native buckets beside its classic ones; scraped by protobuf only. Default `false`. */
  readonly nativeHistograms?: boolean;
  /**
   * Where time comes from: monotonic milliseconds, which may be fractional.
   * @defaultValue `performance.now`
   */
  readonly clock?: Clock;
}

/** A family of your own: its definition without what has a default. */
export interface OwnMetric extends FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** What {@link createMetrics} makes. */
export interface Metrics {
  readonly registry: MetricRegistry;
  /** For HTTP adapters. */
  readonly http: HttpRecorder;
  counter(metric: OwnMetric): Counter;
  /** `aggregator` says how the values of several processes become one. Default: `max` for names in `_ratio`, else `sum`. */
  gauge(metric: OwnMetric & { readonly aggregator?: GaugeAggregator }): Gauge;
  /** `buckets` default to those of HTTP durations in seconds. */
  histogram(metric: OwnMetric & { readonly buckets?: readonly number[] }): Histogram;
  /** Liveness and readiness; call it once. */
  health(options: HealthOptions): Health;
  /** Counts requests, or other events, against an objective. */
  slo(options: SloOptions): Slo;
  /**
   * Times the queries of a client or pool and returns the same object. A client that other metrics instrumented goes over to these. Throws for a client
   * it does not know.
   */
  instrument<T extends object>(client: T, options?: { readonly name?: string }): T;
  /** One scrape in the text format that suits an Accept header best. */
  scrape(accept?: string): Promise<{ readonly contentType: string; readonly body: string }>;
  /** One scrape in whatever format suits an Accept header best; protobuf is the one that carries native histograms. */
  expose(accept?: string): Promise<{ readonly contentType: string; readonly body: string | Buffer }>;
  /** Serves the scrape on node:http and what builds on it. */
  handler(): (request: IncomingMessage, response: ServerResponse) => void;
  /** Stops timers, observers and subscriptions, and takes our metrics out of the registries. */
  close(): Promise<void>;
}

function ownDefinition(
  metric: OwnMetric,
  type: MetricDefinition['type'],
  rest: Pick<MetricDefinition, 'buckets' | 'aggregator'> = {},
): MetricDefinition {
  const { name, help, labels = [] } = metric;
  return { name, type, unit: '', labels: [...labels], help, ...rest };
}

function isRegistry(registry: unknown): boolean {
  return typeof (registry as PromRegistry | null | undefined)?.registerMetric === 'function';
}

function validate(options: MetricsOptions): void {
  const positive = (name: string, value: number | undefined, allowInfinity: boolean): void => {
    if (
      value === undefined ||
      (Number.isSafeInteger(value) && value > 0) ||
      (allowInfinity && value === Infinity)
    )
      return;
    throw metricsError('ERR_WEIR_METRICS_OPTION', name, 'a positive integer', value);
  };
  if (typeof options.service !== 'string' || options.service === '') {
    throw metricsError('ERR_WEIR_METRICS_OPTION', 'service', 'a non-empty string', options.service);
  }
  const { registries = [] } = options;
  if (!Array.isArray(registries) || !registries.every(isRegistry)) {
    const expected = 'a list of registries of prom-client, such as `[register]`';
    throw metricsError('ERR_WEIR_METRICS_OPTION', 'registries', expected, registries);
  }
  positive('maxSeries', options.maxSeries, false);
  positive('http.maxSeries', options.http?.maxSeries, false);
  positive('db.maxStatements', options.db?.maxStatements, false);
  positive('db.nPlusOneThreshold', options.db?.nPlusOneThreshold, true);
  const slow = options.db?.slowQueryMs;
  if (slow !== undefined && !(slow >= 0))
    throw metricsError('ERR_WEIR_METRICS_OPTION', 'db.slowQueryMs', 'at least 0', slow);
}

interface Recorders {
  readonly http: HttpRecorder;
  readonly queries: QueryRecorder;
  readonly pools: PoolRecorder;
  /** Stops everything, and takes the families out of the team's registries. */
  readonly stop: () => void;
}

// Where a name is taken, nothing of what was started and registered before stays.
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

const monotonicClock: Clock = { now: () => performance.now() };

/** Starts collecting. One a process is usual; each has its own registry. Where it throws, nothing stays behind. */
export function createMetrics(options: MetricsOptions): Metrics {
  validate(options);
  const { clock = monotonicClock, maxSeries = defaultMaxSeries, registries = [] } = options;
  const registry = new MetricRegistry({ clock, maxSeries, registries, native: options.nativeHistograms });
  const { http, queries, pools, stop } = startRecorders(registry, options);
  let slos: SloRecorder | undefined;

  const scrape: Metrics['scrape'] = async (accept) => {
    const { format, contentType } = negotiate(accept);
    // Asked for protobuf alone, text is what every scraper takes.
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
        throw metricsError('ERR_WEIR_METRICS_OPTION', 'aggregator', '`sum`, `min` or `max`', aggregator);
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
      stateProbe(response);
      expose(request.headers.accept).then(
        ({ contentType, body }) => response.setHeader('content-type', contentType).end(body),
        (error: unknown) =>
          response.writeHead(500, { 'content-type': 'text/plain' }).end(`${String(error)}\n`),
      );
    },
    close: async () => {
      stop();
      await queries.close();
    },
  });
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
