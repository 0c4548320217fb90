import { PromqlError, type PromqlErrorType } from '@weir/promql';
import { type ErrorCode, messageOf, ServiceError } from '../errors.ts';
import type { OtlpOutcome, OtlpReport } from '../ingest/otlp-ingester.ts';
import type { ScrapeOutcome, ScrapeReport } from '../ingest/scrape-ingester.ts';
import type { RuleQuery } from '../rules/rule-api.ts';
import type { GroupAlerts, RuleGroup } from '../rules/rule-state.ts';
import type { MetricStoreOptions } from '../store/metric-store.ts';
import type { Outgoing, OutgoingQuery } from '../store/outbox.ts';

/** Start data of the store's thread. */
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

/** Sent by the store's thread once the store is open. */
export interface EngineReady {
  /** Where a damaged database file was moved to, or `undefined`. */
  readonly setAside: string | undefined;
  /** A copy of a damaged write-ahead file, or `undefined`. */
  readonly lostCommits: string | undefined;
  /** Damaged batches of the journal, which are left out. */
  readonly damagedBatches: number;
}

/** An answer of the Prometheus API. `data` is JSON text in UTF-8, so that the main thread does not serialize it. */
export interface ApiData {
  readonly data: Uint8Array;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

export interface SelectorQuery {
  /** Series selectors; without any, every series matches. */
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
  /** Bytes of the remote write backlog. */
  readonly backlogBytes: number;
  /** Why the disk refuses samples; `undefined` while it takes them. */
  readonly failure: string | undefined;
}

/** The methods of the store's thread. Arguments and results cross threads as structured clones. */
export interface EngineMethods {
  scrape(report: ScrapeReport): ScrapeOutcome;
  otlp(report: OtlpReport): OtlpOutcome;
  /** Call before the first scrape of a target: from then on its series cannot be pushed. */
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

/** The methods that only read. */
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

/** Encodes an error for another thread. */
export function toWire(thrown: unknown): WireError {
  if (thrown instanceof PromqlError)
    return { kind: 'promql', code: thrown.errorType, message: thrown.message };
  if (thrown instanceof ServiceError) return { kind: 'service', code: thrown.code, message: thrown.message };
  return { kind: 'internal', code: 'internal', message: messageOf(thrown) };
}

/** Decodes the error of {@link toWire}. Its class, code and message are restored, its stack and cause are not. */
export function fromWire(error: WireError): Error {
  if (error.kind === 'promql') return new PromqlError(error.code as PromqlErrorType, error.message);
  if (error.kind === 'service') return new ServiceError(error.code as ErrorCode, error.message);
  return new PromqlError('internal', error.message);
}
