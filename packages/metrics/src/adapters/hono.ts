/** HTTP metrics for Hono 4. On Node an exchange ends with the response, elsewhere with the handlers. */
import type { ServerResponse } from 'node:http';
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { findTargetHandler, isMiddleware } from 'hono/utils/handler';
import type { Metrics } from '../create-metrics.ts';
import type { HttpRecorder } from '../http/recorder.ts';
import { contentLength, trackResponse } from '../http/track-response.ts';

/** Options of {@link honoMetrics}. */
export interface HonoMetricsOptions {
  readonly metrics: Metrics;
}

/** A middleware; use it first: `app.use(honoMetrics({ metrics }))`. A request that passes it twice counts once. */
export function honoMetrics(options: HonoMetricsOptions): MiddlewareHandler {
  const { http } = options.metrics;
  return async (context, next) => {
    const { req } = context;
    const own = req.routeIndex;
    const outgoing = (context.env as { readonly outgoing?: ServerResponse } | undefined)?.outgoing;
    if (outgoing !== undefined) {
      const exchange = trackResponse(http, { method: req.method, headers: req.header() }, outgoing);
      exchange.routeSource ??= () => templateOf(context, own);
      await http.run(exchange, next);
      return;
    }
    const recorders = recordersOf.get(req.raw) ?? new Set();
    if (recorders.has(http)) return next();
    recordersOf.set(req.raw, recorders.add(http));
    const exchange = http.begin(req.method, req.header());
    exchange.routeSource = () => templateOf(context, own);
    try {
      await http.run(exchange, next);
    } finally {
      http.end(exchange, {
        statusCode: context.res.status,
        requestBytes: contentLength(req.header('content-length')),
        responseBytes: contentLength(context.res.headers.get('content-length') ?? undefined),
      });
    }
  };
}

/** The recorders of each request, for runtimes without a response of Node that would hold them. */
const recordersOf = new WeakMap<Request, Set<HttpRecorder>>();

const notFound = 404;

/**
 * The path of the handler that was called last, which is the one that answered. The last of the chain may be a middleware that called `next`, so no
 * route answered; Hono does not expose that, so a last handler that takes `next` and ended in 404 counts as one. `own` is this middleware's index.
 */
function templateOf(context: Context, own: number): string | undefined {
  const at = context.req.routeIndex;
  if (at <= own) return undefined;
  const routes = matchedRoutes(context);
  const route = routes[at];
  if (route === undefined) return undefined;
  const isNotFound = at === routes.length - 1 && context.finalized && context.res.status === notFound;
  return isNotFound && isMiddleware(findTargetHandler(route.handler)) ? undefined : route.path;
}
