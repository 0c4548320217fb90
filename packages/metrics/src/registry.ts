/** All families of one `createMetrics`, the collectors that bring them up to date, and the registries they also stand in. */
import type { MetricDefinition } from './catalogue.ts';
import { metricsError } from './errors.ts';
import {
  PromBridge,
  type PromMetricData,
  type PromRegistry,
  renderForeign,
} from './exposition/prom-bridge.ts';
import { ProtoWriter } from './exposition/proto-writer.ts';
import { writeFamily, writeForeign } from './exposition/protobuf.ts';
import { type AnyFamily, renderFamily, type TextFormat } from './exposition/text.ts';
import { Counter } from './instruments/counter.ts';
import { Gauge } from './instruments/gauge.ts';
import { Histogram } from './instruments/histogram.ts';

/** Brings gauges and totals that are kept elsewhere up to date; runs synchronously right before a scrape. */
export type Collector = () => void;

/** Options of a family. */
export interface FamilyOptions {
  /** Label sets kept before new ones share the overflow series. Default: the registry's. */
  readonly maxSeries?: number;
  /** Whether a histogram has native buckets too. Default: the registry's. */
  readonly native?: boolean;
}

/** Holds families by name and renders them all as one scrape. */
export class MetricRegistry {
  readonly #maxSeries: number;
  readonly #native: boolean;
  readonly #families = new Map<string, AnyFamily>();
  readonly #collectors = new Set<Collector>();
  readonly #registries: readonly PromRegistry[];
  readonly #bridged = new Map<PromRegistry, Set<string>>();
  #collected = false;
  #ownScrape = false;

  constructor(options: {
    readonly maxSeries: number;
    readonly registries: readonly PromRegistry[];
    readonly native?: boolean | undefined;
  }) {
    this.#native = options.native ?? false;
    this.#maxSeries = options.maxSeries;
    this.#registries = options.registries;
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

  /** Whether a family of that name stands here or in one of the team's registries. */
  has(name: string): boolean {
    return (
      this.#families.has(name) ||
      this.#registries.some((registry) => registry.getSingleMetric(name) !== undefined)
    );
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

  /** Brings every family up to date. */
  collect(): void {
    for (const collector of this.#collectors) collector();
  }

  /** One scrape as text: our families first, then what else the team's registries hold. */
  async render(format: TextFormat): Promise<string> {
    this.collect();
    let text = '';
    for (const family of this.#families.values()) text += renderFamily(family, format);
    for (const metric of await this.#foreign()) text += renderForeign(metric, format);
    return format === 'openmetrics' ? `${text}# EOF\n` : text;
  }

  /** One scrape as protobuf, the format that carries native histograms. */
  async renderProtobuf(): Promise<Buffer> {
    this.collect();
    const writer = new ProtoWriter();
    for (const family of this.#families.values()) writeFamily(writer, family);
    for (const metric of await this.#foreign()) writeForeign(writer, metric);
    return writer.finish();
  }

  /** Takes our families out of the team's registries again. */
  close(): void {
    for (const [registry, names] of this.#bridged)
      for (const name of names) registry.removeSingleMetric(name);
    this.#bridged.clear();
    this.#collectors.clear();
  }

  #register<F extends AnyFamily>(family: F): F {
    const { name } = family.definition;
    if (this.has(name)) throw metricsError('ERR_WEIR_METRICS_DUPLICATE', name);
    this.#families.set(name, family);
    for (const registry of this.#registries) {
      registry.registerMetric(new PromBridge(family, () => this.#beforeForeignScrape()) as never);
      const names = this.#bridged.get(registry) ?? new Set();
      this.#bridged.set(registry, names.add(name));
    }
    return family;
  }

  // prom-client asks every metric for its values within one synchronous run, and so does our own scrape.
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
      found.push(...(await this.#jsonOf(registry)).filter(isTheirs));
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
