/** The spans of this package by OpenTelemetry's API: requests and queries by hooks, outgoing requests, caches and limiters by diagnostics channels. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { OpenSpan, QuerySpan, RequestSpan, TraceIds, TracingHooks } from './hooks.ts';

/** The hooks that metrics call, named and attributed by the stable semantic conventions. */
export function createHooks(tracer: Tracer): TracingHooks {
  return Object.freeze<TracingHooks>({
    startRequest: (method, headers) => startRequest(tracer, method, headers),
    startQuery: (system, statement) => startQuery(tracer, system, statement),
    current: () => idsOf(trace.getActiveSpan()),
    bind: (callback) => context.bind(context.active(), callback),
  });
}

function startRequest(
  tracer: Tracer,
  method: string,
  headers: Parameters<TracingHooks['startRequest']>[1],
): RequestSpan {
  const parent = propagation.extract(ROOT_CONTEXT, headers);
  const span = tracer.startSpan(
    method,
    { kind: SpanKind.SERVER, attributes: { 'http.request.method': method } },
    parent,
  );
  return {
    ...open(span, trace.setSpan(parent, span)),
    end({ route, statusCode, aborted }) {
      if (route !== undefined) {
        span.updateName(`${method} ${route}`);
        span.setAttribute('http.route', route);
      }
      if (aborted) span.setAttribute('error.type', 'client_closed');
      else span.setAttribute('http.response.status_code', statusCode);
      if (statusCode >= 500) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        span.setAttribute('error.type', String(statusCode));
      }
      span.end();
    },
  };
}

function startQuery(
  tracer: Tracer,
  system: string,
  statement: Parameters<TracingHooks['startQuery']>[1],
): QuerySpan {
  const attributes: Attributes = {
    'db.system.name': system,
    'db.query.summary': statement.summary,
    'db.query.text': statement.text,
  };
  const parent = context.active();
  const span = tracer.startSpan(statement.summary, { kind: SpanKind.CLIENT, attributes }, parent);
  return {
    ...open(span, trace.setSpan(parent, span)),
    end({ failed, rows }) {
      if (rows !== undefined) span.setAttribute('db.response.returned_rows', rows);
      if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

function open(span: Span, within: Context): OpenSpan {
  return { ids: idsOf(span), run: (next) => context.with(within, next) };
}

function idsOf(span: Span | undefined): TraceIds | undefined {
  const own = span?.spanContext();
  if (own === undefined || (own.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return { traceId: own.traceId, spanId: own.spanId };
}

/** Starts spans from diagnostics channels; call the result to stop. */
export function startChannelSpans(tracer: Tracer): () => void {
  const listeners: Record<string, Listener> = {
    ...clientListeners(tracer),
    'weir:cache:load': slowPathListener(tracer, ({ cache }) => `cache load ${cache}`),
    'weir:cache:redis': slowPathListener(tracer, ({ cache, operation }) => `cache ${operation} ${cache}`),
    'weir:ratelimit:redis': slowPathListener(
      tracer,
      ({ limiter, operation }) => `ratelimit ${operation} ${limiter}`,
    ),
    'weir:ratelimit:denied': slowPathListener(tracer, ({ limiter }) => `ratelimit denied ${limiter}`),
  };
  for (const [channel, listener] of Object.entries(listeners)) subscribe(channel, listener);
  return () => {
    for (const [channel, listener] of Object.entries(listeners)) unsubscribe(channel, listener);
  };
}

type Listener = (message: unknown) => void;

function clientListeners(tracer: Tracer): Record<string, Listener> {
  const spans = new WeakMap<object, Span>();
  const statuses = new WeakMap<object, number>();
  const end = (request: object, outcome: Parameters<typeof endClient>[1]): void => {
    endClient(spans.get(request), outcome);
    spans.delete(request);
  };
  return {
    'undici:request:create': (message) => {
      const { request } = message as { request: UndiciRequest };
      const span = startClient(tracer, request.method, new URL(request.origin).hostname, (name, value) =>
        request.addHeader(name, value),
      );
      if (span !== undefined) spans.set(request, span);
    },
    'undici:request:headers': (message) => {
      const { request, response } = message as { request: object; response: { statusCode: number } };
      statuses.set(request, response.statusCode);
    },
    'undici:request:trailers': (message) => {
      const { request } = message as { request: object };
      end(request, { status: statuses.get(request) });
    },
    'undici:request:error': (message) => end((message as { request: object }).request, { failed: true }),
    'http.client.request.created': (message) => {
      const { request } = message as { request: ClientRequest };
      const span = startClient(tracer, request.method, request.host, (name, value) =>
        request.setHeader(name, value),
      );
      if (span !== undefined) spans.set(request, span);
    },
    'http.client.response.finish': (message) => {
      const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
      end(request, { status: response.statusCode });
    },
    'http.client.request.error': (message) => end((message as { request: object }).request, { failed: true }),
  };
}

interface UndiciRequest {
  readonly origin: string | URL;
  readonly path: string;
  readonly method: string;
  addHeader(name: string, value: string): void;
}

// Without a current span none is started: requests of the span exporter must not make spans themselves.
function startClient(
  tracer: Tracer,
  method: string,
  address: string,
  setHeader: (name: string, value: string) => void,
): Span | undefined {
  if (trace.getActiveSpan() === undefined) return undefined;
  const attributes: Attributes = { 'http.request.method': method, 'server.address': address };
  const span = tracer.startSpan(method, { kind: SpanKind.CLIENT, attributes });
  propagation.inject(
    trace.setSpan(context.active(), span),
    { set: setHeader },
    { set: (carrier, name, value) => carrier.set(name, value) },
  );
  return span;
}

function endClient(
  span: Span | undefined,
  outcome: { readonly status?: number | undefined; readonly failed?: boolean },
): void {
  if (span === undefined) return;
  if (outcome.status !== undefined) span.setAttribute('http.response.status_code', outcome.status);
  if (outcome.failed === true || (outcome.status ?? 0) >= 400) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function slowPathListener(tracer: Tracer, name: (event: Record<string, string>) => string): Listener {
  return (message) => {
    const event = message as Record<string, string> & { durationMs?: number };
    const attributes: Attributes = {};
    for (const key of ['cache', 'definition', 'limiter', 'operation', 'outcome']) {
      if (event[key] !== undefined) attributes[`weir.${key}`] = event[key];
    }
    const endTime = Date.now();
    const span = tracer.startSpan(name(event), {
      kind: SpanKind.INTERNAL,
      startTime: endTime - (event.durationMs ?? 0),
      attributes,
    });
    if (event.outcome !== undefined && event.outcome !== 'ok') span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(endTime);
  };
}
