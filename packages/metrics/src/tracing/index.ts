/** Starts and ends OpenTelemetry tracing in one call each. Only this entry of the package loads OpenTelemetry's SDK. */
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { NodeSDK } from '@opentelemetry/sdk-node';
import {
  BatchSpanProcessor,
  ConsoleSpanExporter,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { checkMilliseconds, metricsError } from '../errors.ts';
import { createSampler, exporterNames } from './environment.ts';
import { globalTracing, setGlobalTracing, type TraceIds } from './hooks.ts';
import { createHooks, startChannelSpans } from './spans.ts';
import { recordUnsampled, TailProcessor } from './tail-processor.ts';

/** Options of {@link startTracing}. For an option that is absent the standard OTEL_* variables apply. */
export interface TracingOptions {
  /**
   * Name of the service.
   * @defaultValue OTEL_SERVICE_NAME
   */
  readonly service?: string;
  /**
   * Share of new traces that are sampled, 0…1. A parent's decision overrides it.
   * @defaultValue OTEL_TRACES_SAMPLER, else 1
   */
  readonly ratio?: number;
  /**
   * Unsampled requests that last longer are exported all the same; `Infinity` for none.
   * @defaultValue 1,000
   */
  readonly keepSlowMs?: number;
  /**
   * Whether unsampled requests that fail are exported all the same.
   * @defaultValue `true`
   */
  readonly keepErrors?: boolean;
  /**
   * Longest wait for the collector after a shutdown began or SIGTERM arrived, in whole milliseconds from 1 to 2,147,483,647.
   * @defaultValue 2,000
   */
  readonly deadlineMs?: number;
  /**
   * Whether SIGTERM flushes.
   * @defaultValue `true`
   */
  readonly handleSigterm?: boolean;
  /**
   * Receives the spans.
   * @defaultValue those that OTEL_TRACES_EXPORTER lists (`otlp`, `console`, or `none`), else OTLP over HTTP
   */
  readonly exporter?: SpanExporter;
}

/** Running tracing. */
export interface Tracing {
  /** Exports the ended spans within `deadlineMs`; `false` if the collector took longer or failed. Never rejects. */
  flush(): Promise<boolean>;
  /** Flushes within `deadlineMs` and stops; `false` as for `flush`. Never rejects. */
  shutdown(): Promise<boolean>;
}

// The rest of a deadline covers late timers and the exit of the process.
const waitingShare = 0.95;

function validate({ ratio, keepSlowMs, deadlineMs }: TracingOptions): void {
  if (ratio !== undefined && !(ratio >= 0 && ratio <= 1))
    throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', 'ratio', 'between 0 and 1', ratio);
  if (keepSlowMs !== undefined && !(keepSlowMs >= 0))
    throw metricsError('ERR_WEIR_METRICS_INVALID_OPTION', 'keepSlowMs', 'at least 0', keepSlowMs);
  if (deadlineMs !== undefined) checkMilliseconds('deadlineMs', deadlineMs);
}

function exportersOf(options: TracingOptions): readonly SpanExporter[] {
  if (options.exporter !== undefined) return [options.exporter];
  return exporterNames(process.env).map((name) =>
    name === 'console'
      ? new ConsoleSpanExporter()
      : new OTLPTraceExporter({ timeoutMillis: options.deadlineMs ?? 2_000 }),
  );
}

// Each exporter has its own queue, so a slow one delays no other.
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
    timer = setTimeout(resolve, deadlineMs * waitingShare, false);
  });
  const finished = work.then(
    () => true,
    () => false,
  );
  const result = await Promise.race([finished, deadline]);
  clearTimeout(timer);
  return result;
}

/**
 * Starts tracing in this process: HTTP servers with an adapter, instrumented databases, outgoing requests, caches and limiters. Throws
 * ERR_WEIR_METRICS_INVALID_OPTION for an invalid option and ERR_WEIR_METRICS_TRACING_RUNNING if tracing runs already.
 */
export function startTracing(options: TracingOptions = {}): Tracing {
  validate(options);
  if (globalTracing() !== undefined) throw metricsError('ERR_WEIR_METRICS_TRACING_RUNNING');
  const { keepSlowMs = 1_000, keepErrors = true, deadlineMs = 2_000, service } = options;
  const exporters = exportersOf(options);
  const keepsSome = keepErrors || keepSlowMs < Infinity;
  const sampler = createSampler(options.ratio, process.env);
  const processor =
    exporters.length === 0
      ? undefined
      : new TailProcessor(batched(exporters, deadlineMs), { keepSlowMs, keepErrors });
  // Without empty lists here, the SDK would start exporters of metrics and logs too.
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
  // A listener keeps Node from ending by itself. If ours is the only one, it raises the signal again after the flush.
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

/** Ids of the current sampled span, named as log tools expect: `pino({ mixin: traceMixin })`. Empty without a sampled span. */
export function traceMixin(): { readonly trace_id?: string; readonly span_id?: string } {
  const ids: TraceIds | undefined = globalTracing()?.current();
  return ids === undefined ? {} : { trace_id: ids.traceId, span_id: ids.spanId };
}
