/** Tracing that starts in one call and ends well. Importing this loads OpenTelemetry's SDK; nothing else of this package does. */
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { NodeSDK } from '@opentelemetry/sdk-node';
import {
  BatchSpanProcessor,
  ConsoleSpanExporter,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { metricsError } from '../errors.ts';
import { createSampler, exporterNames } from './environment.ts';
import { globalTracing, setGlobalTracing, type TraceIds } from './hooks.ts';
import { createHooks, startChannelSpans } from './spans.ts';
import { recordUnsampled, TailProcessor } from './tail-processor.ts';

/** Options of {@link startTracing}; the standard OTEL_* variables stand where one is not given. */
export interface TracingOptions {
  readonly service?: string;
  /** Share of new traces that are sampled, 0…1; a parent's decision goes before. Default: OTEL_TRACES_SAMPLER, else 1. */
  readonly ratio?: number;
  /** Unsampled traces that last longer are kept all the same. Default 1,000; `Infinity` for none. */
  readonly keepSlowMs?: number;
  /** Unsampled traces that fail are kept all the same. Default `true`. */
  readonly keepErrors?: boolean;
  /** By when after a shutdown began, or SIGTERM came, nothing waits for the collector any more. Default 2,000. */
  readonly deadlineMs?: number;
  /** Whether SIGTERM flushes. Default `true`. */
  readonly handleSigterm?: boolean;
  /** Default: those that OTEL_TRACES_EXPORTER lists (`otlp`, `console`, or `none`), else OTLP over HTTP. */
  readonly exporter?: SpanExporter;
}

/** Tracing that runs. */
export interface Tracing {
  /** Exports what has ended, waiting `deadlineMs` at most; `false` where the collector took longer. Never rejects. */
  flush(): Promise<boolean>;
  /** Flushes by the deadline and stops. Never rejects. */
  shutdown(): Promise<boolean>;
}

// The rest of a deadline is for timers that come late and for the end of the process itself.
const WAITING_SHARE = 0.95;

function validate({ ratio, keepSlowMs, deadlineMs }: TracingOptions): void {
  if (ratio !== undefined && !(ratio >= 0 && ratio <= 1))
    throw metricsError('ERR_WEIR_METRICS_OPTION', 'ratio', 'between 0 and 1', ratio);
  if (keepSlowMs !== undefined && !(keepSlowMs >= 0))
    throw metricsError('ERR_WEIR_METRICS_OPTION', 'keepSlowMs', 'at least 0', keepSlowMs);
  if (deadlineMs !== undefined && !(deadlineMs > 0))
    throw metricsError('ERR_WEIR_METRICS_OPTION', 'deadlineMs', 'above 0', deadlineMs);
}

function exportersOf(options: TracingOptions): readonly SpanExporter[] {
  if (options.exporter !== undefined) return [options.exporter];
  return exporterNames(process.env).map((name) =>
    name === 'console'
      ? new ConsoleSpanExporter()
      : new OTLPTraceExporter({ timeoutMillis: options.deadlineMs ?? 2_000 }),
  );
}

// A queue for each exporter: one that is slow holds up no other.
function batched(exporters: readonly SpanExporter[], exportTimeoutMillis: number): SpanProcessor {
  const batches = exporters.map((exporter) => new BatchSpanProcessor({ exporter, exportTimeoutMillis }));
  return {
    onStart: (...args) => {
      for (const batch of batches) batch.onStart(...args);
    },
    onEnd: (span) => {
      for (const batch of batches) batch.onEnd(span);
    },
    forceFlush: async () => {
      await Promise.all(batches.map((batch) => batch.forceFlush()));
    },
    shutdown: async () => {
      await Promise.all(batches.map((batch) => batch.shutdown()));
    },
  };
}

async function within(deadlineMs: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, deadlineMs * WAITING_SHARE, false);
  });
  const finished = work.then(
    () => true,
    () => false,
  );
  const result = await Promise.race([finished, deadline]);
  clearTimeout(timer);
  return result;
}

/** Starts tracing for the process: HTTP servers with an adapter, instrumented databases, outgoing requests, caches and limiters. */
export function startTracing(options: TracingOptions = {}): Tracing {
  validate(options);
  if (globalTracing() !== undefined) throw metricsError('ERR_WEIR_METRICS_TRACING');
  const { keepSlowMs = 1_000, keepErrors = true, deadlineMs = 2_000, service } = options;
  const exporters = exportersOf(options);
  const keepsSome = keepErrors || keepSlowMs < Infinity;
  const sampler = createSampler(options.ratio, process.env);
  const processor =
    exporters.length === 0
      ? undefined
      : new TailProcessor(batched(exporters, deadlineMs), { keepSlowMs, keepErrors });
  // No metrics and no logs by the SDK: unset variables would start exporters of both.
  const sdk = new NodeSDK({
    ...(service === undefined ? {} : { serviceName: service }),
    sampler: keepsSome ? recordUnsampled(sampler) : sampler,
    spanProcessors: processor === undefined ? [] : [processor],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  const tracer = trace.getTracer('@weir/metrics');
  setGlobalTracing(createHooks(tracer));
  const stopChannels = startChannelSpans(tracer);

  let stopped: Promise<boolean> | undefined;
  const tracing: Tracing = Object.freeze({
    flush: () => within(deadlineMs, processor?.forceFlush() ?? Promise.resolve()),
    shutdown: () => {
      stopped ??= (async () => {
        process.off('SIGTERM', onSigterm);
        process.off('beforeExit', onBeforeExit);
        stopChannels();
        setGlobalTracing(undefined);
        return within(deadlineMs, sdk.shutdown());
      })();
      return stopped;
    },
  });
  // With a listener of ours Node no longer ends by itself: where we are the only one, we end it as the signal would have.
  const onSigterm = (): void => {
    const isOnly = process.listenerCount('SIGTERM') === 1;
    void (isOnly ? tracing.shutdown() : tracing.flush()).then(() => {
      if (isOnly) process.kill(process.pid, 'SIGTERM');
    });
  };
  let flushedAtEnd = false;
  const onBeforeExit = (): void => {
    if (!flushedAtEnd) void tracing.flush();
    flushedAtEnd = true;
  };
  if (options.handleSigterm !== false) process.on('SIGTERM', onSigterm);
  process.on('beforeExit', onBeforeExit);
  return tracing;
}

/** Trace and span id of now under the names that log tools look for: `pino({ mixin: traceMixin })`. Empty where nothing is sampled. */
export function traceMixin(): { readonly trace_id?: string; readonly span_id?: string } {
  const ids: TraceIds | undefined = globalTracing()?.current();
  return ids === undefined ? {} : { trace_id: ids.traceId, span_id: ids.spanId };
}
