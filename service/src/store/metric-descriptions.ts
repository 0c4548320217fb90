import { detached, type SeriesIndex } from './series-index.ts';

/** What a metric is, as `# TYPE`, `# HELP` and `# UNIT` say. */
export interface MetricDescription {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** What the names of a metric's series add to its own. */
const suffixes = ['', '_total', '_bucket', '_count', '_sum', '_created', '_info', '_gcount', '_gsum'];

/**
 * The descriptions of those metrics that the store holds series of: without a series there is none, so that the limit on series
 * bounds descriptions too.
 */
export class MetricDescriptions {
  readonly #index: SeriesIndex;
  readonly #kept = new Map<string, MetricDescription>();
  /** Told since the last append; not kept yet. */
  readonly #told = new Map<string, MetricDescription>();

  constructor(index: SeriesIndex) {
    this.#index = index;
  }

  /** Those that are kept, by metric. */
  get all(): ReadonlyMap<string, MetricDescription> {
    return this.#kept;
  }

  /** Takes over what a file holds; returns the metrics that have no series any more. */
  load(rows: Iterable<MetricDescription & { readonly metric: string }>): string[] {
    this.#kept.clear();
    for (const { metric, type, help, unit } of rows) this.#kept.set(metric, { type, help, unit });
    return this.prune();
  }

  /** Remembers a description until {@link take}. */
  tell(metric: string, description: MetricDescription): void {
    const known = this.#kept.get(metric);
    const { type, help, unit } = description;
    if (known?.type === type && known.help === help && known.unit === unit) return;
    this.#told.set(metric, description);
  }

  /** What was told and is new, of metrics that have series by now. What was told is forgotten with that. */
  take(): Map<string, MetricDescription> {
    const taken = new Map<string, MetricDescription>();
    for (const [metric, { type, help, unit }] of this.#told)
      if (this.#hasSeries(metric))
        taken.set(detached(metric), {
          type: detached(type),
          help: detached(help),
          unit: detached(unit),
        });
    this.#told.clear();
    return taken;
  }

  /** Keeps what was taken. */
  keep(taken: ReadonlyMap<string, MetricDescription>): void {
    for (const [metric, description] of taken) this.#kept.set(metric, description);
  }

  /** Forgets metrics that have no series any more and returns them. */
  prune(): string[] {
    const gone = [...this.#kept.keys()].filter((metric) => !this.#hasSeries(metric));
    for (const metric of gone) this.#kept.delete(metric);
    return gone;
  }

  #hasSeries(metric: string): boolean {
    return suffixes.some((suffix) => this.#index.has('__name__', metric + suffix));
  }
}
