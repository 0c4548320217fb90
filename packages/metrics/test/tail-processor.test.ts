import { type Context, ROOT_CONTEXT, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recordUnsampled, TailProcessor } from '../src/tracing/tail-processor.ts';

// A Unix time: the SDK reads smaller numbers as times of `performance.now`.
const EPOCH = 1e12;

function traced(ratio: number, options: { keepSlowMs: number; keepErrors: boolean }) {
  const exporter = new InMemorySpanExporter();
  const processor = new TailProcessor(new SimpleSpanProcessor({ exporter }), options);
  const provider = new TracerProvider({
    sampler: recordUnsampled(new TraceIdRatioBasedSampler(ratio)),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('test');
  const request = (name: string, durationMs: number, failed = false): void => {
    const root = tracer.startSpan(name, { startTime: EPOCH }, ROOT_CONTEXT);
    const child = tracer.startSpan(`${name} child`, { startTime: EPOCH }, trace.setSpan(ROOT_CONTEXT, root));
    if (failed) child.setStatus({ code: SpanStatusCode.ERROR });
    child.end(EPOCH + durationMs / 2);
    root.end(EPOCH + durationMs);
  };
  return {
    tracer,
    request,
    names: () => exporter.getFinishedSpans().map(({ name }) => name),
    flags: () => exporter.getFinishedSpans().map((span) => span.spanContext().traceFlags),
  };
}

test('unsampled traces are kept whole where they were slow or failed, and no others', () => {
  const { request, names, flags } = traced(0, { keepSlowMs: 100, keepErrors: true });
  request('fast', 100);
  request('slow', 101);
  request('failed', 5, true);
  expect(names()).toEqual(['slow child', 'slow', 'failed child', 'failed']);
  expect(flags()).toEqual([1, 1, 1, 1]);
});

test('errors are left alone where they are not wanted', () => {
  const { request, names } = traced(0, { keepSlowMs: Number.POSITIVE_INFINITY, keepErrors: false });
  request('failed', 5, true);
  expect(names()).toEqual([]);
});

test('sampled traces pass at once', () => {
  const { request, names } = traced(1, { keepSlowMs: 100, keepErrors: true });
  request('fast', 1);
  expect(names()).toEqual(['fast child', 'fast']);
});

/** The context of a request whose caller did not sample the trace. */
function remote(traceDigit: string): Context {
  const parent = { traceId: traceDigit.repeat(32), spanId: 'b'.repeat(16), traceFlags: 0, isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, parent);
}

const planned = fc.record({
  traceDigit: fc.constantFrom('1', '2'),
  children: fc.integer({ min: 0, max: 3 }),
  durationMs: fc.constantFrom(10, 100, 101, 900),
  // Which span fails: 0 is the root; a number beyond the last span means none.
  failing: fc.integer({ min: 0, max: 12 }),
});

test('of any requests, in any traces and any order of ends, the slow and the failed ones are kept whole', () => {
  const scenario = fc.tuple(fc.array(planned, { maxLength: 8 }), fc.infiniteStream(fc.nat()));
  fc.assert(
    fc.property(scenario, ([requests, order]) => {
      const { tracer, names } = traced(0, { keepSlowMs: 100, keepErrors: true });
      // Spans are nested, each in the one before it, and end from the innermost on.
      const open = requests.map(({ traceDigit, children, durationMs, failing }, at) => {
        let context = remote(traceDigit);
        const spans: Span[] = [];
        for (let index = 0; index <= children; index += 1) {
          const span = tracer.startSpan(`${at}.${index}`, { startTime: EPOCH }, context);
          if (index === failing) span.setStatus({ code: SpanStatusCode.ERROR });
          context = trace.setSpan(context, span);
          spans.push(span);
        }
        return { spans, endTime: EPOCH + durationMs };
      });
      for (let left = open.flatMap(({ spans }) => spans).length; left > 0; left -= 1) {
        const waiting = open.filter(({ spans }) => spans.length > 0);
        const next = waiting[(order.next().value as number) % waiting.length];
        next?.spans.pop()?.end(next.endTime);
      }
      const expected = requests.flatMap(({ children, durationMs, failing }, at) =>
        durationMs > 100 || failing <= children
          ? Array.from({ length: children + 1 }, (_, index) => `${at}.${index}`)
          : [],
      );
      expect(names().sort()).toEqual(expected.sort());
    }),
    { numRuns: 200 },
  );
});

test('a span that ends after its root follows it, and of a root that was dropped it is kept for its own failure', () => {
  const { tracer, names } = traced(0, { keepSlowMs: 100, keepErrors: true });
  for (const [root, durationMs] of [
    ['kept', 200],
    ['dropped', 1],
  ] as const) {
    const parent = tracer.startSpan(root, { startTime: EPOCH }, ROOT_CONTEXT);
    const context = trace.setSpan(ROOT_CONTEXT, parent);
    const [good, bad] = ['good', 'bad'].map((name) =>
      tracer.startSpan(`${name} of ${root}`, { startTime: EPOCH }, context),
    );
    parent.end(EPOCH + durationMs);
    const later = tracer.startSpan(`later of ${root}`, { startTime: EPOCH }, context);
    bad?.setStatus({ code: SpanStatusCode.ERROR });
    for (const span of [good, bad, later]) span?.end(EPOCH + 1);
  }
  expect(names()).toEqual(['kept', 'good of kept', 'bad of kept', 'later of kept', 'bad of dropped']);
});

test('past the bounds the oldest root is dropped, and a root keeps its first spans', () => {
  const { tracer, names } = traced(0, { keepSlowMs: 100, keepErrors: true });
  const roots = Array.from({ length: 1_001 }, (_, at) =>
    tracer.startSpan(`root ${at}`, { startTime: EPOCH }, remote('1')),
  );
  const context = trace.setSpan(ROOT_CONTEXT, roots[1] as Span);
  for (let index = 0; index < 600; index += 1) tracer.startSpan(`child ${index}`, {}, context).end();
  expect(names()).toEqual([]);
  for (const root of roots.slice(0, 2)) root.setStatus({ code: SpanStatusCode.ERROR }).end(EPOCH + 1);
  const kept = names();
  expect(kept).toHaveLength(502);
  expect(kept.filter((name) => name.startsWith('root'))).toEqual(['root 0', 'root 1']);
  expect(kept).not.toContain('child 500');
});
