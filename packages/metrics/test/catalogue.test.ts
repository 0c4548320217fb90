import { createManualClock, promtool } from '@weir/test-kit';
import { expect, test } from 'vitest';
import { metricCatalogue } from '../src/index.ts';
import { MetricRegistry } from '../src/registry.ts';

test.each(['text', 'openmetrics'] as const)(
  'every family of the catalogue passes the naming rules of Prometheus but for one name that the semantic conventions give, as %s',
  async (format) => {
    const registry = new MetricRegistry({ clock: createManualClock(), maxSeries: 10, registries: [] });
    for (const definition of metricCatalogue) {
      const labels = definition.labels.map(() => 'x');
      if (definition.type === 'histogram')
        registry
          .histogram(definition)
          .labels(...labels)
          .observe(0.01);
      else if (definition.type === 'gauge')
        registry
          .gauge(definition)
          .labels(...labels)
          .set(1);
      else
        registry
          .counter(definition)
          .labels(...labels)
          .inc();
    }
    const input = await registry.render(format);
    for (const { name } of metricCatalogue) expect(input).toContain(`\n${name}`);
    // The linter reads only the text format; for OpenMetrics the families are counted.
    if (format === 'openmetrics') {
      expect(input.match(/^# TYPE /gm)).toHaveLength(metricCatalogue.length);
      return;
    }
    const { code, stdout, stderr } = await promtool(['check', 'metrics'], { input });
    // The name comes from the semantic conventions. Exit code 3: the linter complained.
    const known =
      'db_client_connection_count non-histogram and non-summary metrics should not have "_count" suffix\n';
    expect([code, stdout + stderr]).toEqual([3, known]);
  },
);

test('durations of requests and queries have the bounds that the semantic conventions name', () => {
  const bounds = (name: string): unknown => metricCatalogue.find((metric) => metric.name === name)?.buckets;
  expect(bounds('http_server_request_duration_seconds')).toEqual([
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
  ]);
  expect(bounds('db_client_operation_duration_seconds')).toEqual([
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10,
  ]);
});
