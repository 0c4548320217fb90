import { PromqlError, type PromqlErrorType } from '@weir/promql';
import { type ErrorCode, messageOf, ServiceError } from '../errors.ts';
import type { OtlpOutcome, OtlpReport } from '../ingest/otlp-ingester.ts';
import type { ScrapeOutcome, ScrapeReport } from '../ingest/scrape-ingester.ts';
import type { GroupAlerts, RuleGroup } from '../rules/rule.ts';
import type { RuleQuery } from '../rules/rule-api.ts';
import type { MetricStoreOptions } from '../store/metric-store.ts';
import type { Outgoing, OutgoingQuery } from '../store/outbox.ts';

/** What the store's thread is started with. */
export interface EngineOptions {
  readonly store: Omit<MetricStoreOptions, 'now'>;
  readonly query: QueryLimits;
}

/** Bounds on every query. */
export interface QueryLimits {
  readonly timeoutMs: number;
  readonly maxSamples: number;
  readonly maxSeries: number;
}

/** What the store's thread answers once it is open. */
export interface EngineReady {
  /** Where a damaged file was moved to, or `undefined`. */
  readonly setAside: string | undefined;
  /** A copy of a damaged write-ahead file, or `undefined`. */
  readonly lostCommits: string | undefined;
  /** Batches of the journal that are damaged and left out. */
  readonly damagedBatches: number;
}

/** An answer of the Prometheus API: `data` is JSON text in UTF-8, written on the store's thread. */
export interface ApiData {
  readonly data: Uint8Array;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

export interface SelectorQuery {
  /** Series selectors; none means every series. */
  readonly match: readonly string[];
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  /** 0 for no bound. */
  readonly limit: number;
}

export interface EngineStats {
  readonly bytes: number;
  readonly series: number;
  readonly samplesAppended: number;
  /** Samples refused for their time. */
  readonly refused: { readonly outOfOrder: number; readonly outOfBounds: number };
  readonly oldestMs: number | undefined;
  /** Bytes that wait for receivers of remote write. */
  readonly backlogBytes: number;
  /** Why the disk refuses samples, or `undefined`. */
  readonly failure: string | undefined;
}

/** Everything the other threads may ask of the store's thread; arguments and results cross as structured clones. */
export interface EngineMethods {
  scrape(report: ScrapeReport): ScrapeOutcome;
  otlp(report: OtlpReport): OtlpOutcome;
  /** The target is about to be scraped: what it writes nobody may push. */
  claimTarget(request: { key: string; labels: Readonly<Record<string, string>> }): void;
  forgetTarget(request: { key: string; labels: Readonly<Record<string, string>>; timeMs: number }): void;
  labelNames(request: SelectorQuery): ApiData;
  labelValues(request: SelectorQuery & { name: string }): ApiData;
  series(request: SelectorQuery): ApiData;
  metadata(request: { metric: string | undefined; limit: number; limitPerMetric: number }): ApiData;
  exemplars(request: { query: string; startMs: number; endMs: number }): ApiData;
  /** `/api/v1/status/tsdb`. */
  tsdbStatus(request: { limit: number }): ApiData;
  setRules(request: { groups: readonly RuleGroup[]; externalUrl: string; timeMs: number }): void;
  evaluateRules(request: { group: number; timeMs: number }): GroupAlerts;
  setReceivers(receivers: readonly string[]): void;
  nextOutgoing(query: OutgoingQuery): Outgoing;
  confirmOutgoing(request: { receiver: string; through: number }): void;
  rules(query: RuleQuery): ApiData;
  alerts(): ApiData;
  stats(): EngineStats;
}

export type EngineMethod = keyof EngineMethods;

/** Those that only show what is there. */
export type ReadMethod = {
  [M in EngineMethod]: ReturnType<EngineMethods[M]> extends ApiData ? M : never;
}[EngineMethod];

export interface EngineRequest {
  readonly id: number;
  readonly method: EngineMethod;
  readonly argument: unknown;
}

/** How an error crosses threads: structured clone keeps neither class nor fields. */
export interface WireError {
  readonly kind: 'service' | 'promql' | 'internal';
  readonly code: string;
  readonly message: string;
}

export type EngineReply =
  | { readonly type: 'ready'; readonly ready: EngineReady }
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'result'; readonly id: number; readonly result: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: WireError };

/** An error on its way to another thread. */
export function toWire(thrown: unknown): WireError {
  if (thrown instanceof PromqlError)
    return { kind: 'promql', code: thrown.errorType, message: thrown.message };
  if (thrown instanceof ServiceError) return { kind: 'service', code: thrown.code, message: thrown.message };
  return { kind: 'internal', code: 'internal', message: messageOf(thrown) };
}

/** The error that {@link toWire} was given, as near as another thread can have it. */
export function fromWire(error: WireError): Error {
  if (error.kind === 'promql') return new PromqlError(error.code as PromqlErrorType, error.message);
  if (error.kind === 'service') return new ServiceError(error.code as ErrorCode, error.message);
  return new PromqlError('internal', error.message);
}
