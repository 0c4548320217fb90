/** HTTP metrics and the scrape route for Fastify 5. */
import { Socket } from 'node:net';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../create-metrics.ts';
import { markProbe, trackResponse } from '../http/track-response.ts';

/** Options of {@link fastifyMetrics}. */
export interface FastifyMetricsOptions {
  readonly metrics: Metrics;
  /**
   * Path of the scrape; `false` serves none.
   * @defaultValue `/metrics`
   */
  readonly path?: string | false;
}

const plugin: FastifyPluginAsync<FastifyMetricsOptions> = async (app: FastifyInstance, options) => {
  const { metrics, path = '/metrics' } = options;
  const { http } = metrics;

  // The only hook: the response's own `close` ends the exchange. An onResponse hook would cost several times as much.
  app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    const { raw } = request;
    // Responses of `app.inject` have no connection that could close.
    const exchange = trackResponse(http, raw, reply.raw, raw.socket instanceof Socket ? 'close' : 'finish');
    exchange.route = request.routeOptions.url ?? exchange.route;
    exchange.responseHeaders = reply;
    http.run(exchange, done);
  });

  if (path === false) return;
  app.get(path, async (request, reply) => {
    markProbe(reply.raw);
    const { contentType, body } = await metrics.expose(request.headers.accept);
    return reply.type(contentType).send(body);
  });
};

/**
 * Register it before the routes: Fastify applies hooks to later routes only. It registers on the given instance, not in a scope of its own.
 * Requests that no route matched count as `_UNMATCHED`; early replies and aborts count like any other request.
 */
export const fastifyMetrics: FastifyPluginAsync<FastifyMetricsOptions> = Object.assign(plugin, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@weir/metrics',
  [Symbol.for('plugin-meta')]: { name: '@weir/metrics', fastify: '5.x' },
});
