/** HTTP metrics for node:http, https and http2's compatibility API, and whatever is built on them without an adapter of its own. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Metrics } from '../create-metrics.ts';
import { stateRoute, trackResponse } from '../http/track-response.ts';

/** Options of {@link withHttpMetrics}. */
export interface HttpMetricsOptions {
  readonly metrics: Metrics;
  /** The route template of a request known by its head. Where it is only known later, call {@link setRoute}. */
  readonly route?: (request: IncomingMessage) => string | undefined;
}

/** Wraps a request listener. A request whose route nobody states counts as `_UNMATCHED`: a path is never a label. */
export function withHttpMetrics(options: HttpMetricsOptions, listener: RequestListener): RequestListener {
  const { http } = options.metrics;
  return (request, response) => {
    const exchange = trackResponse(http, request, response);
    exchange.route = options.route?.(request) ?? exchange.route;
    http.run(exchange, () => listener(request, response));
  };
}

/** States the route template of a response in the making; does nothing on a response that is not measured. */
export function setRoute(response: ServerResponse, route: string): void {
  stateRoute(response, route);
}
