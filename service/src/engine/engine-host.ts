import { type Matcher, parseMetricSelector } from '@weir/promql';
import { ingestOtlp, type OtlpOutcome, type OtlpReport } from '../push/otlp-ingester.ts';
import { WriteRequest } from '../remote/write-request.ts';
import type { GroupAlerts } from '../rules/alert-notifier.ts';
import { RuleEvaluator } from '../rules/rule-evaluator.ts';
import { RuleFilter, type RuleQuery } from '../rules/rule-filter.ts';
import { OwnedSeries } from '../scrape/owned-series.ts';
import { ScrapeIngester, type ScrapeOutcome, type ScrapeReport } from '../scrape/scrape-ingester.ts';
import type { JournalRecord } from '../store/journal-record.ts';
import type { MetricStore } from '../store/metric-store.ts';
import type { MemorySeries } from '../store/series.ts';
import type {
  ApiData,
  EngineMethods,
  EngineOptions,
  EngineStats,
  Outgoing,
  SelectorQuery,
} from './engine-protocol.ts';
import { queryExemplars } from './query-exemplars.ts';

/** The methods of the store's thread. */
export class EngineHost implements EngineMethods {
  readonly #store: MetricStore;
  readonly #ingester: ScrapeIngester;
  readonly #owned = new OwnedSeries();
  readonly #rules: RuleEvaluator;

  constructor(store: MetricStore, options: EngineOptions) {
    this.#store = store;
    this.#ingester = new ScrapeIngester(store, this.#owned);
    this.#rules = new RuleEvaluator(store, options.query);
  }

  scrape(report: ScrapeReport): ScrapeOutcome {
    return this.#ingester.ingest(report);
  }

  otlp(report: OtlpReport): OtlpOutcome {
    return ingestOtlp(this.#store, report, this.#owned);
  }

  claimTarget({ key, labels }: Parameters<EngineMethods['claimTarget']>[0]): void {
    this.#owned.claim(key, labels);
  }

  forgetTarget(request: Parameters<EngineMethods['forgetTarget']>[0]): void {
    this.#owned.release(request.key, request.labels);
    this.#ingester.forget(request.key, request.labels, request.timeMs);
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
    for (const [metric, { type, help, unit }] of this.#store.descriptions.all) {
      if (request.metric !== undefined && metric !== request.metric) continue;
      if (left-- <= 0) break;
      result[metric] = [{ type, unit, help }];
    }
    return { data: encode(result), warnings: [], infos: [] };
  }

  exemplars({ query, startMs, endMs }: Parameters<EngineMethods['exemplars']>[0]): ApiData {
    return list(queryExemplars(this.#store, query, startMs, endMs), 0);
  }

  tsdbStatus({ limit }: { limit: number }): ApiData {
    const { index } = this.#store;
    const most = limit === 0 ? 10 : limit;
    const { series } = this.#store.stats();
    let [firstMs, lastMs] = [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
    let chunkCount = 0;
    for (const one of index.all()) {
      firstMs = Math.min(firstMs, one.firstMs);
      lastMs = Math.max(lastMs, one.lastMs);
      chunkCount += one.chunks.length;
    }
    const status = {
      headStats: {
        numSeries: series,
        numLabelPairs: index.cardinality().reduce((sum, { value }) => sum + value, 0),
        chunkCount,
        minTime: firstMs,
        maxTime: lastMs,
      },
      seriesCountByMetricName: index.seriesCountBy('__name__').slice(0, most),
      labelValueCountByLabelName: index.cardinality().slice(0, most),
      memoryInBytesByLabelName: index.memoryByLabel().slice(0, most),
      seriesCountByLabelValuePair: index.seriesCountByPair(most),
    };
    return { data: encode(status), warnings: [], infos: [] };
  }

  setRules({ groups, externalUrl, timeMs }: Parameters<EngineMethods['setRules']>[0]): void {
    this.#rules.setGroups(groups, externalUrl, timeMs);
    this.#owned.setRules(groups);
  }

  evaluateRules({ group, timeMs }: { group: number; timeMs: number }): GroupAlerts {
    return this.#rules.evaluate(group, timeMs);
  }

  setReceivers(receivers: readonly string[]): void {
    this.#store.outbox.setReceivers(receivers);
  }

  nextOutgoing({ receiver, maxBytes, skip }: Parameters<EngineMethods['nextOutgoing']>[0]): Outgoing {
    const { index, outbox } = this.#store;
    const request = new WriteRequest(maxBytes);
    let through = 0;
    let begun = 0;
    let expired = 0;
    fill: for (const { id, record } of outbox.batches(receiver)) {
      if (record === undefined) expired++;
      const { ids, times, values } = record ?? unreadable;
      for (let at = through === 0 ? skip : 0; at < ids.length; at++) {
        const labels = index.byId(ids[at] as number)?.labels;
        if (labels === undefined) expired++;
        else if (!request.add({ labels, timeMs: times[at] as number, values, at })) {
          begun = at;
          break fill;
        }
      }
      through = id;
    }
    const { samples } = request;
    return { data: request.encode(), samples, through, skip: begun, expired, dropped: outbox.dropped };
  }

  confirmOutgoing({ receiver, through }: { receiver: string; through: number }): void {
    this.#store.outbox.confirm(receiver, through);
  }

  rules(query: RuleQuery): ApiData {
    return { data: encode({ groups: this.#rules.describe(new RuleFilter(query)) }), warnings: [], infos: [] };
  }

  alerts(): ApiData {
    return { data: encode({ alerts: this.#rules.alerts() }), warnings: [], infos: [] };
  }

  stats(): EngineStats {
    const { refused, outbox, failure } = this.#store;
    return { ...this.#store.stats(), refused, backlogBytes: outbox.bytes, failure };
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

const unreadable: JournalRecord = { ids: [], times: new Float64Array(0), values: new Float64Array(0) };

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
