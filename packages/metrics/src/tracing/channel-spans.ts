/**
 * Spans from diagnostics channels: outgoing requests of fetch, undici and node:http, with their trace context sent along, and
 * the slow paths of `@weir/cache` and `@weir/ratelimit`.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';

type Listener = (message: unknown) => void;

interface UndiciRequest {
  readonly origin: string | URL;
  readonly path: string;
  readonly method: string;
  addHeader(name: string, value: string): void;
}

// What sends the spans away must not make spans of its own: its requests have no current span, and none is started without one.
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

/** Starts all of them; call the result to stop. */
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
