/** HTTP metrics for Koa 2 and 3, with the templates of @koa/router. */
import type { Context, Middleware } from 'koa';
import type { Metrics } from '../create-metrics.ts';
import { trackResponse } from '../http/track-response.ts';

/** Options of {@link koaMetrics}. */
export interface KoaMetricsOptions {
  readonly metrics: Metrics;
  /**
   * The route template of a context, called when the response ends and for queries whose events hold a route, which may be before the router
   * has run. An error counts in `weir_metrics_callback_errors_total`, and the request as `_UNMATCHED`.
   * @defaultValue `_matchedRoute`, as @koa/router sets it
   */
  readonly route?: (context: Context) => string | undefined;
}

/** A middleware; use it before everything to be measured. */
export function koaMetrics(options: KoaMetricsOptions): Middleware {
  const { metrics, route = matchedRoute } = options;
  const { http } = metrics;
  return async (context, next) => {
    const exchange = trackResponse(http, context.req, context.res);
    exchange.routeSource = () => route(context);
    await http.run(exchange, next);
  };
}

function matchedRoute(context: Context): string | undefined {
  const matched = (context as { readonly _matchedRoute?: unknown })._matchedRoute;
  if (typeof matched === 'string') return matched;
  return matched instanceof RegExp ? String(matched) : undefined;
}
