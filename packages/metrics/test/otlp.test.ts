import { pushMetrics } from '@weir/metrics/otlp';
import { expect, test } from 'vitest';
import { createMetrics } from '../src/index.ts';
import { listen } from './otlp-receiver.ts';

interface Received {
  resourceMetrics: {
    resource: { attributes: object[] };
    scopeMetrics: {
      metrics: { name: string; unit: string; sum?: object; gauge?: object; histogram?: object }[];
    }[];
  }[];
}

test('a push carries counters, gauges and histograms as cumulative OTLP, and the last one comes with close', async () => {
  const bodies: Received[] = [];
  const collector = await listen((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      bodies.push(JSON.parse(body) as Received);
      response.end('{}');
    });
  });
  const metrics = createMetrics({ service: 'pushed', version: '1', runtime: false });
  const jobs = metrics.counter({ name: 'jobs_total', help: 'Jobs', labels: ['kind'] }).labels('mail');
  metrics.histogram({ name: 'took_seconds', help: 'Took', buckets: [1, 2] }).observe(1.5);
  const push = pushMetrics({ metrics, url: `${collector.url}/v1/metrics` });
  jobs.inc(2);
  expect(await push.push()).toBe(true);
  jobs.inc(3);
  expect(await push.close()).toBe(true);
  await collector.stop();
  await metrics.close();
  expect(bodies).toHaveLength(2);
  const [resource] = bodies[1]?.resourceMetrics ?? [];
  expect(resource?.resource.attributes).toEqual([
    { key: 'service.name', value: { stringValue: 'pushed' } },
    { key: 'service.version', value: { stringValue: '1' } },
  ]);
  const named = (name: string) => resource?.scopeMetrics[0]?.metrics.find((metric) => metric.name === name);
  expect(named('jobs_total')?.sum).toMatchObject({
    aggregationTemporality: 2,
    isMonotonic: true,
    dataPoints: [{ asDouble: 5, attributes: [{ key: 'kind', value: { stringValue: 'mail' } }] }],
  });
  expect(named('took_seconds')?.histogram).toMatchObject({
    dataPoints: [{ count: '1', sum: 1.5, bucketCounts: ['0', '1', '0'], explicitBounds: [1, 2] }],
  });
});

test('a collector that refuses or never answers is told of and holds nothing up', async () => {
  const metrics = createMetrics({ service: 'pushed', runtime: false });
  const hole = await listen(() => {});
  const refusing = await listen((_request, response) => response.writeHead(503).end());
  const errors: string[] = [];
  const onError = (error: unknown): number => errors.push(String(error));
  expect(await pushMetrics({ metrics, url: hole.url, timeoutMs: 30, onError }).close()).toBe(false);
  expect(await pushMetrics({ metrics, url: refusing.url, onError }).close()).toBe(false);
  expect(errors).toEqual([expect.stringContaining('timeout'), 'Error: The collector answered 503.']);
  expect(() => pushMetrics({ metrics, url: 'nowhere' })).toThrow(/OTLP\/HTTP endpoint/);
  await hole.stop();
  await refusing.stop();
  await metrics.close();
});
