/** All families of one `createMetrics`, the collectors that update them, and the team's registries that also hold them. */
import { Callbacks } from './callbacks.ts';
import type { MetricDefinition } from './catalogue.ts';
import { metricsError } from './errors.ts';
import {
  PromBridge,
  type PromMetricData,
  type PromRegistry,
  renderForeign,
} from './exposition/prom-bridge.ts';
import { ProtoWriter, writeFamily, writeForeign } from './exposition/protobuf.ts';
import { type AnyFamily, renderFamily, type TextFormat } from './exposition/text.ts';
import { Counter, Gauge } from './instruments/counter-gauge.ts';
import { Histogram } from './instruments/histogram.ts';

/** Where time comes from. `now` is in milliseconds, may be fractional, and must never step back. */
export interface Clock {
  now(): number;
}

/** Updates gauges and totals that are kept elsewhere; runs synchronously right before a scrape. */
type Collector = () => void;

/** Options of a family. */
export interface FamilyOptions {
  /**
   * Label sets kept before new ones share the overflow series.
   * @defaultValue the registry's
   */
  readonly maxSeries?: number;
  /**
   * Whether a histogram has native buckets too.
   * @defaultValue the registry's
   */
  readonly native?: boolean;
}

/** Holds families by name and renders them all as one scrape. */
export class MetricRegistry {
  readonly clock: Clock;
  readonly #maxSeries: number;
  readonly #native: boolean;
  readonly #families = new Map<string, AnyFamily>();
  readonly #collectors = new Set<Collector>();
  readonly #registries: readonly PromRegistry[];
  readonly #bridged = new Map<PromRegistry, Map<string, PromBridge>>();
  #callbacks: Callbacks | undefined;
  #collected = false;
  #ownScrape = false;

  constructor(options: {
    readonly clock: Clock;
    readonly maxSeries: number;
    readonly registries: readonly PromRegistry[];
    readonly native?: boolean | undefined;
  }) {
    this.clock = options.clock;
    this.#native = options.native ?? false;
    this.#maxSeries = options.maxSeries;
    this.#registries = [...new Set(options.registries)];
  }

  /** Calls the program's callbacks; the first use registers the count of their errors. */
  get callbacks(): Callbacks {
    this.#callbacks ??= new Callbacks(this);
    return this.#callbacks;
  }

  /** Registers a counter. Throws if the name is taken. */
  counter(definition: MetricDefinition, options?: FamilyOptions): Counter {
    return this.#register(new Counter(definition, options?.maxSeries ?? this.#maxSeries));
  }

  /** Registers a gauge. Throws if the name is taken. */
  gauge(definition: MetricDefinition, options?: FamilyOptions): Gauge {
    return this.#register(new Gauge(definition, options?.maxSeries ?? this.#maxSeries));
  }

  /** Registers a histogram. Throws if the name is taken. */
  histogram(definition: MetricDefinition, options?: FamilyOptions): Histogram {
    return this.#register(
      new Histogram(definition, options?.maxSeries ?? this.#maxSeries, options?.native ?? this.#native),
    );
  }

  /** Whether this registry or one of the team's holds a family of that name. */
  has(name: string): boolean {
    return (
      this.#families.has(name) ||
      this.#registries.some((registry) => registry.getSingleMetric(name) !== undefined)
    );
  }

