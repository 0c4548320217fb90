import { type BenchmarkResult, parseObjective } from '@weir/bench';
import {
  type Counter,
  createMetrics,
  type Gauge,
  type Histogram,
  type MetricRegistry,
  type Metrics,
} from '@weir/metrics';
import type { BenchmarkRunner } from '../benchmarks/benchmark-runner.ts';
import { judgeAgainst, overallVerdict } from '../benchmarks/compare-runs.ts';
import type { Run, RunStore } from '../benchmarks/run-store.ts';
import { serviceMetric } from '../catalogue.ts';
import type { EngineClient } from '../threads/engine-client.ts';
import type { EngineStats } from '../threads/engine-protocol.ts';
import { version } from '../version.ts';

interface SelfMetricsOptions {
  readonly engine: EngineClient;
  readonly runs: RunStore;
  readonly runner: Pick<BenchmarkRunner, 'benchmarks' | 'progress'>;
  readonly registered: () => number;
}

/** The service's own metrics by `@weir/metrics`: runtime and HTTP as in any backend, and those of its catalogue. */
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

  /** Renders all metrics in the format that an Accept header asks for. */
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

interface BenchmarkMetricsOptions {
  readonly runs: RunStore;
  readonly runner: Pick<BenchmarkRunner, 'benchmarks' | 'progress'>;
}

const quantiles = [
  ['0.5', 'p50'],
  ['0.9', 'p90'],
  ['0.95', 'p95'],
  ['0.99', 'p99'],
  ['0.999', 'p999'],
] as const;
const verdicts = ['better', 'within noise', 'worse', 'mixed', 'unknown'] as const;
const gauges = [
  'requests_per_second',
  'latency_seconds',
  'error_ratio',
  'objective_met',
  'objective_threshold',
  'objective_actual',
  'verdict',
  'change_ratio',
  'passed',
  'doubts',
  'last_run_timestamp_seconds',
  'running',
  'current_requests_per_second',
] as const;

const outcomes = ['finished', 'failed', 'cancelled'] as const;

/** Earlier runs that the last one is compared with. */
const judgedBy = 30;

/** Gauges of every benchmark's last finished run, with its objectives and verdict. */
class BenchmarkMetrics {
  readonly #options: BenchmarkMetricsOptions;
  readonly #ended: Counter;
  readonly #gauges: Readonly<Record<(typeof gauges)[number], Gauge>>;
  readonly #counted = new Set<string>();
  #seen = '';

  constructor(registry: MetricRegistry, options: BenchmarkMetricsOptions) {
    this.#options = options;
    this.#ended = registry.counter(serviceMetric('weir_bench_runs_total'));
    this.#gauges = Object.fromEntries(
      gauges.map((name) => [name, registry.gauge(serviceMetric(`weir_bench_${name}`))]),
    ) as unknown as Readonly<Record<(typeof gauges)[number], Gauge>>;
  }

  /** Updates the gauges. Ended runs are read only when they have changed. */
  collect(): void {
    const { runs, runner } = this.#options;
    const configured = runner.benchmarks.map(({ name }) => name);
    const current = `${runs.version} ${JSON.stringify(configured)}`;
    if (current !== this.#seen) {
      this.#seen = current;
      this.#collectEnded([...new Set([...configured, ...runs.names()])]);
    }
    const active = runner.progress;
    for (const name of configured) {
      const isRunning = active?.benchmark === name;
      this.#gauges.running.labels(name).set(isRunning ? 1 : 0);
      const load = isRunning ? (active.progress?.requestsPerSecond ?? 0) : 0;
      this.#gauges.current_requests_per_second.labels(name).set(load);
    }
  }

  #collectEnded(names: readonly string[]): void {
    const { runs } = this.#options;
    // A counter is not reset, which would start its totals anew: benchmarks that are gone are removed.
    for (const name of this.#counted) {
      if (names.includes(name)) continue;
      this.#counted.delete(name);
      for (const outcome of outcomes) this.#ended.remove(name, outcome);
    }
    for (const gauge of Object.values(this.#gauges)) gauge.reset();
    for (const name of names) {
      const counts = runs.counts(name);
      this.#counted.add(name);
      for (const outcome of outcomes) {
        const found = counts.find(({ status }) => status === outcome);
        this.#ended.labels(name, outcome).setTotal(found?.count ?? 0);
      }
      const [last, ...earlier] = runs.finished(name, judgedBy + 1);
      if (last?.result != null) this.#collectLast(name, last, last.result, earlier);
    }
  }

  #collectLast(name: string, last: Run, result: BenchmarkResult, earlier: readonly Run[]): void {
    const set = this.#gauges;
    const { requests, latencyMs, objectives = [], doubts = [] } = result;
    set.requests_per_second.labels(name).set(requests.perSecond);
    for (const [quantile, field] of quantiles)
      set.latency_seconds.labels(name, quantile).set(latencyMs[field] / 1000);
    const attempts = Math.max(requests.total, requests.ok + requests.errors + requests.timeouts);
    set.error_ratio.labels(name).set(attempts === 0 ? 0 : 1 - requests.ok / attempts);
    for (const { expression, met, actual } of objectives) {
      set.objective_met.labels(name, expression).set(met ? 1 : 0);
      const objective = objectiveOf(expression);
      if (objective === undefined) continue;
      set.objective_threshold.labels(name, expression).set(objective.bound * objective.scale);
      if (actual !== null) set.objective_actual.labels(name, expression).set(actual * objective.scale);
    }
    const compared = judgeAgainst(earlier, result);
    const verdict = overallVerdict(compared);
    for (const one of verdicts) set.verdict.labels(name, one.replace(' ', '_')).set(one === verdict ? 1 : 0);
    if (earlier.length > 0)
      for (const { metric, change } of compared)
        if (change !== null) set.change_ratio.labels(name, metric).set(change);
    const isPassed = objectives.every(({ met }) => met) && doubts.length === 0 && verdict !== 'worse';
    set.passed.labels(name).set(isPassed ? 1 : 0);
    set.doubts.labels(name).set(doubts.length);
    if (last.endedAt !== null)
      set.last_run_timestamp_seconds.labels(name).set(Date.parse(last.endedAt) / 1000);
  }
}

/** An objective's bound, with the factor from its unit to Prometheus' base unit; `undefined` when the text is not an objective. */
function objectiveOf(expression: string): { readonly bound: number; readonly scale: number } | undefined {
  try {
    const { bound, metric } = parseObjective(expression);
    const isLatency = !['errors', 'timeouts', 'achievedRate', 'checks', 'rate'].includes(metric);
    return { bound, scale: isLatency ? 0.001 : 1 };
  } catch {
    return undefined;
  }
}
