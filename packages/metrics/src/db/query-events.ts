/**
 * What the program is told about its queries: slow ones, N+1s, and plans of slow reads. Each is counted and given to a callback of the program,
 * whose errors never reach the query.
 */
import type { Callbacks } from '../callbacks.ts';
import { definitionOf, unmatchedRoute } from '../catalogue.ts';
import type { HttpExchange } from '../http/recorder.ts';
import type { Counter } from '../instruments/counter-gauge.ts';
import type { MetricRegistry } from '../registry.ts';
import { Explainer, type ExplainOptions } from './explain.ts';
import { NPlusOneDetector, type NPlusOneEvent, type Read } from './n-plus-one.ts';
import type { Statement } from './statements.ts';

/** Options of query timing. */
export interface QueryOptions {
  /**
   * Statements that take longer count as slow, in milliseconds; `Infinity` for none.
   * @defaultValue 100
   */
  readonly slowQueryMs?: number;
  /**
   * Executions of one read with different values, from one line in one request, that are an N+1; `Infinity` turns detection off.
   * @defaultValue 10
   */
  readonly nPlusOneThreshold?: number;
  /**
   * Statements with series of their own: those that take the most time. All others share the overflow series.
   * @defaultValue 500
   */
  readonly maxStatements?: number;
  /**
   * Requests plans of slow PostgreSQL reads, with a hint if an index is missing.
   * @defaultValue off
   */
  readonly explain?: ExplainOptions;
  /** Called for each slow statement. Its errors never reach the query; they count in `weir_metrics_callback_errors_total`. */
  readonly onSlowQuery?: (event: SlowQueryEvent) => void;
  /** Called once per request and statement. Its errors are handled like those of `onSlowQuery`. */
  readonly onNPlusOne?: (event: NPlusOneEvent) => void;
}

/** One slow statement, given to `onSlowQuery`. Holds no literal. */
export interface SlowQueryEvent {
  readonly system: string;
  readonly summary: string;
  readonly fingerprint: string;
  /** The statement without literals. */
  readonly statement: string;
  readonly durationMs: number;
  /** Rows returned or affected, if the driver reports them. */
  readonly rows: number | undefined;
  readonly failed: boolean;
  readonly route: string | undefined;
  /** `file:line:column` of the caller; known from the second slow execution of a statement on. */
  readonly callSite: string | undefined;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
}

/** Counts and reports the events of one `createMetrics`. */
export class QueryEvents {
  readonly slowQueryMs: number;
  readonly #options: QueryOptions;
  readonly #callbacks: Callbacks;
  readonly #slow: Counter;
  readonly #detector: NPlusOneDetector | undefined;
  readonly #explainer: Explainer | undefined;

  constructor(registry: MetricRegistry, options: QueryOptions, maxSeries: number) {
    const { slowQueryMs = 100, nPlusOneThreshold = 10, explain, onNPlusOne } = options;
    this.slowQueryMs = slowQueryMs;
    this.#options = options;
    this.#slow = registry.counter(definitionOf('weir_db_slow_queries_total'), { maxSeries });
    const repeated = registry.counter(definitionOf('weir_db_n_plus_one_total'));
    const { callbacks } = registry;
    this.#callbacks = callbacks;
    if (nPlusOneThreshold < Infinity) {
      this.#detector = new NPlusOneDetector(nPlusOneThreshold, (event) => {
        repeated.labels(event.route ?? unmatchedRoute, event.summary).inc();
        callbacks.call('onNPlusOne', onNPlusOne, event);
      });
    }
    if (explain !== undefined) {
      this.#explainer = new Explainer(explain, registry.clock, (event) =>
        callbacks.call('onPlan', explain.onPlan, event),
      );
    }
  }

  /** Looks for an N+1. See {@link NPlusOneDetector.observe}. */
  observe(exchange: HttpExchange, read: Read, values: unknown, calledAt?: string): void {
    this.#detector?.observe(exchange, read, values, calledAt);
  }

  /** Reports a slow statement. `sent` is its text with literals, if it is SQL; it stays in the process. */
  slow(event: SlowQueryEvent, statement: Statement, sent: string | undefined): void {
    const { system, summary } = event;
    this.#slow.labels(system, summary).inc();
    if (system === 'postgresql' && sent !== undefined) this.#explainer?.consider(sent, statement);
    this.#callbacks.call('onSlowQuery', this.#options.onSlowQuery, event);
  }

  /** Resolves when no plan is being requested. */
  async idle(): Promise<void> {
    await this.#explainer?.idle();
  }
}