  /** Runs `register`. If it throws, the families it registered are removed again, here and in the team's registries. */
  atomically<T>(register: () => T): T {
    const before = new Set(this.#families.keys());
    try {
      return register();
    } catch (error) {
      for (const name of [...this.#families.keys()]) if (!before.has(name)) this.#remove(name);
      throw error;
    }
  }

  /** Every family, in the order of registration. */
  families(): IterableIterator<AnyFamily> {
    return this.#families.values();
  }

  /** Runs `collector` before every scrape; call the result to stop. */
  onCollect(collector: Collector): () => void {
    this.#collectors.add(collector);
    return () => this.#collectors.delete(collector);
  }

  /** Runs every collector. */
  collect(): void {
    for (const collector of this.#collectors) collector();
  }

  /** One scrape as text: our families first, then the other metrics of the team's registries. */
  async render(format: TextFormat): Promise<string> {
    this.collect();
    let text = '';
    for (const family of this.#families.values()) text += renderFamily(family, format);
    for (const metric of await this.#foreign()) text += renderForeign(metric, format);
    return format === 'openmetrics' ? `${text}# EOF\n` : text;
  }

  /** One scrape as protobuf, the only format that carries native histograms. */
  async renderProtobuf(): Promise<Buffer> {
    this.collect();
    const writer = new ProtoWriter();
    for (const family of this.#families.values()) writeFamily(writer, family);
    for (const metric of await this.#foreign()) writeForeign(writer, metric);
    return writer.finish();
  }

  /** Removes our families from the team's registries. */
  close(): void {
    for (const name of this.#families.keys()) this.#leaveRegistries(name);
    this.#bridged.clear();
    this.#collectors.clear();
  }

  #register<F extends AnyFamily>(family: F): F {
    const { name } = family.definition;
    if (this.has(name)) throw metricsError('ERR_WEIR_METRICS_DUPLICATE', name);
    this.#families.set(name, family);
    try {
      for (const registry of this.#registries) this.#bridge(family, registry);
    } catch (error) {
      this.#remove(name);
      throw error;
    }
    return family;
  }

  #bridge(family: AnyFamily, registry: PromRegistry): void {
    const bridge = new PromBridge(family, () => this.#beforeForeignScrape());
    registry.registerMetric(bridge as never);
    const bridges = this.#bridged.get(registry) ?? new Map<string, PromBridge>();
    this.#bridged.set(registry, bridges.set(family.definition.name, bridge));
  }

  #remove(name: string): void {
    this.#leaveRegistries(name);
    this.#families.delete(name);
  }

  // After the team's `clear()` another metric may hold the name.
  #leaveRegistries(name: string): void {
    for (const [registry, bridges] of this.#bridged) {
      const bridge = bridges.get(name);
      if (bridge !== undefined && registry.getSingleMetric(name) === bridge)
        registry.removeSingleMetric(name);
      bridges.delete(name);
    }
  }

  // prom-client reads every metric within one synchronous run, and so does our own scrape: one collection serves the run.
  #beforeForeignScrape(): boolean {
    if (this.#ownScrape) return false;
    if (!this.#collected) {
      this.#collected = true;
      queueMicrotask(() => {
        this.#collected = false;
      });
      this.collect();
    }
    return true;
  }

  async #foreign(): Promise<readonly PromMetricData[]> {
    const found: PromMetricData[] = [];
    for (const registry of this.#registries) {
      const ours = this.#bridged.get(registry);
      const isTheirs = ({ name }: PromMetricData): boolean => !ours?.has(name) && !ours?.has(`${name}_total`);
      for (const metric of (await this.#jsonOf(registry)).filter(isTheirs)) {
        // Summaries and histograms without labels may lack even an empty object here.
        const values = metric.values?.map((value) => ({ ...value, labels: value.labels ?? {} }));
        found.push({ ...metric, values });
      }
    }
    return found;
  }

  async #jsonOf(registry: PromRegistry): Promise<readonly PromMetricData[]> {
    this.#ownScrape = true;
    try {
      const start = (): Promise<readonly PromMetricData[]> =>
        registry.getMetricsAsJSON() as Promise<readonly PromMetricData[]>;
      return await startSynchronously(start, () => {
        this.#ownScrape = false;
      });
    } finally {
      this.#ownScrape = false;
    }
  }
}

function startSynchronously<T>(start: () => Promise<T>, afterStart: () => void): Promise<T> {
  const pending = start();
  afterStart();
  return pending;
}
