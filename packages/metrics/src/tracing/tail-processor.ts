/**
 * Keeps what matters of the traces that the sampler passed over. Spans that are recorded but not sampled wait under their local root, such as the
 * request's server span, until it ends; where it was slow, or anything under it failed, all of them are exported, and else they are dropped. Requests
 * of one trace are decided each by itself. A span that ends after its root follows the root's decision, or is kept for its own failure.
 *
 * Bounded: past `MAX_ROOTS` roots the oldest is dropped, past `MAX_SPANS` spans a root keeps its first ones.
 */
import { type Context, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import type { ReadableSpan, Span, SpanProcessor } from '@opentelemetry/sdk-trace';

const MAX_ROOTS = 1_000;
const MAX_SPANS = 500;

/** What makes an unsampled trace worth keeping. */
export interface KeepOptions {
  /** Local roots that last longer are kept; `Infinity` for none. */
  readonly keepSlowMs: number;
  /** Whether roots with a failed span are kept. */
  readonly keepErrors: boolean;
}

/** A local root and the spans under it. */
interface Group {
  readonly root: object;
  readonly spans: ReadableSpan[];
  failed: boolean;
  state: 'waiting' | 'kept' | 'dropped';
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
  /** The group of every span that something still holds. */
  readonly #groups = new WeakMap<object, Group>();
  readonly #waiting = new Set<Group>();

  constructor(next: SpanProcessor, options: KeepOptions) {
    this.#next = next;
    this.#options = options;
  }

  onStart(span: Span, context: Context): void {
    if (span.spanContext().traceFlags & TraceFlags.SAMPLED) {
      this.#next.onStart(span, context);
      return;
    }
    const parent = trace.getSpan(context);
    // A remote parent is no span of this process and has no group.
    const known = parent === undefined ? undefined : this.#groups.get(parent);
    if (known !== undefined && span.parentSpanContext !== undefined) {
      this.#groups.set(span, known);
      return;
    }
    const [oldest] = this.#waiting;
    if (oldest !== undefined && this.#waiting.size >= MAX_ROOTS) this.#close(oldest, 'dropped');
    const group: Group = { root: span, spans: [], failed: false, state: 'waiting' };
    this.#groups.set(span, group);
    this.#waiting.add(group);
  }

  onEnd(span: ReadableSpan): void {
    if (span.spanContext().traceFlags & TraceFlags.SAMPLED) {
      this.#next.onEnd(span);
      return;
    }
    const group = this.#groups.get(span);
    if (group === undefined) return;
    const failed = span.status.code === SpanStatusCode.ERROR;
    if (group.state !== 'waiting') {
      if (group.state === 'kept' || this.#isWorthKeeping(span, failed)) this.#next.onEnd(asSampled(span));
      return;
    }
    group.failed ||= failed;
    if (group.root !== span) {
      if (group.spans.length < MAX_SPANS) group.spans.push(span);
      return;
    }
    const isKept = this.#isWorthKeeping(span, group.failed);
    if (isKept) for (const kept of [...group.spans, span]) this.#next.onEnd(asSampled(kept));
    this.#close(group, isKept ? 'kept' : 'dropped');
  }

  forceFlush(): Promise<void> {
    return this.#next.forceFlush();
  }

  shutdown(): Promise<void> {
    for (const group of this.#waiting) this.#close(group, 'dropped');
    return this.#next.shutdown();
  }

  #isWorthKeeping(span: ReadableSpan, failed: boolean): boolean {
    return durationMs(span) > this.#options.keepSlowMs || (failed && this.#options.keepErrors);
  }

  #close(group: Group, state: 'kept' | 'dropped'): void {
    group.state = state;
    group.spans.length = 0;
    this.#waiting.delete(group);
  }
}
