/**
 * Records HTTP requests for every adapter. An exchange begins with the request head and ends once, with its response or its abort. The three
 * series of a (method, route, status) are cached together, so that a request costs one lookup.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Callbacks } from '../callbacks.ts';
import { definitionOf, labelCatalogue, overflowValue, unmatchedRoute } from '../catalogue.ts';
import type { Gauge, GaugeSeries } from '../instruments/counter-gauge.ts';
import type { Histogram, HistogramSeries } from '../instruments/histogram.ts';
import type { Clock, MetricRegistry } from '../registry.ts';
import { globalTracing, type RequestSpan, type TracingHooks } from '../tracing/hooks.ts';

/** Records HTTP metrics for any server framework. */
export class HttpRecorder {
  /** Calls the `route` functions of adapters. */
  readonly callbacks: Callbacks;
  readonly #clock: Clock;
  readonly #duration: Histogram;
  readonly #requestSize: Histogram;
  readonly #responseSize: Histogram;
  readonly #active: Gauge;
  readonly #slots = new Map<string, MethodSlot>();
  readonly #endListeners: EndListener[] = [];
  /** Carries the exchange to the queries of its request; set when the first client is instrumented. */
  contexts: AsyncLocalStorage<HttpExchange> | undefined;

  constructor(registry: MetricRegistry, maxSeries: number) {
    this.callbacks = registry.callbacks;
    this.#clock = registry.clock;
    this.#duration = registry.histogram(definitionOf('http_server_request_duration_seconds'), { maxSeries });
    this.#active = registry.gauge(definitionOf('http_server_active_requests'), { maxSeries });
    this.#requestSize = registry.histogram(definitionOf('http_server_request_body_size_bytes'), {
      maxSeries,
    });
    this.#responseSize = registry.histogram(definitionOf('http_server_response_body_size_bytes'), {
      maxSeries,
    });
  }

  /** Begins an exchange. Unknown methods become `_OTHER`; `headers` may carry the caller's trace context. */
  begin(method: string, headers?: Parameters<TracingHooks['startRequest']>[1]): HttpExchange {
    const slot = this.#slots.get(method) ?? this.#slotOf(knownMethods.has(method) ? method : overflowValue);
    slot.active.inc();
    const span = globalTracing()?.startRequest(slot.method, headers ?? {});
    return new HttpExchange(this, slot, this.#clock.now(), span);
  }

  /** Ends an exchange; a second call is a no-op. */
  end(exchange: HttpExchange, outcome: HttpOutcome): void {
    if (exchange.ended) return;
    exchange.ended = true;
    exchange.slot.active.dec();
    const seconds = (this.#clock.now() - exchange.startMs) / 1_000;
    const { statusCode, requestBytes, responseBytes } = outcome;
    const { template } = exchange;
    const route = template ?? unmatchedRoute;
    const bound =
      exchange.slot.bound.get(route)?.get(statusCode) ?? this.#bind(exchange.slot, route, statusCode);
    bound.duration.observe(seconds);
    if (requestBytes !== undefined) {
      bound.requestSize ??= this.#requestSize.labels(...bound.labels);
      bound.requestSize.observe(requestBytes);
    }
    if (responseBytes !== undefined) {
      bound.responseSize ??= this.#responseSize.labels(...bound.labels);
      bound.responseSize.observe(responseBytes);
    }
    if (this.#endListeners.length > 0) {
      for (const listener of this.#endListeners) listener(exchange, template, outcome, seconds * 1_000);
    }
    if (exchange.span !== undefined) endSpan(exchange.span, template, bound.duration, statusCode, seconds);
  }

  /** Calls `listener` at every end; call the result to stop. */
  onEnd(listener: EndListener): () => void {
    this.#endListeners.push(listener);
    return () => {
      const index = this.#endListeners.indexOf(listener);
      if (index !== -1) this.#endListeners.splice(index, 1);
    };
  }

  /** Runs `next` with the exchange and its span as the current ones; returns its result. */
  run<T>(exchange: HttpExchange, next: () => T): T {
    const { contexts } = this;
    const { span } = exchange;
    if (span === undefined) return contexts === undefined ? next() : contexts.run(exchange, next);
    return span.run(() => (contexts === undefined ? next() : contexts.run(exchange, next)));
  }

  #slotOf(method: string): MethodSlot {
    let slot = this.#slots.get(method);
    if (slot === undefined) {
      slot = { method, active: this.#active.labels(method), bound: new Map() };
      this.#slots.set(method, slot);
    }
    return slot;
  }

  // Only label sets with series of their own are cached, so the cache is bounded by the same budget.
  #bind(slot: MethodSlot, route: string, status: number): Bound {
    const code = status >= 100 && status <= 999 ? String(status) : overflowValue;
    const keep = this.#duration.hasRoom;
    const labels = [slot.method, route, code] as const;
    const duration = this.#duration.labels(...labels);
    const bound: Bound = { labels, duration, requestSize: undefined, responseSize: undefined };
    if (!keep) return bound;
    let statuses = slot.bound.get(route);
    if (statuses === undefined) {
      statuses = new Map();
      slot.bound.set(route, statuses);
    }
    statuses.set(status, bound);
    return bound;
  }
}

/** Called at every end of an exchange. */
type EndListener = (
  exchange: HttpExchange,
  template: string | undefined,
  outcome: HttpOutcome,
  durationMs: number,
) => void;

function endSpan(
  span: RequestSpan,
  template: string | undefined,
  duration: HistogramSeries,
  statusCode: number,
  seconds: number,
): void {
  span.end({ route: template, statusCode, aborted: statusCode === clientClosedStatus });
  if (span.ids !== undefined)
    duration.setExemplar({ ...span.ids, value: seconds, timestamp: Date.now() / 1_000 });
}

/** How a response ended. Sizes are bytes of the body; `undefined` if unknown. */
export interface HttpOutcome {
  readonly statusCode: number;
  readonly requestBytes?: number | undefined;
  readonly responseBytes?: number | undefined;
}

/** Status code of a request whose client disconnected before the response ended; no server sends it. */
export const clientClosedStatus = 499;

/** One request from its head to the end of its response. Adapters set `route` as soon as their router knows it. */
export class HttpExchange {
  readonly recorder: HttpRecorder;
  readonly slot: MethodSlot;
  readonly startMs: number;
  /** Route template; `undefined` until a route matches. */
  route: string | undefined = undefined;
  /** Called for the template if it is needed while `route` is `undefined`. Its errors are those of the callback `route`. */
  routeSource: (() => unknown) | undefined = undefined;
  /** The owner of the response's headers, if that is not the response itself. */
  responseHeaders: { getHeader(name: string): unknown } | undefined = undefined;
  ended = false;
  /** Whether it is a scrape or a health probe, not a user's request. */
  isProbe = false;
  /** The exchange of another `createMetrics` on the same response. */
  other: HttpExchange | undefined = undefined;
  /** The reads of this request so far; N+1 detection (db/n-plus-one) owns them. */
  repetitions: unknown = undefined;
  /** The server span, if tracing runs. */
  readonly span: RequestSpan | undefined;

  constructor(recorder: HttpRecorder, slot: MethodSlot, startMs: number, span: RequestSpan | undefined) {
    this.recorder = recorder;
    this.slot = slot;
    this.startMs = startMs;
    this.span = span;
  }

  /** The template, if it is known yet. */
  get template(): string | undefined {
    if (this.route !== undefined || this.routeSource === undefined) return this.route;
    return templateBy(this.recorder, this.routeSource, undefined);
  }
}

/** The template that a function of the program gives for `subject`; `undefined` if the function fails or gives no string. */
export function templateBy<T>(
  { callbacks }: HttpRecorder,
  route: ((subject: T) => unknown) | undefined,
  subject: T,
): string | undefined {
  const template = callbacks.call('route', route, subject);
  return typeof template === 'string' ? template : undefined;
}

/** The gauge and cached series of one method. */
interface MethodSlot {
  readonly method: string;
  readonly active: GaugeSeries;
  readonly bound: Map<string, Map<number, Bound>>;
}

const knownMethods = new Set(labelCatalogue.http_request_method?.values);

/** The series of one route and status. Those of sizes are looked up at the first size. */
interface Bound {
  readonly labels: readonly [method: string, route: string, code: string];
  readonly duration: HistogramSeries;
  requestSize: HistogramSeries | undefined;
  responseSize: HistogramSeries | undefined;
}
