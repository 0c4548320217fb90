/**
 * Records one query from its caller's call to the end of its result: which statement it is, when it is sent, how it ends. Every driver's
 * instrumentation records through here.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { definitionOf } from '../catalogue.ts';
import type { HttpExchange, HttpRecorder } from '../http/recorder.ts';
import type { Counter } from '../instruments/counter-gauge.ts';
import type { Clock, MetricRegistry } from '../registry.ts';
import { globalTracing, type QuerySpan } from '../tracing/hooks.ts';
import { callSite } from './call-site.ts';
import type { Dialect } from './dialect.ts';
import { type Read, type Selection, selectionOf } from './n-plus-one.ts';
import { QueryEvents, type QueryOptions } from './query-events.ts';
import { StatementSeries, type TrackedStatement } from './statement-series.ts';
import { analyze, type Statement, StatementCache } from './statements.ts';

/** Records the queries of all drivers of one `createMetrics`. */
export class QueryRecorder {
  readonly #clock: Clock;
  readonly #http: HttpRecorder;
  readonly #series: StatementSeries;
  readonly #failed: Counter;
  readonly #events: QueryEvents;
  readonly #caches = new Map<Dialect, StatementCache<KnownStatement>>();
  readonly #commands = new WeakMap<Statement, KnownStatement>();
  #closed = false;

