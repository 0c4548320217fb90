/**
 * The seam between metrics and tracing. Metrics know only these hooks, and OpenTelemetry is loaded by `@weir/metrics/tracing` alone:
 * without tracing nothing of it is in the process.
 */
import type { Statement } from '../db/statements.ts';

/** Ids of a span that is sampled, as exemplars and logs carry them. */
export interface TraceIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** A span of ours in the making. */
export interface OpenSpan {
  /** The ids, where the span is sampled. */
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

/** What tracing does for metrics. */
export interface TracingHooks {
  startRequest(method: string, headers: Readonly<Record<string, string | string[] | undefined>>): RequestSpan;
  startQuery(system: string, statement: Statement): QuerySpan;
  /** Ids of the current span where it is sampled. */
  current(): TraceIds | undefined;
  /** Binds a callback to the trace context of now. */
  bind<A extends unknown[]>(callback: (...args: A) => void): (...args: A) => void;
}

const KEY = Symbol.for('weir.metrics.tracing');

// One holder a process, however often this package is loaded: reading a field of it costs less than looking at the global object.
const shared = globalThis as { [KEY]?: { hooks: TracingHooks | undefined } };
shared[KEY] ??= { hooks: undefined };
const holder = shared[KEY];

/** The hooks of the process's tracing, whoever started it. */
export function globalTracing(): TracingHooks | undefined {
  return holder.hooks;
}

/** Makes `hooks` those of the process, or none. */
export function setGlobalTracing(hooks: TracingHooks | undefined): void {
  holder.hooks = hooks;
}
