/** What every driver's instrumentation shares: times, the slow-query log, N+1 detection. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { definitionOf, UNMATCHED_ROUTE } from '../catalogue.ts';
import type { HttpExchange, HttpRecorder } from '../http/recorder.ts';
import type { Counter } from '../instruments/counter-gauge.ts';
import type { MetricRegistry } from '../registry.ts';
import { globalTracing, type QuerySpan } from '../tracing/hooks.ts';
import { callSite } from './call-site.ts';
import { Callbacks } from './callbacks.ts';
import type { Dialect } from './dialect.ts';
import { Explainer, type ExplainOptions } from './explain.ts';
import { NPlusOneDetector, type NPlusOneEvent, type Read } from './n-plus-one.ts';
import { type Selection, selectionOf } from './selection.ts';
import { StatementSeries, type TrackedStatement } from './statement-series.ts';
import { analyze, type Statement, StatementCache } from './statements.ts';

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
  /** Statements with series of their own, those that take the most time; the rest share the overflow series. Default 500. */
  readonly maxStatements?: number;
  /** Plans of slow reads of PostgreSQL, with a hint where an index is missing. Off by default. */
  readonly explain?: ExplainOptions;
  /** What it throws, or rejects with, never reaches the query: it counts in `weir_metrics_callback_errors_total`. */
  readonly onSlowQuery?: (event: SlowQueryEvent) => void;
  /** Its errors are kept from the query likewise. */
  readonly onNPlusOne?: (event: NPlusOneEvent) => void;
}

/** What a statement's text was read as. */
interface Source {
  readonly dialect: Dialect;
  readonly text: string;
}

/** A statement text, or a command, of one system. */
class KnownStatement implements Read {
  readonly system: string;
  readonly statement: Statement;
  /** None of a command that is no SQL. */
  readonly source: Source | undefined;
  /** Whether the session may read strings in another way from here on. */
  readonly changesStrings: boolean;
  tracked: TrackedStatement;
  #selection: Selection | undefined;

  constructor(statement: Statement, tracked: TrackedStatement, source: Source | undefined) {
    this.system = tracked.system;
    this.statement = statement;
    this.source = source;
    this.changesStrings = source !== undefined && STRING_SETTING.test(source.text);
    this.tracked = tracked;
  }

  get selection(): Selection {
    const { source } = this;
    this.#selection ??= source === undefined ? NOTHING : selectionOf(source.text, source.dialect);
    return this.#selection;
  }
}

const STRING_SETTING = /sql_mode|standard_conforming/i;
const NOTHING: Selection = { listLength: 0, literals: '', paging: new Set() };

/** One query: taken down at its caller's call, started when it is sent. */
export class QueryExecution {
  /** Who began it, and ends it. */
  readonly recorder: QueryRecorder;
  known: KnownStatement;
  /** The statement as sent; stays inside the process. */
  readonly text: string | undefined;
  readonly exchange: HttpExchange | undefined;
  readonly callSite: string | undefined;
  /** Monotonic; below 0 until it has started. */
  startMs = -1;
  span: QuerySpan | undefined = undefined;

  constructor(
    recorder: QueryRecorder,
    known: KnownStatement,
    text: string | undefined,
    exchange: HttpExchange | undefined,
    site: string | undefined,
  ) {
    this.recorder = recorder;
    this.known = known;
    this.text = text;
    this.exchange = exchange;
    this.callSite = site;
  }
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
  readonly #series: StatementSeries;
  readonly #slow: Counter;
  readonly #failed: Counter;
  readonly #callbacks: Callbacks;
  readonly #nPlusOne: Counter;
  readonly #detector: NPlusOneDetector | undefined;
  readonly #explainer: Explainer | undefined;
  readonly #caches = new Map<Dialect, StatementCache<KnownStatement>>();
  readonly #commands = new WeakMap<Statement, KnownStatement>();
  #closed = false;

  constructor(
    registry: MetricRegistry,
    dependencies: { readonly now: () => number; readonly http: HttpRecorder; readonly options: QueryOptions },
  ) {
    const { now, http, options } = dependencies;
    const { slowQueryMs = 100, nPlusOneThreshold = 10, maxStatements = 500 } = options;
    this.#now = now;
    this.#http = http;
    this.#callbacks = new Callbacks(registry);
    this.#explainer =
      options.explain === undefined ? undefined : new Explainer(options.explain, now, this.#callbacks);
    this.#options = { ...options, slowQueryMs, nPlusOneThreshold };
    const duration = registry.histogram(definitionOf('db_client_operation_duration_seconds'), {
      maxSeries: maxStatements,
    });
    this.#series = new StatementSeries(duration, now);
    registry.onCollect(() => this.#series.rebalance());
    this.#slow = registry.counter(definitionOf('weir_db_slow_queries_total'), { maxSeries: maxStatements });
    this.#failed = registry.counter(definitionOf('weir_db_failed_queries_total'), {
      maxSeries: maxStatements,
    });
    this.#nPlusOne = registry.counter(definitionOf('weir_db_n_plus_one_total'));
    const report = (event: NPlusOneEvent): void => {
      this.#nPlusOne.labels(event.route ?? UNMATCHED_ROUTE, event.summary).inc();
      this.#callbacks.call('onNPlusOne', options.onNPlusOne, event);
    };
    this.#detector =
      nPlusOneThreshold < Infinity ? new NPlusOneDetector(nPlusOneThreshold, report) : undefined;
  }

