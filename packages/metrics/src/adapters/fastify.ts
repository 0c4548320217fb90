/** HTTP metrics and the scrape route for Fastify 5. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../create-metrics.ts';
import type { HttpExchange } from '../http/recorder.ts';
import { contentLength, trackAbort, trackResponse, untrackAbort } from '../http/track-response.ts';

const current: unique symbol = Symbol('weir.metrics.exchange');

type TrackedRequest = FastifyRequest & { [current]?: HttpExchange };

/** Options of {@link fastifyMetrics}. */
export interface FastifyMetricsOptions {
  readonly metrics: Metrics;
  /** Where the scrape is served. Default `/metrics`; `false` serves none. */
  readonly path?: string | false;
}

const plugin: FastifyPluginAsync<FastifyMetricsOptions> = async (app: FastifyInstance, options) => {
  const { metrics, path = '/metrics' } = options;
  const { http } = metrics;

  app.decorateRequest(current, null);
  app.addHook('onRequest', (request: TrackedRequest, reply: FastifyReply, done) => {
    const exchange = http.begin(request.method, request.headers);
    exchange.route = request.routeOptions.url;
    request[current] = exchange;
    if (request.raw.httpVersionMajor === 1) trackAbort(http, exchange, request.raw.socket);
    else trackResponse(http, exchange, reply.raw);
    http.run(exchange, done);
  });

  // A body is parsed on events of the socket, whose context is not the request's.
  app.addHook('preValidation', (request: TrackedRequest, _reply, done) => {
    http.run(request[current] as HttpExchange, done);
  });

  app.addHook('onResponse', (request: TrackedRequest, reply, done) => {
    const exchange = request[current] as HttpExchange;
    untrackAbort(exchange, request.raw.socket);
    http.end(exchange, {
      statusCode: reply.raw.statusCode,
      requestBytes: contentLength(request.raw.headers['content-length']),
      responseBytes: contentLength(reply.getHeader('content-length')),
    });
    done();
  });

  if (path === false) return;
  app.get(path, async (request, reply) => {
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
