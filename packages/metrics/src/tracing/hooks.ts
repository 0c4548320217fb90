/**
 * The interface between metrics and tracing. Metrics use only these hooks; `@weir/metrics/tracing` alone loads OpenTelemetry, so a process
 * without tracing loads none of it.
 */
/** Ids of a sampled span, as exemplars and logs carry them. */
export interface TraceIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** A span that has not ended. */
export interface OpenSpan {
  /** The ids if the span is sampled. */
  readonly ids: TraceIds | undefined;
  /** Runs `next` with the span as the current one. */
  run<T>(next: () => T): T;
}

/** The server span of a request. */
export interface RequestSpan extends OpenSpan {
  end(outcome: {
    readonly route: string | undefined;
    readonly statusCode: number;
    readonly aborted: boolean;
  }): void;
}

/** The client span of a statement. */
export interface QuerySpan extends OpenSpan {
  end(outcome: { readonly failed: boolean; readonly rows: number | undefined }): void;
}

/** The calls of metrics into tracing. */
export interface TracingHooks {
  startRequest(method: string, headers: Readonly<Record<string, string | string[] | undefined>>): RequestSpan;
  /** `statement` must hold no literal. */
  startQuery(system: string, statement: { readonly summary: string; readonly text: string }): QuerySpan;
  /** Ids of the current span if it is sampled. */
  current(): TraceIds | undefined;
  /** Binds a callback to the current trace context. */
  bind<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void;
}

const key = Symbol.for('weir.metrics.tracing');

// All copies of this package in a process share one holder. Reading its field costs less than reading the global object.
const shared = globalThis as { [key]?: { hooks: TracingHooks | undefined } };
shared[key] ??= { hooks: undefined };
const holder = shared[key];

/** The hooks of this process's tracing; `undefined` while none runs. */
export function globalTracing(): TracingHooks | undefined {
  return holder.hooks;
}

/** Sets the hooks of this process; `undefined` removes them. */
export function setGlobalTracing(hooks: TracingHooks | undefined): void {
  holder.hooks = hooks;
}
