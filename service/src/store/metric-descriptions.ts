import { detached, type SeriesIndex } from './series-index.ts';

/** The `# TYPE`, `# HELP` and `# UNIT` of a metric. */
export interface MetricDescription {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** Suffixes that the series of a metric add to its name. */
const suffixes = ['', '_total', '_bucket', '_count', '_sum', '_created', '_info', '_gcount', '_gsum'];

/**
 * Descriptions of the metrics that have a series in the store. Without a series there is no description, so the limit on series
 * bounds descriptions too.
 */
export class MetricDescriptions {
  readonly #index: SeriesIndex;
  readonly #kept = new Map<string, MetricDescription>();
  /** Received since the last append, not kept yet. */
  readonly #received = new Map<string, MetricDescription>();

  constructor(index: SeriesIndex) {
    this.#index = index;
  }

  /** The kept descriptions by metric. */
  get all(): ReadonlyMap<string, MetricDescription> {
    return this.#kept;
  }

  /** Replaces all descriptions by those of a file; returns the metrics without a series, which are dropped. */
  load(rows: Iterable<MetricDescription & { readonly metric: string }>): string[] {
    this.#kept.clear();
    for (const { metric, type, help, unit } of rows) this.#kept.set(metric, { type, help, unit });
    return this.prune();
  }

  /** Remembers a description until {@link take}. */
  receive(metric: string, description: MetricDescription): void {
    const known = this.#kept.get(metric);
    const { type, help, unit } = description;
    if (known?.type === type && known.help === help && known.unit === unit) return;
    this.#received.set(metric, description);
  }

  /** Removes the received descriptions and returns those whose metrics have a series by now. */
  take(): Map<string, MetricDescription> {
    const taken = new Map<string, MetricDescription>();
    for (const [metric, { type, help, unit }] of this.#received)
      if (this.#hasSeries(metric))
        taken.set(detached(metric), {
          type: detached(type),
          help: detached(help),
          unit: detached(unit),
        });
    this.#received.clear();
    return taken;
  }

  /** Keeps descriptions that {@link take} returned. */
  keep(taken: ReadonlyMap<string, MetricDescription>): void {
    for (const [metric, description] of taken) this.#kept.set(metric, description);
  }

  /** Drops the descriptions of metrics without a series and returns the metrics. */
  prune(): string[] {
    const gone = [...this.#kept.keys()].filter((metric) => !this.#hasSeries(metric));
    for (const metric of gone) this.#kept.delete(metric);
    return gone;
  }

  #hasSeries(metric: string): boolean {
    return suffixes.some((suffix) => this.#index.has('__name__', metric + suffix));
  }
}
