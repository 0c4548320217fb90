/** What every driver's instrumentation shares: times, the slow-query log, N+1 detection. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { definitionOf, UNMATCHED_ROUTE } from '../catalogue.ts';
import type { HttpExchange, HttpRecorder } from '../http/recorder.ts';
import type { Counter } from '../instruments/counter.ts';
import type { Histogram, HistogramSeries } from '../instruments/histogram.ts';
import type { MetricRegistry } from '../registry.ts';
import { globalTracing, type QuerySpan } from '../tracing/hooks.ts';
import { callSite } from './call-site.ts';
import { dialects, type SqlSystem } from './dialect.ts';
import { Explainer, type ExplainOptions } from './explain.ts';
import { NPlusOneDetector, type NPlusOneEvent } from './n-plus-one.ts';
import { type Statement, StatementCache } from './statements.ts';

/** One slow statement, given to `onSlowQuery`. Holds no literal. */
export interface SlowQueryEvent {
  readonly system: string;
  readonly summary: string;
  readonly fingerprint: string;
  /** The statement without literals. */
  readonly statement: string;
  readonly durationMs: number;
  /** Rows returned or touched, where the driver says. */
  readonly rows: number | undefined;
  /** Whether it failed. */
  readonly failed: boolean;
  readonly route: string | undefined;
  /** The caller's line; known from the second slow execution of a statement on. */
  readonly callSite: string | undefined;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
}

/** Options of query timing, all optional. */
export interface QueryOptions {
  /** Statements that take longer count as slow. Default 100; `Infinity` for none. */
  readonly slowQueryMs?: number;
  /** Executions of one read in one request that make an N+1. Default 10; `Infinity` turns detection off. */
  readonly nPlusOneThreshold?: number;
  /** Statements with series of their own; the rest share the overflow series. Default 500. */
  readonly maxStatements?: number;
  /** Plans of slow reads of PostgreSQL, with a hint where an index is missing. Off by default. */
  readonly explain?: ExplainOptions;
  readonly onSlowQuery?: (event: SlowQueryEvent) => void;
  readonly onNPlusOne?: (event: NPlusOneEvent) => void;
}

/** What was learnt of a query at its caller's call. */
export interface Notice {
  readonly callSite: string | undefined;
}

const UNSEEN: Notice = Object.freeze({ callSite: undefined });
const MAX_SLOW = 500;

/** A statement being executed. */
export interface QueryExecution {
  readonly statement: Statement;
  readonly series: HistogramSeries;
  readonly system: string;
  readonly startMs: number;
  readonly exchange: HttpExchange | undefined;
  readonly span: QuerySpan | undefined;
  readonly callSite: string | undefined;
  /** The statement as sent; stays inside the process. */
  readonly text: string | undefined;
}

/** How an execution ended. */
export interface QueryOutcome {
  readonly failed: boolean;
  readonly rows?: number | undefined;
}

/** Records queries of all drivers of one `createMetrics`. */
export class QueryRecorder {
  readonly #now: () => number;
  readonly #http: HttpRecorder;
  readonly #options: Required<Pick<QueryOptions, 'slowQueryMs' | 'nPlusOneThreshold'>> & QueryOptions;
  readonly #duration: Histogram;
  readonly #slow: Counter;
  readonly #nPlusOne: Counter;
  readonly #detector: NPlusOneDetector;
  readonly #explainer: Explainer | undefined;
  readonly #slowOnes = new Set<string>();
  readonly #caches = new Map<SqlSystem, StatementCache>();
  readonly #seriesOfStatement = new WeakMap<Statement, HistogramSeries>();
  readonly #series = new Map<string, HistogramSeries>();