  /** Counts and reports nothing from now on; resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#explainer?.idle();
  }

  /** Makes requests known to their queries; called once a client is instrumented. */
  enable(): void {
    this.#http.contexts ??= new AsyncLocalStorage<HttpExchange>();
  }

  /**
   * Gives `callback` the request, and the trace, of its caller back, whoever calls it. Only these, and only where they differ: a copy of
   * the whole async context by `AsyncResource.bind` costs 4 µs, more than all else here together.
   */
  bind<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void {
    const traced = globalTracing()?.bind(callback) ?? callback;
    const { contexts } = this.#http;
    if (contexts === undefined) return traced;
    const exchange = contexts.getStore() as HttpExchange;
    return (...args) => {
      if (contexts.getStore() === exchange) traced(...args);
      else contexts.run(exchange, traced, ...args);
    };
  }

  /**
   * Takes a query down where its caller's own stack and context still stand; N+1 is looked for here. Drivers that queue a query before they
   * send it call this at the caller's call, and `start` when it is sent.
   */
  prepare(dialect: Dialect, text: string, values?: unknown): QueryExecution {
    const known = this.#knownOf(dialect, text);
    const exchange = this.#http.contexts?.getStore();
    if (exchange !== undefined && !this.#closed) this.#detector?.observe(exchange, known, values);
    return new QueryExecution(this, known, text, exchange, known.tracked.wasSlow ? callSite() : undefined);
  }

  /** Starts an execution, at `startMs` where it says so already; `sure` is the dialect where it was a guess before. */
  start(execution: QueryExecution, sure?: Dialect): QueryExecution {
    if (execution.startMs < 0) execution.startMs = this.#now();
    if (sure !== undefined && sure !== execution.known.source?.dialect)
      execution.known = this.#knownOf(sure, execution.text ?? '');
    const { system, statement } = execution.known;
    execution.span = globalTracing()?.startQuery(system, statement);
    return execution;
  }

  /** Takes down and starts at once. */
  begin(dialect: Dialect, text: string, values?: unknown): QueryExecution {
    return this.start(this.prepare(dialect, text, values));
  }

  /** Begins an execution of what is no SQL: its statement was made literal-free by its driver's instrumentation. */
  beginStatement(system: string, statement: Statement): QueryExecution {
    let known = this.#commands.get(statement);
    if (known === undefined) {
      known = new KnownStatement(statement, this.#series.track(system, statement), undefined);
      this.#commands.set(statement, known);
    }
    return this.start(new QueryExecution(this, known, undefined, this.#http.contexts?.getStore(), undefined));
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
    const { known, span } = execution;
    if (this.#closed) {
      span?.end({ failed: outcome.failed, rows: outcome.rows });
      return;
    }
    const durationMs = this.#now() - execution.startMs;
    const series = this.#series.observe(known.tracked, durationMs / 1_000);
    if (span !== undefined) {
      span.end({ failed: outcome.failed, rows: outcome.rows });
      if (span.ids !== undefined)
        series.setExemplar({ ...span.ids, value: durationMs / 1_000, timestamp: Date.now() / 1_000 });
    }
    if (outcome.failed) this.fail(execution);
    if (durationMs > this.#options.slowQueryMs && !known.statement.waits)
      this.#tellSlow(execution, durationMs, outcome);
  }

  /** Counts a failure. `end` does so itself; this is for what was never sent: for want of a connection, or because it could not be prepared. */
  fail({ known }: QueryExecution): void {
    if (!this.#closed) this.#failed.labels(known.system, known.statement.summary).inc();
  }

  #tellSlow(execution: QueryExecution, durationMs: number, outcome: QueryOutcome): void {
    const { known, span, text, exchange } = execution;
    const { system, statement } = known;
    this.#slow.labels(system, statement.summary).inc();
    known.tracked.wasSlow = true;
    if (system === 'postgresql' && text !== undefined) this.#explainer?.consider(text, statement);
    this.#callbacks.call('onSlowQuery', this.#options.onSlowQuery, {
      system,
      summary: statement.summary,
      fingerprint: statement.fingerprint,
      statement: statement.text,
      durationMs,
      rows: outcome.rows,
      failed: outcome.failed,
      route: exchange?.template,
      callSite: execution.callSite,
      traceId: span?.ids?.traceId,
      spanId: span?.ids?.spanId,
    });
  }

  #knownOf(dialect: Dialect, text: string): KnownStatement {
    let cache = this.#caches.get(dialect);
    if (cache === undefined) {
      cache = new StatementCache((added) => {
        const statement = analyze(added, dialect);
        const tracked = this.#series.track(dialect.system, statement);
        return new KnownStatement(statement, tracked, { dialect, text: added });
      });
      this.#caches.set(dialect, cache);
    }
    const known = cache.get(text);
    if (!known.tracked.kept) known.tracked = this.#series.track(known.system, known.statement);
    return known;
  }
}
