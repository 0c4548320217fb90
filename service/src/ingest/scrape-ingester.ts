import { Labels } from '@weir/promql';
import { messageOf, ServiceError } from '../errors.ts';
import type { Exemplar } from '../store/exemplars.ts';
import { type MetricStore, refusalOf } from '../store/metric-store.ts';
import { type MemorySeries, SampleBatch } from '../store/series.ts';
import { detached } from '../store/series-index.ts';
import { ExpositionParser, expositionFormat } from './exposition-parser.ts';
import { checkLabels, OwnedSeries, type ScrapeLimits } from './series-admission.ts';
import { parseLabelSet, parseSeriesText } from './series-text.ts';

/** One attempt to scrape a target, as the main thread passes it to the store's thread. */
export interface ScrapeReport {
  /** Unique among targets. The ingester remembers the series of the last scrape by it. */
  readonly key: string;
  /** `job`, `instance` and the configured labels. They win over labels of the same name in the exposition. */
  readonly labels: Readonly<Record<string, string>>;
  readonly timeMs: number;
  readonly elapsedMs: number;
  /** Absent when the target could not be read. */
  readonly body?: Uint8Array;
  readonly contentType?: string;
  readonly limits: ScrapeLimits;
  /**
   * Set for a pushed body, which gets no `up` and `scrape_*`. `once` is the push itself, written whole or not at all. `again`
   * repeats it at a later time, without the samples that have their own timestamps.
   */
  readonly push?: 'once' | 'again';
}

export interface ScrapeOutcome {
  readonly samples: number;
  /** Why nothing of the exposition was stored, or `undefined`. */
  readonly error: string | undefined;
  /** Why samples were refused for their time, or `undefined`. The others are stored. */
  readonly refusal: string | undefined;
}

interface Seen {
  readonly known: KnownSeries;
  readonly isPush: boolean;
  /** Series of the last good scrape without their own timestamps. They get a stale marker when they vanish. */
  live: readonly MemorySeries[];
}

/** Writes scrapes, one transaction each, with `up`, `scrape_*`, and stale markers for series that vanished. */
export class ScrapeIngester {
  readonly #store: MetricStore;
  readonly #owned: OwnedSeries;
  readonly #seen = new Map<string, Seen>();
  /** Scrapes so far, the current one included. */
  #scrape = 0;

  constructor(store: MetricStore, owned: OwnedSeries = new OwnedSeries()) {
    this.#store = store;
    this.#owned = owned;
  }

  /** @throws ServiceError `ERR_WEIR_SERVICE_STORE_FULL` */
  ingest(report: ScrapeReport): ScrapeOutcome {
    const started = performance.now();
    const isPush = report.push !== undefined;
    const owner = isPush ? this.#ownerOf(report.labels) : undefined;
    if (owner !== undefined) return { samples: 0, error: owner, refusal: undefined };
    const seen: Seen = this.#seen.get(report.key) ?? { known: new KnownSeries(), isPush, live: [] };
    this.#scrape++;
    const attempt = report.body === undefined ? undefined : this.#parse(report, report.body, seen);
    const good = attempt !== undefined && attempt.error === undefined ? attempt : undefined;
    const batch = good?.batch ?? new SampleBatch<MemorySeries>();
    const live = good?.live ?? [];
    let stayed = 0;
    for (const series of seen.live) {
      if (good !== undefined && series.shownIn === this.#scrape) stayed++;
      else if (!series.isRemoved) batch.addStale(series, report.timeMs);
    }
    const duration = (report.elapsedMs + performance.now() - started) / 1000;
    const count = attempt?.samples ?? 0;
    const own: [string, number][] = [
      ['up', good === undefined ? 0 : 1],
      ['scrape_duration_seconds', duration],
      ['scrape_samples_scraped', count],
      ['scrape_samples_post_metric_relabeling', count],
      ['scrape_series_added', live.length - stayed],
    ];
    for (const [name, value] of isPush ? [] : own) {
      const series = this.#store.resolve(Labels.from({ ...report.labels, __name__: name }));
      if (series !== undefined) batch.add(series, report.timeMs, value);
    }
    const isWhole = report.push === 'once';
    const refusal = refusalOf(this.#store.append(batch, good?.exemplars, isWhole));
    if (isWhole && refusal !== undefined) return { samples: 0, error: refusal, refusal };
    seen.live = live;
    // A refused push is not repeated, so `forget` would never be called for it.
    if (!isPush || good !== undefined) this.#seen.set(report.key, seen);
    return { samples: count, error: attempt?.error, refusal };
  }

  /** Ends the series of the target's last scrape with stale markers and forgets them. */
  forget(key: string, labels: Readonly<Record<string, string>>, timeMs: number): void {
    const seen = this.#seen.get(key);
    if (seen === undefined) return;
    this.#seen.delete(key);
    // A scraped target owns the series by now.
    if (seen.isPush && this.#ownerOf(labels) !== undefined) return;
    const batch = new SampleBatch<MemorySeries>();
    for (const series of seen.live) if (!series.isRemoved) batch.addStale(series, timeMs);
    for (const name of ['up', ...scrapeSeriesNames]) {
      const series = this.#store.index.byLabels(Labels.from({ ...labels, __name__: name }));
      if (series !== undefined) batch.addStale(series, timeMs);
    }
    this.#store.append(batch);
  }

  #ownerOf({ job, instance }: Readonly<Record<string, string>>): string | undefined {
    return this.#owned.refusalOfTarget(job, instance);
  }

  #parse(report: ScrapeReport, body: Uint8Array, seen: Seen): Parsed {
    const parsed: Parsed = {
      batch: new SampleBatch(),
      exemplars: [],
      live: [],
      samples: 0,
      error: undefined,
    };
    const known = seen.known.scrape();
    let last: MemorySeries | undefined;
    const described = new Map<string, { type: string; help: string; unit: string }>();
    const parser = new ExpositionParser(expositionFormat(report.contentType), {
      expected: known.expected,
      sample: (text, value, timeMs) => {
        if (++parsed.samples > report.limits.maxSamples) {
          throw new ServiceError(
            'ERR_WEIR_SERVICE_EXPOSITION',
            `more than ${report.limits.maxSamples} samples. Raise \`scrape.maxSamples\` or expose fewer.`,
          );
        }
        const series = known.find(text) ?? this.#learn(text, report, known);
        last = series;
        if (timeMs !== undefined && report.push === 'again') return;
        parsed.batch.add(series, timeMs ?? report.timeMs, value);
        if (timeMs === undefined && series.shownIn !== this.#scrape) {
          series.shownIn = this.#scrape;
          parsed.live.push(series);
        }
      },
      exemplar: (text, value, timeMs) => {
        if (last === undefined) return;
        const labels = parseLabelSet(text);
        parsed.exemplars.push({ series: last, labels, value, timeMs: timeMs ?? report.timeMs });
      },
      metadata: (metric, kind, text) => {
        const entry = described.get(metric) ?? { type: 'unknown', help: '', unit: '' };
        entry[kind] = kind === 'type' && text === 'untyped' ? 'unknown' : text.slice(0, 1_024);
        described.set(metric, entry);
      },
    });
    try {
      parser.push(body);
      parser.end();
    } catch (thrown) {
      if (!(thrown instanceof ServiceError)) throw thrown;
      return { ...parsed, error: messageOf(thrown) };
    }
    for (const [metric, entry] of described) this.#store.describe(metric, entry);
    known.keep();
    return parsed;
  }

  #learn(text: string, report: ScrapeReport, known: KnownSeriesScrape): MemorySeries {
    const own = parseSeriesText(text);
    const labels = withTargetLabels(own, report.labels);
    checkLabels(labels, report.limits);
    const taken = report.push === undefined ? undefined : this.#owned.refusalOfMetric(labels.get('__name__'));
    if (taken !== undefined) throw new ServiceError('ERR_WEIR_SERVICE_EXPOSITION', taken);
    const series = this.#store.resolve(labels);
    if (series === undefined) {
      throw new ServiceError(
        'ERR_WEIR_SERVICE_EXPOSITION',
        'the store is at its limit of series. Raise `store.maxSeries` or expose fewer.',
      );
    }
    known.learn(text, series);
    return series;
  }
}

