import { expect, test } from 'vitest';
import { thin } from '../src/panels/panel-data.ts';

const exemplar = (timestamp: number, value: string, id?: string) => ({
  labels: id === undefined ? ({} as Record<string, string>) : { trace_id: id },
  value,
  timestamp,
});

test('of each step the slowest exemplar with a trace stays, in order of time', () => {
  const series = [
    { seriesLabels: {}, exemplars: [exemplar(11, '0.2', 'b'), exemplar(2, '0.5', 'a'), exemplar(3, '9')] },
    { seriesLabels: {}, exemplars: [exemplar(12, '0.7', 'c'), exemplar(4, 'NaN', 'd')] },
  ];
  expect(thin(series, 10_000)).toEqual([
    { at: 2, value: 0.5, traceId: 'a' },
    { at: 12, value: 0.7, traceId: 'c' },
  ]);
});
