/**
 * Keeps slow and failed ones of the traces that the sampler passed over.
 *
 * Spans that are recorded but not sampled wait under their local root, such as the request's server span, until it ends. If the root was slow, or
 * any span under it failed, all of them are exported; otherwise they are dropped. Requests of one trace are decided separately. A span that ends
 * after its root follows the root's decision, or is kept for its own failure.
 *
 * Bounded: past `maxRoots` roots the oldest is dropped; of a root's spans the first `maxSpans` are kept.
 */
import { type Context, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import {
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  type Span,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';

const maxRoots = 1_000;
const maxSpans = 500;

/** Records, unsampled, what `sampler` passes over, for {@link TailProcessor} to decide. Other services still see the trace as unsampled. */
export function recordUnsampled(sampler: Sampler): Sampler {
  return {
    shouldSample(...args) {
      const result = sampler.shouldSample(...args);
      return result.decision === SamplingDecision.NOT_RECORD
        ? { ...result, decision: SamplingDecision.RECORD }
        : result;
    },
    toString: () => `RecordUnsampled{${sampler.toString()}}`,
  };
}

/** What makes an unsampled trace worth keeping. */
interface KeepOptions {
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

/** Passes sampled spans on to `next`, and of the unsampled ones those worth keeping. */
export class TailProcessor implements SpanProcessor {
  readonly #next: SpanProcessor;
  readonly #options: KeepOptions;
  /** The group of every live span. */
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
    // A remote parent belongs to another process and has no group.
    const known = parent === undefined ? undefined : this.#groups.get(parent);
    if (known !== undefined && span.parentSpanContext !== undefined) {
      this.#groups.set(span, known);
      return;
    }
    const [oldest] = this.#waiting;
    if (oldest !== undefined && this.#waiting.size >= maxRoots) this.#close(oldest, 'dropped');
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
      if (group.spans.length < maxSpans) group.spans.push(span);
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

function durationMs({ duration: [seconds, nanos] }: ReadableSpan): number {
  return seconds * 1_000 + nanos / 1e6;
}

// Exporters skip spans without the flag. The original stays as it is: others may hold it.
function asSampled(span: ReadableSpan): ReadableSpan {
  const context = { ...span.spanContext(), traceFlags: TraceFlags.SAMPLED };
  return Object.create(span, { spanContext: { value: () => context } }) as ReadableSpan;
}