  constructor(
    registry: MetricRegistry,
    dependencies: { readonly now: () => number; readonly http: HttpRecorder; readonly options: QueryOptions },
  ) {
    const { now, http, options } = dependencies;
    const { slowQueryMs = 100, nPlusOneThreshold = 10, maxStatements = 500 } = options;
    this.#now = now;
    this.#http = http;
    this.#explainer = options.explain === undefined ? undefined : new Explainer(options.explain, now);
    this.#options = { ...options, slowQueryMs, nPlusOneThreshold };
    this.#duration = registry.histogram(definitionOf('db_client_operation_duration_seconds'), {
      maxSeries: maxStatements,
    });
    this.#slow = registry.counter(definitionOf('weir_db_slow_queries_total'), { maxSeries: maxStatements });
    this.#nPlusOne = registry.counter(definitionOf('weir_db_n_plus_one_total'));
    this.#detector = new NPlusOneDetector(nPlusOneThreshold, (event) => {
      this.#nPlusOne.labels(event.route ?? UNMATCHED_ROUTE, event.summary).inc();
      options.onNPlusOne?.(event);
    });
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    await this.#explainer?.idle();
  }

  /** Makes requests known to their queries; called once a client is instrumented. */
  enable(): void {
    this.#http.contexts ??= new AsyncLocalStorage<HttpExchange>();
  }

  /**
   * Gives `callback` the request, and the trace, of its caller back, whoever calls it. Only these: a copy of the whole async
   * context by `AsyncResource.bind` costs 4 µs, more than all else here together.
   */
  bind<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
    const { contexts } = this.#http;
    const traced = globalTracing()?.bind(callback) ?? callback;
    if (contexts === undefined) return traced;
    const exchange = contexts.getStore();
    return (...args) => contexts.run(exchange as HttpExchange, traced, ...args);
  }

  /**
   * Looks for N+1 where the caller's own stack still stands. Drivers that queue a query before they start it call this at the
   * caller's call and pass `noticed` to `begin`.
   */
  notice(system: SqlSystem, text: string, values: readonly unknown[] | undefined): Notice {
    const statement = this.#statementOf(system, text);
    const exchange = this.#http.contexts?.getStore();
    if (exchange !== undefined && this.#options.nPlusOneThreshold < Infinity) {
      this.#detector.observe(exchange, statement, values, text);
    }
    return this.#slowOnes.has(statement.fingerprint) ? { callSite: callSite() } : UNSEEN;
  }

  /** Begins an execution in the context of its caller. */
  begin(
    system: SqlSystem,
    text: string,
    options: { readonly values?: readonly unknown[] | undefined; readonly noticed?: Notice | undefined } = {},
  ): QueryExecution {
    const notice = options.noticed ?? this.notice(system, text, options.values);
    return this.#start(system, this.#statementOf(system, text), text, notice.callSite);
  }

  /** Begins an execution of what is no SQL: its statement was made literal-free by its driver's instrumentation. */
  beginStatement(system: string, statement: Statement): QueryExecution {
    return this.#start(system, statement, undefined, undefined);
  }

  #start(
    system: string,
    statement: Statement,
    text: string | undefined,
    site: string | undefined,
  ): QueryExecution {
    return {
      statement,
      series: this.#seriesOf(system, statement),
      system,
      startMs: this.#now(),
      exchange: this.#http.contexts?.getStore(),
      span: globalTracing()?.startQuery(system, statement),
      callSite: site,
      text,
    };
  }

  /** Ends an execution when `pending` settles, and gives on what it gives. */
  async follow<T>(
    execution: QueryExecution,
    pending: PromiseLike<T>,
    rowsOf?: (result: T) => number | undefined,
  ): Promise<T> {
    try {
      const result = await pending;
      this.end(execution, { failed: false, rows: rowsOf?.(result) });
      return result;
    } catch (error) {
      this.end(execution, { failed: true });
      throw error;
    }
  }

  /** Ends an execution. */
  end(execution: QueryExecution, outcome: QueryOutcome): void {
    const { statement, series, system, exchange, span } = execution;
    const durationMs = this.#now() - execution.startMs;
    series.observe(durationMs / 1_000);
    span?.end({ failed: outcome.failed, rows: outcome.rows });
    const trace = span?.ids;
    if (trace !== undefined)
      series.setExemplar({ ...trace, value: durationMs / 1_000, timestamp: Date.now() / 1_000 });
    if (durationMs <= this.#options.slowQueryMs) return;
    this.#slow.labels(system, statement.summary).inc();
    if (this.#slowOnes.size < MAX_SLOW) this.#slowOnes.add(statement.fingerprint);
    if (system === 'postgresql' && execution.text !== undefined)
      this.#explainer?.consider(execution.text, statement);
    this.#options.onSlowQuery?.({
      system,
      summary: statement.summary,
      fingerprint: statement.fingerprint,
      statement: statement.text,
      durationMs,
      rows: outcome.rows,
      failed: outcome.failed,
      route: exchange?.template,
      callSite: execution.callSite,
      traceId: trace?.traceId,
      spanId: trace?.spanId,
    });
  }

  #statementOf(system: SqlSystem, text: string): Statement {
    let cache = this.#caches.get(system);
    if (cache === undefined) {
      cache = new StatementCache(dialects[system]);
      this.#caches.set(system, cache);
    }
    return cache.get(text);
  }

  #seriesOf(system: string, statement: Statement): HistogramSeries {
    return this.#seriesOfStatement.get(statement) ?? this.#bind(system, statement);
  }

  // One fingerprint has one summary here, whatever the letter case of later texts.
  #bind(system: string, statement: Statement): HistogramSeries {
    const key = `${system} ${statement.fingerprint}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const keep = this.#duration.hasRoom;
      series = this.#duration.labels(system, statement.summary, statement.fingerprint);
      if (!keep) return series;
      this.#series.set(key, series);
    }
    this.#seriesOfStatement.set(statement, series);
    return series;
  }
}
