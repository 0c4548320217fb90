/** Child process: a Fastify hello with a query, metrics and tracing on, that exports to the collector given. */
import { createRequire } from 'node:module';
import { DatabaseSync } from 'node:sqlite';
import { createMetrics } from '@weir/metrics';
import { fastifyMetrics } from '@weir/metrics/fastify';
import { startTracing } from '@weir/metrics/tracing';
import type { FastifyInstance } from 'fastify';

// Exports are under way all the time, and the queue holds less than what comes while one of them waits for its answer.
process.env.OTEL_EXPORTER_OTLP_ENDPOINT = process.argv[2];
process.env.OTEL_BSP_SCHEDULE_DELAY = '200';
process.env.OTEL_BSP_MAX_QUEUE_SIZE = '512';
process.env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE = '256';
startTracing({ service: 'bench', deadlineMs: Number(process.argv[3]) });

const require = createRequire(import.meta.url);
const fastify = (require('fastify') as { default: () => FastifyInstance }).default;
const app = fastify();
const metrics = createMetrics({ service: 'bench' });
const database = metrics.instrument(new DatabaseSync(':memory:'));
await app.register(fastifyMetrics, { metrics, path: false });
app.get('/hello/:name', async () => {
  database.exec('select 1');
  return { hello: 'world' };
});
const origin = await app.listen({ port: 0, host: '127.0.0.1' });
process.on('message', () => {
  void metrics.scrape().then(({ body }) => {
    const line = body.split('\n').find((entry) => /_count\{.*hello/.test(entry));
    process.send?.({ count: Number(line?.slice(line.lastIndexOf(' ') + 1)) });
  });
});
process.on('disconnect', () => process.exit());
process.send?.({ origin });
