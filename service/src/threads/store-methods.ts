import { type Expression, formatValue, type Matcher, parse, parseMetricSelector } from '@weir/promql';
import { ingestOtlp, type OtlpOutcome, type OtlpReport } from '../ingest/otlp-ingester.ts';
import { ScrapeIngester, type ScrapeOutcome, type ScrapeReport } from '../ingest/scrape-ingester.ts';
import { OwnedSeries } from '../ingest/series-admission.ts';
import { describeAlerts, describeGroups, type RuleQuery } from '../rules/rule-api.ts';
import { RuleEvaluator } from '../rules/rule-evaluator.ts';
import { type GroupAlerts, writtenNames } from '../rules/rule-state.ts';
import type { MetricStore } from '../store/metric-store.ts';
import type { Outgoing, OutgoingQuery } from '../store/outbox.ts';
import type { MemorySeries } from '../store/series.ts';
import type { ApiData, EngineMethods, EngineOptions, EngineStats, SelectorQuery } from './engine-protocol.ts';

/** The methods of the store's thread: ingestion, the lists of the API, rules, and the outbox. */
export class StoreMethods implements EngineMethods {
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
    this.#owned.setRuleNames(writtenNames(groups));
  }

  evaluateRules({ group, timeMs }: { group: number; timeMs: number }): GroupAlerts {
    return this.#rules.evaluate(group, timeMs);
  }

  setReceivers(receivers: readonly string[]): void {
    this.#store.outbox.setReceivers(receivers);
  }

  nextOutgoing(query: OutgoingQuery): Outgoing {
    const { index, outbox } = this.#store;
    return outbox.next(query, (id) => index.byId(id)?.labels);
  }

  confirmOutgoing({ receiver, through }: { receiver: string; through: number }): void {
    this.#store.outbox.confirm(receiver, through);
  }

  rules(query: RuleQuery): ApiData {
    return { data: encode({ groups: describeGroups(this.#rules.groups, query) }), warnings: [], infos: [] };
  }

  alerts(): ApiData {
    return { data: encode({ alerts: describeAlerts(this.#rules.groups) }), warnings: [], infos: [] };
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
      return this.#store.reader.seriesBetween(selectors[0] as readonly Matcher[], startMs, endMs);
    const found = new Set<MemorySeries>();
    for (const matchers of selectors)
      for (const series of this.#store.reader.seriesBetween(matchers, startMs, endMs)) found.add(series);
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

/** A series with its exemplars in the answer of `/api/v1/query_exemplars`. */
export interface ExemplarSeries {
  readonly seriesLabels: Readonly<Record<string, string>>;
  readonly exemplars: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: string;
    /** Unix seconds. */
    readonly timestamp: number;
  }[];
}

/** The exemplars of every series that a query selects, in the shape of `/api/v1/query_exemplars`. */
export function queryExemplars(
  store: MetricStore,
  query: string,
  startMs: number,
  endMs: number,
): ExemplarSeries[] {
  const found = new Set<MemorySeries>();
  for (const matchers of selectorsOf(parse(query)))
    for (const series of store.index.select(matchers)) found.add(series);
  const result: ExemplarSeries[] = [];
  for (const series of [...found].sort((a, b) => a.labels.compare(b.labels))) {
    const exemplars = store.exemplars.of(series, startMs, endMs).map(({ labels, value, timeMs }) => ({
      labels: labels.toJSON(),
      value: formatValue(value),
      timestamp: timeMs / 1000,
    }));
    if (exemplars.length > 0) result.push({ seriesLabels: series.labels.toJSON(), exemplars });
  }
  return result;
}

/** The matchers of every selector in an expression. */
export function selectorsOf(expression: Expression): (readonly Matcher[])[] {
  switch (expression.kind) {
    case 'number':
    case 'string':
      return [];
    case 'selector':
      return [expression.matchers];
    case 'range':
      return [expression.selector.matchers];
    case 'subquery':
    case 'parentheses':
    case 'unary':
      return selectorsOf(expression.expression);
    case 'binary':
      return [...selectorsOf(expression.left), ...selectorsOf(expression.right)];
    case 'call':
      return expression.args.flatMap(selectorsOf);
    case 'aggregate':
      return [
        ...(expression.parameter === undefined ? [] : selectorsOf(expression.parameter)),
        ...selectorsOf(expression.expression),
      ];
  }
}
