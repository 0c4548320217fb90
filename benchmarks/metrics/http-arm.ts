/** Child process: a Fastify hello with one kind of HTTP metrics. Tells its CPU time on each message. */
import { createRequire } from 'node:module';
import type { FastifyInstance } from 'fastify';

const arm = process.argv[2];
const require = createRequire(import.meta.url);

async function instrument(app: FastifyInstance): Promise<() => Promise<string>> {
  if (arm === 'weir') {
    const [{ createMetrics }, { fastifyMetrics }] = await Promise.all([
      import('@weir/metrics'),
      import('@weir/metrics/fastify'),
    ]);
    const metrics = createMetrics({ service: 'bench' });
    await app.register(fastifyMetrics, { metrics, path: false });
    return async () => (await metrics.scrape()).body;
  }
  if (arm === 'prom-client' || arm === 'prometheus-io') {
    const client = (
      arm === 'prom-client' ? require('prom-client') : await import('@prometheus-io/client')
    ) as typeof import('prom-client');
    client.collectDefaultMetrics();
    const seconds = new client.Histogram({
      name: 'http_server_request_duration_seconds',
      help: 'x',
      labelNames: ['method', 'route', 'status'],
    });
    const active = new client.Gauge({ name: 'active', help: 'x', labelNames: ['method'] });
    const sizes = ['request', 'response'].map(
      (kind) =>
        new client.Histogram({
          name: `${kind}_bytes`,
          help: 'x',
          labelNames: ['method', 'route', 'status'],
          buckets: [100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8],
        }),
    );
    const starts = new WeakMap<object, number>();
    app.addHook('onRequest', (request, _reply, done) => {
      starts.set(request, performance.now());
      active.inc({ method: request.method });
      done();
    });
    app.addHook('onResponse', (request, reply, done) => {
      const labels = {
        method: request.method,
        route: request.routeOptions.url ?? 'none',
        status: reply.statusCode,
      };
      seconds.observe(labels, (performance.now() - (starts.get(request) ?? 0)) / 1_000);
      active.dec({ method: request.method });
      const sent = request.headers['content-length'];
      if (sent !== undefined) sizes[0]?.observe(labels, Number(sent));
      const length = reply.getHeader('content-length');
      if (length !== undefined) sizes[1]?.observe(labels, Number(length));
      done();
    });
    return () => client.register.metrics();
  }
  if (arm === 'fastify-metrics') {
    const plugin = require('fastify-metrics') as { default: never };
    await app.register(plugin.default ?? (plugin as never), { endpoint: '/metrics' } as never);
    return async () => (await app.inject('/metrics')).body;
  }
  return async () => '';
}

const fastify = (require('fastify') as { default: () => FastifyInstance }).default;
const app = fastify();
const scrape = await instrument(app);
app.get('/hello/:name', async () => ({ hello: 'world' }));
const origin = await app.listen({ port: 0, host: '127.0.0.1' });
process.on('message', (message) => {
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system });
  } else if (message === 'count') {
    void scrape().then((text) => {
      const line = text.split('\n').find((entry) => /_count\{.*hello/.test(entry));
      process.send?.({
        count: line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1)),
      });
    });
  } else process.exit(0);
});
process.on('disconnect', () => process.exit());
process.send?.({ origin });
