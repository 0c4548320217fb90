/** HTTP metrics for node:http, node:https and the compatibility API of node:http2, and for frameworks on them without an adapter. */
import type { IncomingMessage, RequestListener } from 'node:http';
import type { Metrics } from '../create-metrics.ts';
import { templateBy } from '../http/recorder.ts';
import { trackResponse } from '../http/track-response.ts';

export { setRoute } from '../http/track-response.ts';

/** Options of {@link withHttpMetrics}. */
export interface HttpMetricsOptions {
  readonly metrics: Metrics;
  /**
   * The route template by the request's head. If it is known only later, call `setRoute` instead. An error counts in
   * `weir_metrics_callback_errors_total`, and the request as `_UNMATCHED`.
   */
  readonly route?: (request: IncomingMessage) => string | undefined;
}

/** Wraps a request listener. A request without a route template counts as `_UNMATCHED`: a path is never a label. */
export function withHttpMetrics(options: HttpMetricsOptions, listener: RequestListener): RequestListener {
  const { http } = options.metrics;
  return (request, response) => {
    const exchange = trackResponse(http, request, response);
    exchange.route = templateBy(http, options.route, request) ?? exchange.route;
    http.run(exchange, () => listener(request, response));
  };
}
