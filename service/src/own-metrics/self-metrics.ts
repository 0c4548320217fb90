import { type Counter, createMetrics, type Gauge, type Histogram, type Metrics } from '@weir/metrics';
import type { BenchmarkRunner } from '../benchmarks/benchmark-runner.ts';
import type { RunStore } from '../benchmarks/run-store.ts';
import { serviceMetric } from '../catalogue.ts';
import type { EngineClient } from '../engine/engine-client.ts';
import type { EngineStats } from '../engine/engine-protocol.ts';
import { version } from '../version.ts';
import { BenchmarkMetrics } from './benchmark-metrics.ts';

export interface SelfMetricsOptions {
  readonly engine: EngineClient;
  readonly runs: RunStore;
  readonly runner: Pick<BenchmarkRunner, 'benchmarks' | 'progress'>;
  readonly registered: () => number;
}

/** The service's own metrics, by `@weir/metrics`: runtime and HTTP as any backend has them, and what only a Weir service has. */
export class SelfMetrics {
  readonly metrics: Metrics;
  readonly #options: SelfMetricsOptions;
  readonly #queries: Histogram;
  readonly #registrations: Counter;
  readonly #written: Counter;
  readonly #notifications: Counter;
  readonly #unnotified: Gauge;
  readonly #benchmarks: BenchmarkMetrics;
  readonly #store: {
    readonly samples: Counter;
    readonly refused: Counter;
    readonly bytes: Gauge;
    readonly backlog: Gauge;
    readonly series: Gauge;
    readonly writable: Gauge;
    readonly active: Gauge;
    readonly busy: Gauge;
  };

  constructor(options: SelfMetricsOptions) {
    this.#options = Object.freeze({ ...options });
    this.metrics = createMetrics({ service: 'weir', version });
    const { registry } = this.metrics;
    this.#queries = registry.histogram(serviceMetric('weir_query_duration_seconds'));
    this.#registrations = registry.counter(serviceMetric('weir_target_registrations_total'));
    this.#written = registry.counter(serviceMetric('weir_remote_write_samples_total'));
    for (const outcome of ['sent', 'refused', 'dropped']) this.#written.labels(outcome);
    this.#notifications = registry.counter(serviceMetric('weir_alert_notifications_total'));
    for (const outcome of ['delivered', 'failed']) this.#notifications.labels(outcome);
    this.#unnotified = registry.gauge(serviceMetric('weir_alert_notifications_pending'));
    this.#unnotified.set(0);
    this.#store = {
      samples: registry.counter(serviceMetric('weir_store_samples_total')),
      refused: registry.counter(serviceMetric('weir_store_samples_refused_total')),
      bytes: registry.gauge(serviceMetric('weir_store_size_bytes')),
      backlog: registry.gauge(serviceMetric('weir_remote_write_backlog_bytes')),
      series: registry.gauge(serviceMetric('weir_store_series')),
      writable: registry.gauge(serviceMetric('weir_store_writable')),
      active: registry.gauge(serviceMetric('weir_query_active')),
      busy: registry.gauge(serviceMetric('weir_engine_busy_ratio')),
    };
    const registered = registry.gauge(serviceMetric('weir_targets_registered'));
    this.#benchmarks = new BenchmarkMetrics(registry, options);
    registry.onCollect(() => {
      registered.set(options.registered());
      this.#benchmarks.collect();
    });
  }

  observeQuery(endpoint: string, seconds: number): void {
    this.#queries.labels(endpoint).observe(seconds);
  }

  observeRegistration(outcome: string): void {
    this.#registrations.labels(outcome).inc();
  }

  observeRemoteWrite(outcome: string, samples: number): void {
    this.#written.labels(outcome).inc(samples);
  }

  observeNotification(outcome: string, alerts: number): void {
    this.#notifications.labels(outcome).inc(alerts);
  }

  watchNotifier(notifier: { readonly pending: number }): void {
    this.metrics.registry.onCollect(() => this.#unnotified.set(notifier.pending));
  }

  /** One scrape in the format that suits an Accept header. */
  async render(accept?: string): Promise<{ readonly contentType: string; readonly body: string | Buffer }> {
    const { engine } = this.#options;
    if (engine.isReady) this.#collectStore(await engine.call('stats'));
    return this.metrics.expose(accept);
  }

  #collectStore(stats: EngineStats): void {
    const { samples, refused, bytes, backlog, series, writable, active, busy } = this.#store;
    const { engine } = this.#options;
    samples.labels().setTotal(stats.samplesAppended);
    refused.labels('out_of_order').setTotal(stats.refused.outOfOrder);
    refused.labels('out_of_bounds').setTotal(stats.refused.outOfBounds);
    bytes.set(stats.bytes);
    backlog.set(stats.backlogBytes);
    series.set(stats.series);
    writable.set(stats.failure === undefined ? 1 : 0);
    active.set(engine.activeQueries);
    for (const [thread, ratio] of Object.entries(engine.busyRatios())) busy.labels(thread).set(ratio);
  }
}
