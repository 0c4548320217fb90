/** HTTP metrics and the scrape route for Fastify 5. */
import { Socket } from 'node:net';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../create-metrics.ts';
import { stateProbe, trackResponse } from '../http/track-response.ts';

/** Options of {@link fastifyMetrics}. */
export interface FastifyMetricsOptions {
  readonly metrics: Metrics;
  /** Where the scrape is served. Default `/metrics`; `false` serves none. */
  readonly path?: string | false;
}

const plugin: FastifyPluginAsync<FastifyMetricsOptions> = async (app: FastifyInstance, options) => {
  const { metrics, path = '/metrics' } = options;
  const { http } = metrics;

  // The only hook: a response's end is its own `close`. An onResponse hook would cost a request several times what is done here.
  app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    const { raw } = request;
    // The responses of `app.inject` have no connection that could close early.
    const exchange = trackResponse(http, raw, reply.raw, raw.socket instanceof Socket ? 'close' : 'finish');
    exchange.route = request.routeOptions.url ?? exchange.route;
    exchange.responseHeaders = reply;
    http.run(exchange, done);
  });

  if (path === false) return;
  app.get(path, async (request, reply) => {
    stateProbe(reply.raw);
    const { contentType, body } = await metrics.expose(request.headers.accept);
    return reply.type(contentType).send(body);
  });
};

/**
 * Registers on the instance it is given, not in a scope of its own. Register it before the routes: Fastify gives hooks to
 * later routes only. Requests no route took count as `_UNMATCHED`, and early replies and aborts count like any other.
 */
export const fastifyMetrics: FastifyPluginAsync<FastifyMetricsOptions> = Object.assign(plugin, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@weir/metrics',
  [Symbol.for('plugin-meta')]: { name: '@weir/metrics', fastify: '5.x' },
});
