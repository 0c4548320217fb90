/**
 * What every HTTP adapter shares: an exchange begins with the request head and ends once, with its response or its abort.
 * The three series of (method, route, status) are bound together, so that a request costs one lookup.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';
import { definitionOf, labelCatalogue, OVERFLOW, UNMATCHED_ROUTE } from '../catalogue.ts';
import type { StatementRepetition } from '../db/n-plus-one.ts';
import type { Gauge, GaugeSeries } from '../instruments/gauge.ts';
import type { Histogram, HistogramSeries } from '../instruments/histogram.ts';
import type { MetricRegistry } from '../registry.ts';
import { globalTracing, type RequestSpan, type TracingHooks } from '../tracing/hooks.ts';

/** Status code of a request whose client left before the response ended; no server sends it. */
export const CLIENT_CLOSED = 499;

const METHODS = new Set(labelCatalogue.http_request_method?.values);

interface Bound {
  readonly duration: HistogramSeries;
  readonly requestSize: HistogramSeries;
  readonly responseSize: HistogramSeries;
}

/** One request being served. Adapters set `route` as soon as their router knows it. */
export class HttpExchange {
  readonly method: string;
  readonly startMs: number;
  /** Route template; `undefined` until, and unless, a route took the request. */
  route: string | undefined;
  /** Asked for the template when it is needed and `route` is not set. */
  routeSource: (() => string | undefined) | undefined;
  ended = false;
  /** What this request asked of databases, for N+1 detection. */
  statements: Map<string, StatementRepetition> | undefined;
  readonly active: GaugeSeries;
  /** The server span, where tracing runs. */
  span: RequestSpan | undefined;

  constructor(method: string, startMs: number, active: GaugeSeries) {
    this.method = method;
    this.startMs = startMs;
    this.active = active;
  }

  /** The template as far as it is known now. */
  get template(): string | undefined {
    return this.route ?? this.routeSource?.();
  }
}

/** How a response ended. Sizes are bytes of the body where they are known. */
export interface HttpOutcome {
  readonly statusCode: number;
  readonly requestBytes?: number | undefined;
  readonly responseBytes?: number | undefined;
}

/** Told of every end of an exchange. */
export type EndListener = (exchange: HttpExchange, outcome: HttpOutcome, durationMs: number) => void;

/** Records HTTP metrics for any server framework. */
export class HttpRecorder {
  readonly #now: () => number;
  readonly #duration: Histogram;
  readonly #requestSize: Histogram;
  readonly #responseSize: Histogram;
  readonly #active: Gauge;
  readonly #bound = new Map<string, Map<string, Map<number, Bound>>>();
  readonly #activeOf = new Map<string, GaugeSeries>();
  readonly #endListeners: EndListener[] = [];
  /** Carries the exchange to the queries of its request; set once something needs it. */
  contexts: AsyncLocalStorage<HttpExchange> | undefined;
  constructor(registry: MetricRegistry, options: { readonly now: () => number; readonly maxSeries: number }) {
    const { now, maxSeries } = options;
    this.#now = now;
    this.#duration = registry.histogram(definitionOf('http_server_request_duration_seconds'), { maxSeries });
    this.#active = registry.gauge(definitionOf('http_server_active_requests'), { maxSeries });
    this.#requestSize = registry.histogram(definitionOf('http_server_request_body_size_bytes'), {
      maxSeries,
    });
    this.#responseSize = registry.histogram(definitionOf('http_server_response_body_size_bytes'), {
      maxSeries,
    });
  }

  /** Begins an exchange; unknown methods become `_OTHER`. `headers` carry the caller's trace. */
  begin(method: string, headers: Parameters<TracingHooks['startRequest']>[1] = {}): HttpExchange {
    const known = METHODS.has(method) ? method : OVERFLOW;
    let active = this.#activeOf.get(known);
    if (active === undefined) {
      active = this.#active.labels(known);
      this.#activeOf.set(known, active);
    }
    active.inc();
    const exchange = new HttpExchange(known, this.#now(), active);
    const tracing = globalTracing();
    if (tracing !== undefined) exchange.span = tracing.startRequest(known, headers);
    return exchange;
  }

  /** Ends an exchange; only the first end of an exchange counts. */
  end(exchange: HttpExchange, outcome: HttpOutcome): void {
    if (exchange.ended) return;
    exchange.ended = true;
    exchange.active.dec();
    const seconds = (this.#now() - exchange.startMs) / 1_000;
    const bound = this.#seriesOf(exchange.method, exchange.template ?? UNMATCHED_ROUTE, outcome.statusCode);
    bound.duration.observe(seconds);
    if (outcome.requestBytes !== undefined) bound.requestSize.observe(outcome.requestBytes);
    if (outcome.responseBytes !== undefined) bound.responseSize.observe(outcome.responseBytes);
    for (const listener of this.#endListeners) listener(exchange, outcome, seconds * 1_000);
    const { span } = exchange;
    if (span === undefined) return;
    const { statusCode } = outcome;
    span.end({ route: exchange.template, statusCode, aborted: statusCode === CLIENT_CLOSED });
    if (span.ids !== undefined)
      bound.duration.setExemplar({ ...span.ids, value: seconds, timestamp: Date.now() / 1_000 });
  }

  /** Tells `listener` of every end; call the result to stop. */
  onEnd(listener: EndListener): () => void {
    this.#endListeners.push(listener);
    return () => {
      const index = this.#endListeners.indexOf(listener);
      if (index !== -1) this.#endListeners.splice(index, 1);
    };
  }

  /** Runs `next` with the exchange, and its span, as the current ones, and gives what it gives. */
  run<T>(exchange: HttpExchange, next: () => T): T {
    const { contexts } = this;
    const { span } = exchange;
    if (span === undefined) return contexts === undefined ? next() : contexts.run(exchange, next);
    return span.run(() => (contexts === undefined ? next() : contexts.run(exchange, next)));
  }

  #seriesOf(method: string, route: string, status: number): Bound {
    const known = this.#bound.get(method)?.get(route)?.get(status);
    return known ?? this.#bind(method, route, status);
  }

  // Only label sets with series of their own are kept: past the budget nothing here grows either.
  #bind(method: string, route: string, status: number): Bound {
    const code = status >= 100 && status <= 999 ? String(status) : OVERFLOW;
    const keep = this.#duration.hasRoom;
    const bound = {
      duration: this.#duration.labels(method, route, code),
      requestSize: this.#requestSize.labels(method, route, code),
      responseSize: this.#responseSize.labels(method, route, code),
    };
    if (!keep) return bound;
    let routes = this.#bound.get(method);
    if (routes === undefined) {
      routes = new Map();
      this.#bound.set(method, routes);
    }
    let statuses = routes.get(route);
    if (statuses === undefined) {
      statuses = new Map();
      routes.set(route, statuses);
    }
    statuses.set(status, bound);
    return bound;
  }
}
