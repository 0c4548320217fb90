/** HTTP metrics and the scrape route for Fastify 5. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../create-metrics.ts';
import { endResponse, exchangeOf, trackResponse } from '../http/track-response.ts';

/** Options of {@link fastifyMetrics}. */
export interface FastifyMetricsOptions {
  readonly metrics: Metrics;
  /** Where the scrape is served. Default `/metrics`; `false` serves none. */
  readonly path?: string | false;
}

const plugin: FastifyPluginAsync<FastifyMetricsOptions> = async (app: FastifyInstance, options) => {
  const { metrics, path = '/metrics' } = options;
  const { http } = metrics;

  app.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    const exchange = http.begin(request.method);
    exchange.route = request.routeOptions.url;
    trackResponse(http, exchange, reply.raw);
    http.run(exchange, done);
  });

  // A body is parsed on events of the socket, whose context is not the request's.
  app.addHook('preValidation', (_request, reply, done) => {
    const exchange = exchangeOf(reply.raw);
    if (exchange === undefined || http.contexts === undefined) done();
    else http.run(exchange, done);
  });

  // Injected requests never finish on a socket: there only this hook tells a whole response from an abort.
  app.addHook('onResponse', (_request, reply, done) => {
    endResponse(reply.raw, true);
    done();
  });

  if (path === false) return;
  app.get(path, async (request, reply) => {
    const { contentType, body } = await metrics.scrape(request.headers.accept);
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
