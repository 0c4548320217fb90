/** HTTP metrics for Hono 4. On Node the response's own end is measured, elsewhere the end of the handlers. */
import type { ServerResponse } from 'node:http';
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { Metrics } from '../create-metrics.ts';
import { contentLength, trackResponse } from '../http/track-response.ts';

/** Options of {@link honoMetrics}. */
export interface HonoMetricsOptions {
  readonly metrics: Metrics;
}

// Middleware stands in the matched routes too; it takes all methods and, nearly always, a wildcard path.
function templateOf(context: Context): string | undefined {
  const routes = matchedRoutes(context);
  const handlers = routes.filter(({ method, path }) => method !== 'ALL' || !path.endsWith('*'));
  return handlers.at(-1)?.path;
}

/** A middleware; use it first, as `app.use(honoMetrics({ metrics }))`. */
export function honoMetrics(options: HonoMetricsOptions): MiddlewareHandler {
  const { http } = options.metrics;
  return async (context, next) => {
    const exchange = http.begin(context.req.method, context.req.header());
    const outgoing = (context.env as { readonly outgoing?: ServerResponse } | undefined)?.outgoing;
    if (outgoing !== undefined) trackResponse(exchange, outgoing);
    exchange.routeSource = () => templateOf(context);
    try {
      await http.run(exchange, next);
    } finally {
      if (outgoing === undefined) {
        http.end(exchange, {
          statusCode: context.res.status,
          requestBytes: contentLength(context.req.header('content-length')),
          responseBytes: contentLength(context.res.headers.get('content-length') ?? undefined),
        });
      }
    }
  };
}
