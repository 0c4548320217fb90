/**
 * Keeps what matters of the traces that the sampler passed over: spans that are recorded but not sampled wait, by trace,
 * until their local root ends; a trace that was slow or failed is then exported whole, all others are dropped.
 *
 * Bounded: past `MAX_TRACES` traces the oldest is dropped, past `MAX_SPANS` spans a trace keeps its first ones.
 */
import { type Context, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { ReadableSpan, Span, SpanProcessor } from '@opentelemetry/sdk-trace';

const MAX_TRACES = 1_000;
const MAX_SPANS = 500;

/** What makes an unsampled trace worth keeping. */
export interface KeepOptions {
  /** Local roots that last longer are kept; `Infinity` for none. */
  readonly keepSlowMs: number;
  /** Whether traces with a failed span are kept. */
  readonly keepErrors: boolean;
}

interface Waiting {
  readonly spans: ReadableSpan[];
  open: number;
  failed: boolean;
}

function durationMs({ duration: [seconds, nanos] }: ReadableSpan): number {
  return seconds * 1_000 + nanos / 1e6;
}

// Exporters skip spans without the flag; the original is left alone, as others may hold it.
function asSampled(span: ReadableSpan): ReadableSpan {
  const context = { ...span.spanContext(), traceFlags: TraceFlags.SAMPLED };
  return Object.create(span, { spanContext: { value: () => context } }) as ReadableSpan;
}

/** Stands before the exporting processor. */
export class TailProcessor implements SpanProcessor {
  readonly #next: SpanProcessor;
  readonly #options: KeepOptions;
  readonly #waiting = new Map<string, Waiting>();

  constructor(next: SpanProcessor, options: KeepOptions) {
    this.#next = next;
    this.#options = options;
  }

  onStart(span: Span, context: Context): void {
    const { traceId, traceFlags } = span.spanContext();
    if (traceFlags & TraceFlags.SAMPLED) {
      this.#next.onStart(span, context);
      return;
    }
    const known = this.#waiting.get(traceId);
    if (known !== undefined) {
      known.open += 1;
      return;
    }
    if (this.#waiting.size >= MAX_TRACES) this.#waiting.delete(this.#waiting.keys().next().value as string);
    this.#waiting.set(traceId, { spans: [], open: 1, failed: false });
  }

  onEnd(span: ReadableSpan): void {
    const { traceId, traceFlags } = span.spanContext();
    if (traceFlags & TraceFlags.SAMPLED) {
      this.#next.onEnd(span);
      return;
    }
    const trace = this.#waiting.get(traceId);
    if (trace === undefined) return;
    trace.open -= 1;
    trace.failed ||= span.status.code === SpanStatusCode.ERROR;
    const isRoot = span.parentSpanContext === undefined || span.parentSpanContext.isRemote === true;
    // The root is always kept room for: a trace without it says nothing.
    if (isRoot || trace.spans.length < MAX_SPANS) trace.spans.push(span);
    if (!isRoot && trace.open > 0) return;
    this.#waiting.delete(traceId);
    const isSlow = durationMs(span) > this.#options.keepSlowMs;
    if (!isSlow && !(trace.failed && this.#options.keepErrors)) return;
    for (const kept of trace.spans) this.#next.onEnd(asSampled(kept));
  }

  forceFlush(): Promise<void> {
    return this.#next.forceFlush();
  }

  shutdown(): Promise<void> {
    this.#waiting.clear();
    return this.#next.shutdown();
  }
}