interface Parsed {
  readonly batch: SampleBatch<MemorySeries>;
  readonly exemplars: Exemplar[];
  readonly live: MemorySeries[];
  samples: number;
  readonly error: string | undefined;
}

const scrapeSeriesNames = [
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
] as const;

// A label that both the exposition and the target set is renamed to `exported_<name>`, as in Prometheus.
function withTargetLabels(own: Labels, target: Readonly<Record<string, string>>): Labels {
  const merged = new Map<string, string>(own);
  for (const [name, value] of Object.entries(target)) {
    const clash = merged.get(name);
    if (clash !== undefined) {
      let free = `exported_${name}`;
      while (merged.has(free) || Object.hasOwn(target, free)) free = `exported_${free}`;
      merged.set(free, clash);
    }
    merged.set(name, value);
  }
  return Labels.from(merged);
}

/**
 * The series of a target's last good scrape by raw text, in order. The next scrape usually has the same series in the same order,
 * so one comparison finds each without parsing or hashing.
 */
class KnownSeries {
  #texts: string[] = [];
  #series: MemorySeries[] = [];

  /** Begins a scrape. `keep` replaces the known series by those that it found and learned. */
  scrape(): KnownSeriesScrape {
    const [texts, series] = [this.#texts, this.#series];
    const nextTexts: string[] = [];
    const nextSeries: MemorySeries[] = [];
    let at = 0;
    let places: Map<string, number> | undefined;
    const placeOf = (text: string): number | undefined => {
      if (texts[at] === text) return at;
      places ??= new Map(texts.map((one, place) => [one, place]));
      return places.get(text);
    };
    return {
      expected: () => texts[at],
      find: (text) => {
        const place = placeOf(text);
        if (place === undefined) return undefined;
        at = place + 1;
        const found = series[place] as MemorySeries;
        if (found.isRemoved) return undefined;
        nextTexts.push(texts[place] as string);
        nextSeries.push(found);
        return found;
      },
      learn: (text, found) => {
        nextTexts.push(detached(text));
        nextSeries.push(found);
      },
      keep: () => {
        this.#texts = nextTexts;
        this.#series = nextSeries;
      },
    };
  }
}

interface KnownSeriesScrape {
  /** The text that comes next if the target still exposes the same series. */
  expected(): string | undefined;
  /** The series of this text in the last scrape; `undefined` for a new text or a removed series. */
  find(text: string): MemorySeries | undefined;
  learn(text: string, series: MemorySeries): void;
  keep(): void;
}
