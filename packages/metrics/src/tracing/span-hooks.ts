/** Our spans by OpenTelemetry's API, named and attributed by its stable semantic conventions. */
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

function idsOf(span: Span | undefined): TraceIds | undefined {
  const own = span?.spanContext();
  if (own === undefined || (own.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return { traceId: own.traceId, spanId: own.spanId };
}

function open(span: Span, within: Context): OpenSpan {
  return { ids: idsOf(span), run: (next) => context.with(within, next) };
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

/** The hooks that metrics call. */
export function createHooks(tracer: Tracer): TracingHooks {
  return Object.freeze<TracingHooks>({
    startRequest: (method, headers) => startRequest(tracer, method, headers),
    startQuery: (system, statement) => startQuery(tracer, system, statement),
    current: () => idsOf(trace.getActiveSpan()),
    bind: (callback) => context.bind(context.active(), callback),
  });
}