  constructor(registry: MetricRegistry, http: HttpRecorder, options: QueryOptions = {}) {
    const maxSeries = options.maxStatements ?? 500;
    this.#clock = registry.clock;
    this.#http = http;
    const duration = registry.histogram(definitionOf('db_client_operation_duration_seconds'), { maxSeries });
    this.#series = new StatementSeries(duration, registry.clock);
    registry.onCollect(() => this.#series.rebalance());
    this.#failed = registry.counter(definitionOf('weir_db_failed_queries_total'), { maxSeries });
    this.#events = new QueryEvents(registry, options, maxSeries);
  }

  /** Lets queries see their request; called once a client is instrumented. */
  enable(): void {
    this.#http.contexts ??= new AsyncLocalStorage<HttpExchange>();
  }

  /** Counts and reports nothing from now on; resolves when no plan is being requested. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#events.idle();
  }

  /**
   * Records the query in the caller's own stack and context, where N+1 is detected; at its start instead if a part of its statement is hidden, which
   * its session may read. A driver that queues queries calls this at the caller's call, and `start` of the result when it sends.
   */
  prepare(dialect: Dialect, text: string, values?: unknown): QueryExecution {
    const known = this.#knownOf(dialect, text);
    const exchange = this.#http.contexts?.getStore();
    const { isCut } = known.statement;
    if (exchange !== undefined && !isCut && !this.#closed) this.#events.observe(exchange, known, values);
    const site = isCut || known.tracked.wasSlow ? callSite() : undefined;
    const execution = new QueryExecution(this, known, text, exchange, site);
    if (isCut) execution.unobserved = { values };
    return execution;
  }

  /** Prepares and starts a query at once. */
  begin(dialect: Dialect, text: string, values?: unknown): QueryExecution {
    return this.start(this.prepare(dialect, text, values));
  }

  /** Begins a command that is not SQL. Its driver's instrumentation has made the statement free of literals. */
  beginStatement(system: string, statement: Statement): QueryExecution {
    let known = this.#commands.get(statement);
    if (known === undefined) {
      known = new KnownStatement(statement, this.#series.track(system, statement), undefined);
      this.#commands.set(statement, known);
    }
    return this.start(new QueryExecution(this, known, undefined, this.#http.contexts?.getStore(), undefined));
  }

  /**
   * Restores the caller's request and trace when `callback` is called, from wherever that is. Only these two, and only if they differ: copying
   * the whole async context by `AsyncResource.bind` costs 4 µs, more than the rest of a query's recording.
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

  /** See {@link QueryExecution.start}. */
  start(execution: QueryExecution, dialect?: Dialect): QueryExecution {
    if (execution.startMs < 0) execution.startMs = this.#clock.now();
    if (dialect !== undefined && dialect !== execution.known.source?.dialect)
      execution.known = this.#knownOf(dialect, execution.text ?? '');
    const { exchange, unobserved } = execution;
    if (unobserved !== undefined) {
      execution.unobserved = undefined;
      if (exchange !== undefined && !this.#closed)
        this.#events.observe(exchange, execution.known, unobserved.values, execution.callSite ?? '');
    }
    const { system, statement } = execution.known;
    execution.span = globalTracing()?.startQuery(system, statement);
    return execution;
  }

  /** See {@link QueryExecution.end}. */
  end(execution: QueryExecution, { failed, rows }: QueryOutcome): void {
    const { known, span } = execution;
    if (this.#closed) {
      span?.end({ failed, rows });
      return;
    }
    const durationMs = this.#clock.now() - execution.startMs;
    const series = this.#series.observe(known.tracked, durationMs / 1_000);
    if (span !== undefined) {
      span.end({ failed, rows });
      if (span.ids !== undefined)
        series.setExemplar({ ...span.ids, value: durationMs / 1_000, timestamp: Date.now() / 1_000 });
    }
    if (failed) this.fail(execution);
    if (durationMs > this.#events.slowQueryMs && !known.statement.waits)
      this.#reportSlow(execution, durationMs, { failed, rows });
  }

  /** See {@link QueryExecution.fail}. */
  fail({ known }: QueryExecution): void {
    if (!this.#closed) this.#failed.labels(known.system, known.statement.summary).inc();
  }

  #reportSlow(execution: QueryExecution, durationMs: number, { failed, rows }: QueryOutcome): void {
    const { known, span, text, exchange, callSite } = execution;
    const { system, statement } = known;
    known.tracked.wasSlow = true;
    const event = {
      system,
      summary: statement.summary,
      fingerprint: statement.fingerprint,
      statement: statement.text,
      durationMs,
      rows,
      failed,
      route: exchange?.template,
      callSite,
      traceId: span?.ids?.traceId,
      spanId: span?.ids?.spanId,
    };
    this.#events.slow(event, statement, text);
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

/** How an execution ended. */
export interface QueryOutcome {
  readonly failed: boolean;
  /** Rows returned or affected, if the driver reports them. */
  readonly rows?: number | undefined;
}

/** One query: prepared at its caller's call, started when it is sent, ended once. */
export class QueryExecution {
  known: KnownStatement;
  /** The text as sent, with literals; stays in the process. */
  readonly text: string | undefined;
  readonly exchange: HttpExchange | undefined;
  readonly callSite: string | undefined;
  /** Monotonic; below 0 until it has started. */
  startMs = -1;
  span: QuerySpan | undefined = undefined;
  /** The values of a query in which N+1 is detected at its start. Without the session's dialect, too little of its statement is known. */
  unobserved: { readonly values: unknown } | undefined = undefined;
  /** The recorder that prepared it, and ends it. */
  readonly #recorder: QueryRecorder;

  constructor(
    recorder: QueryRecorder,
    known: KnownStatement,
    text: string | undefined,
    exchange: HttpExchange | undefined,
    site: string | undefined,
  ) {
    this.#recorder = recorder;
    this.known = known;
    this.text = text;
    this.exchange = exchange;
    this.callSite = site;
  }

  /** Starts its time, unless `startMs` is set already. `dialect` replaces the one of `prepare` if that was a guess. */
  start(dialect: Dialect): this {
    this.#recorder.start(this, dialect);
    return this;
  }

  /** Ends and counts it. */
  end(outcome: QueryOutcome): void {
    this.#recorder.end(this, outcome);
  }

  /** Counts the failure of a query that was never sent: no connection was available, or it could not be prepared. */
  fail(): void {
    this.#recorder.fail(this);
  }

  /** Ends it when `pending` settles; settles likewise. */
  async follow<T>(pending: PromiseLike<T>, rowsOf?: (result: T) => number | undefined): Promise<T> {
    try {
      const result = await pending;
      this.end({ failed: false, rows: rowsOf?.(result) });
      return result;
    } catch (error) {
      this.end({ failed: true });
      throw error;
    }
  }
}

/** A statement text, or a command, of one system. */
class KnownStatement implements Read {
  readonly system: string;
  readonly statement: Statement;
  /** The text and the dialect it was read in; `undefined` for a command that is not SQL. */
  readonly source: { readonly dialect: Dialect; readonly text: string } | undefined;
  /** Whether the session may read strings differently after it. */
  readonly changesStrings: boolean;
  tracked: TrackedStatement;
  #selection: Selection | undefined;

  constructor(statement: Statement, tracked: TrackedStatement, source: KnownStatement['source']) {
    this.system = tracked.system;
    this.statement = statement;
    this.source = source;
    this.changesStrings = source !== undefined && stringSetting.test(source.text);
    this.tracked = tracked;
  }

  get selection(): Selection {
    const { source } = this;
    this.#selection ??= source === undefined ? noSelection : selectionOf(source.text, source.dialect);
    return this.#selection;
  }
}

const stringSetting = /sql_mode|standard_conforming/i;
const noSelection: Selection = { listLength: 0, literals: '', paging: new Set() };
