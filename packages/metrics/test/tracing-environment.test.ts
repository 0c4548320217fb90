import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import { ConsoleSpanExporter, SamplingDecision } from '@opentelemetry/sdk-trace';
import { startTracing } from '@weir/metrics/tracing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { createSampler } from '../src/tracing/environment.ts';
import { startOtlpReceiver } from './otlp-receiver.ts';

let warnings: string[];
beforeEach(() => {
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  // The next test starts tracing in this process again.
  for (const api of [trace, context, propagation]) api.disable();
});

const lists: readonly [value: string | undefined, goes: string[], warned: RegExp[]][] = [
  [undefined, ['otlp'], []],
  ['', ['otlp'], []],
  ['otlp', ['otlp'], []],
  ['console', ['console'], []],
  ['console,otlp', ['console', 'otlp'], []],
  [' otlp , console ,otlp', ['console', 'otlp'], []],
  ['none', [], []],
  ['zipkin', ['otlp'], [/`zipkin`; `otlp` is used/]],
  ['console,zipkin,jaeger', ['console'], [/`zipkin`; it is left out/, /`jaeger`; it is left out/]],
  ['none,zipkin', [], [/`zipkin`; it is left out/]],
];

test.each(lists)('with OTEL_TRACES_EXPORTER %j spans go to %j', async (value, goes, warned) => {
  const receiver = await startOtlpReceiver();
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url);
  vi.stubEnv('OTEL_TRACES_EXPORTER', value);
  const printed: string[] = [];
  vi.spyOn(ConsoleSpanExporter.prototype, 'export').mockImplementation((spans, tell) => {
    printed.push(...spans.map(({ name }) => name));
    tell({ code: 0 });
  });
  const tracing = startTracing({ service: 'test', handleSigterm: false, deadlineMs: 20_000 });
  const metrics = createMetrics({ service: 'test', runtime: false });
  const exchange = metrics.http.begin('GET', {});
  exchange.route = '/mine';
  metrics.http.end(exchange, { statusCode: 200 });
  expect(await tracing.shutdown()).toBe(true);
  await metrics.close();
  await receiver.stop();
  expect(printed).toEqual(goes.includes('console') ? ['GET /mine'] : []);
  expect(receiver.spans.map(({ name }) => name)).toEqual(goes.includes('otlp') ? ['GET /mine'] : []);
  expect(warnings).toEqual(warned.map((text) => expect.stringMatching(text)));
});

const samplers: readonly [
  name: string | undefined,
  argument: string | undefined,
  samples: boolean,
  warned: RegExp[],
][] = [
  [undefined, undefined, true, []],
  ['', undefined, true, []],
  ['always_off', undefined, false, []],
  ['parentbased_always_off', undefined, false, []],
  ['traceidratio', '0', false, []],
  ['parentbased_traceidratio', '0', false, []],
  ['traceidratio', undefined, true, []],
  ['traceidratio', '10%', true, [/OTEL_TRACES_SAMPLER_ARG to be a number between 0 and 1, got `10%`/]],
  ['traceidratio', '2', true, [/got `2`/]],
  ['jaeger_remote', undefined, true, [/OTEL_TRACES_SAMPLER to be .* got `jaeger_remote`/]],
  ['parentbased_xray', undefined, true, [/got `parentbased_xray`/]],
];

test.each(samplers)(
  'the sampler %j with argument %j samples a new trace: %j',
  (name, argument, samples, warned) => {
    const env = { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument };
    const sampler = createSampler(undefined, env);
    const { decision } = sampler.shouldSample(ROOT_CONTEXT, '1'.repeat(32), 'GET', SpanKind.SERVER, {}, []);
    expect(decision === SamplingDecision.RECORD_AND_SAMPLED).toBe(samples);
    expect(warnings).toEqual(warned.map((text) => expect.stringMatching(text)));
  },
);
