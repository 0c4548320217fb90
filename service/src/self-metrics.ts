import { Counter, collectDefaultMetrics, Gauge, Histogram, type LabelValues, Registry } from 'prom-client';
import type { RunStore } from './benchmarks/run-store.ts';
import { serviceMetric } from './catalogue.ts';
import type { EngineClient } from './engine/engine-client.ts';

export interface SelfMetricsOptions {
  readonly engine: EngineClient;
  readonly runs: RunStore;
  readonly benchmarks: () => readonly { readonly name: string }[];
}

const quantiles = [
  ['0.5', 'p50'],
  ['0.9', 'p90'],
  ['0.95', 'p95'],
  ['0.99', 'p99'],
  ['0.999', 'p999'],
] as const;

/** The service's own metrics. Values are read when scraped; only query times are counted as they happen. */
export class SelfMetrics {
  readonly registry: Registry = new Registry();
  readonly #options: SelfMetricsOptions;
  readonly #queries: Histogram;

  constructor(options: SelfMetricsOptions) {
    this.#options = Object.freeze({ ...options });
    collectDefaultMetrics({ register: this.registry });
    const { buckets = [], ...query } = this.#describe('weir_query_duration_seconds');
    this.#queries = new Histogram({ ...query, buckets: [...buckets] });
    this.#addStoreMetrics();
    this.#addBenchmarkMetrics();
  }

  observeQuery(endpoint: string, seconds: number): void {
    this.#queries.observe({ endpoint }, seconds);
  }

  /** Text format 0.0.4. */
  render(): Promise<string> {
    return this.registry.metrics();
  }

  #describe(name: string): {
    name: string;
    help: string;
    labelNames: string[];
    registers: Registry[];
    buckets?: readonly number[];
  } {
    const { help, labels, buckets } = serviceMetric(name);
    return {
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      ...(buckets === undefined ? {} : { buckets }),
    };
  }

  #gauge(name: string, read: (gauge: Gauge) => void | Promise<void>): void {
    const { buckets: _, ...description } = this.#describe(name);
    new Gauge({
      ...description,
      async collect() {
        this.reset();
        await read(this);
      },
    });
  }

  #addStoreMetrics(): void {
    const { engine } = this.#options;
    const { buckets: _, ...samples } = this.#describe('weir_store_samples_total');
    new Counter({
      ...samples,
      async collect() {
        if (!engine.isReady) return;
        const { samplesAppended } = await engine.call('stats');
        this.reset();
        this.inc(samplesAppended);
      },
    });
    this.#gauge('weir_store_size_bytes', async (gauge) => {
      if (engine.isReady) gauge.set((await engine.call('stats')).bytes);
    });
    this.#gauge('weir_store_writable', async (gauge) => {
      if (engine.isReady) gauge.set((await engine.call('stats')).failure === undefined ? 1 : 0);
    });
    this.#gauge('weir_store_series', async (gauge) => {
      if (engine.isReady) gauge.set((await engine.call('stats')).series);
    });
  }

  #addBenchmarkMetrics(): void {
    const { runs, benchmarks } = this.#options;
    const { buckets: _, ...counted } = this.#describe('weir_bench_runs_total');
    new Counter({
      ...counted,
      collect() {
        this.reset();
        for (const { name } of benchmarks())
          for (const outcome of ['finished', 'failed', 'cancelled'] as const) {
            const found = runs.counts(name).find(({ status }) => status === outcome);
            this.inc({ benchmark: name, outcome } satisfies LabelValues<string>, found?.count ?? 0);
          }
      },
    });
    const last = (read: (benchmark: string, result: LastResult) => void): void => {
      for (const { name } of benchmarks()) {
        const result = runs.lastFinished(name)?.result;
        if (result !== undefined && result !== null) read(name, result);
      }
    };
    this.#gauge('weir_bench_requests_per_second', (gauge) =>
      last((benchmark, { requests }) => gauge.set({ benchmark }, requests.perSecond)),
    );
    this.#gauge('weir_bench_latency_seconds', (gauge) =>
      last((benchmark, { latencyMs }) => {
        for (const [quantile, field] of quantiles)
          gauge.set({ benchmark, quantile }, latencyMs[field] / 1000);
      }),
    );
    this.#gauge('weir_bench_objective_met', (gauge) =>
      last((benchmark, { objectives }) => {
        for (const { expression, met } of objectives ?? [])
          gauge.set({ benchmark, objective: expression }, met ? 1 : 0);
      }),
    );
    this.#gauge('weir_bench_error_ratio', (gauge) =>
      last((benchmark, { requests: { total, ok, errors, timeouts } }) => {
        const attempts = Math.max(total, ok + errors + timeouts);
        gauge.set({ benchmark }, attempts === 0 ? 0 : 1 - ok / attempts);
      }),
    );
  }
}

type LastResult = NonNullable<NonNullable<ReturnType<RunStore['lastFinished']>>['result']>;
