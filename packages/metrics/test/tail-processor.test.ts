import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { expect, test } from 'vitest';
import { recordUnsampled } from '../src/tracing/sampler.ts';
import { TailProcessor } from '../src/tracing/tail-processor.ts';

function traced(ratio: number, options: { keepSlowMs: number; keepErrors: boolean }) {
  const exporter = new InMemorySpanExporter();
  const processor = new TailProcessor(new SimpleSpanProcessor({ exporter }), options);
  const provider = new TracerProvider({
    sampler: recordUnsampled(new TraceIdRatioBasedSampler(ratio)),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('test');
  const request = (name: string, durationMs: number, failed = false): void => {
    const root = tracer.startSpan(name, { startTime: 1_000 }, ROOT_CONTEXT);
    const child = tracer.startSpan(`${name} child`, { startTime: 1_000 }, trace.setSpan(ROOT_CONTEXT, root));
    if (failed) child.setStatus({ code: SpanStatusCode.ERROR });
    child.end(1_000 + durationMs / 2);
    root.end(1_000 + durationMs);
  };
  return {
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
