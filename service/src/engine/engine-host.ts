import { evaluateInstant, evaluateRange } from '../promql/evaluate.ts';
import type { Matcher } from '../promql/matcher.ts';
import { parseMetricSelector } from '../promql/parser.ts';
import { ScrapeIngester, type ScrapeOutcome, type ScrapeReport } from '../scrape/scrape-ingester.ts';
import type { MetricStore } from '../store/metric-store.ts';
import type { MemorySeries } from '../store/series.ts';
import type { ApiData, EngineMethods, EngineOptions, EngineStats, SelectorQuery } from './engine-protocol.ts';
import { renderResult } from './render-result.ts';

/** The methods of the store's thread. */
export class EngineHost implements EngineMethods {
  readonly #store: MetricStore;
  readonly #options: EngineOptions;
  readonly #ingester: ScrapeIngester;

  constructor(store: MetricStore, options: EngineOptions) {
    this.#store = store;
    this.#options = options;
    this.#ingester = new ScrapeIngester(store);
  }

  scrape(report: ScrapeReport): ScrapeOutcome {
    return this.#ingester.ingest(report);
  }

  forgetTarget(request: Parameters<EngineMethods['forgetTarget']>[0]): void {
    this.#ingester.forget(request.key, request.labels, request.timeMs);
  }

  query({ query, timeMs, timeoutMs, limit }: Parameters<EngineMethods['query']>[0]): ApiData {
    return renderResult(evaluateInstant(this.#store, query, timeMs, this.#queryOptions(timeoutMs)), limit);
  }

  queryRange(request: Parameters<EngineMethods['queryRange']>[0]): ApiData {
    const { query, startMs, endMs, stepMs, timeoutMs, limit } = request;
    return renderResult(
      evaluateRange(this.#store, query, { startMs, endMs, stepMs }, this.#queryOptions(timeoutMs)),
      limit,
    );
  }

  labelNames(request: SelectorQuery): ApiData {
    const names =
      request.match.length === 0 && request.startMs === undefined && request.endMs === undefined
        ? this.#store.index.labelNames()
        : unique(this.#matching(request), (series) => [...series.labels].map(([name]) => name));
    return list(names, request.limit);
  }

  labelValues(request: SelectorQuery & { name: string }): ApiData {
    const values =
      request.match.length === 0 && request.startMs === undefined && request.endMs === undefined
        ? this.#store.index.labelValues(request.name)
        : unique(this.#matching(request), (series) => {
            const value = series.labels.get(request.name);
            return value === '' ? [] : [value];
          });
    return list(values, request.limit);
  }

  series(request: SelectorQuery): ApiData {
    const found = this.#matching(request).map(({ labels }) => labels);
    return list(
      found.sort((a, b) => a.compare(b)),
      request.limit,
    );
  }

  metadata(request: Parameters<EngineMethods['metadata']>[0]): ApiData {
    const result: Record<string, object[]> = Object.create(null);
    let left = request.limit === 0 ? Number.POSITIVE_INFINITY : request.limit;
    for (const [metric, { type, help, unit }] of this.#store.metadata) {
      if (request.metric !== undefined && metric !== request.metric) continue;
      if (left-- <= 0) break;
      result[metric] = [{ type, unit, help }];
    }
    return { data: encode(result), warnings: [], infos: [] };
  }

  stats(): EngineStats {
    return { ...this.#store.stats(), failure: this.#store.failure };
  }

  #queryOptions(timeoutMs: number | undefined): object {
    const { query } = this.#options;
    return { ...query, timeoutMs: Math.min(timeoutMs ?? query.timeoutMs, query.timeoutMs) };
  }

  #matching(request: SelectorQuery): MemorySeries[] {
    const startMs = request.startMs ?? Number.NEGATIVE_INFINITY;
    const endMs = request.endMs ?? Number.POSITIVE_INFINITY;
    const selectors: (readonly Matcher[])[] =
      request.match.length === 0 ? [[]] : request.match.map((text) => parseMetricSelector(text));
    if (selectors.length === 1)
      return this.#store.seriesBetween(selectors[0] as readonly Matcher[], startMs, endMs);
    const found = new Set<MemorySeries>();
    for (const matchers of selectors)
      for (const series of this.#store.seriesBetween(matchers, startMs, endMs)) found.add(series);
    return [...found];
  }
}

function unique(found: readonly MemorySeries[], pick: (series: MemorySeries) => readonly string[]): string[] {
  const values = new Set<string>();
  for (const series of found) for (const value of pick(series)) values.add(value);
  return [...values].sort();
}

function list(values: readonly unknown[], limit: number): ApiData {
  const isCut = limit > 0 && values.length > limit;
  return {
    data: encode(isCut ? values.slice(0, limit) : values),
    warnings: isCut ? ['results truncated due to limit'] : [],
    infos: [],
  };
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
