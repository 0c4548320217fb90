import { pushMetrics } from '@weir/metrics/otlp';
import { startTracing } from '@weir/metrics/tracing';
import { expect, test } from 'vitest';
import { createMetrics } from '../src/index.ts';

const url = 'http://127.0.0.1:1/v1/metrics';

const options: Readonly<Record<string, (ms: number) => unknown>> = {
  'timeoutMs of health': (timeoutMs) =>
    createMetrics({ service: 'test', runtime: false }).health({ timeoutMs, checks: {} }),
  'intervalMs of pushMetrics': (intervalMs) =>
    pushMetrics({ metrics: createMetrics({ service: 'test', runtime: false }), url, intervalMs }),
  'timeoutMs of pushMetrics': (timeoutMs) =>
    pushMetrics({ metrics: createMetrics({ service: 'test', runtime: false }), url, timeoutMs }),
  'deadlineMs of startTracing': (deadlineMs) =>
    startTracing({ service: 'test', handleSigterm: false, deadlineMs }),
};

test.each(Object.entries(options))('%s refuses a time that no timer takes', (name, use) => {
  const [option] = name.split(' ');
  for (const ms of [0, -1, 0.5, 1_000 / 3, 2 ** 31, 2 ** 32, Number.POSITIVE_INFINITY, Number.NaN]) {
    expect(() => use(ms), String(ms)).toThrow(
      `Expected \`${option}\` to be a whole number of milliseconds from 1 to 2147483647, got \`${ms}\`.`,
    );
  }
});
