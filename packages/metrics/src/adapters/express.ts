/**
 * HTTP metrics for Express 4 and 5.
 *
 * Express forgets the template of a mount: inside `app.use('/tenants/:tid', router)` the base URL reads `/tenants/42`. Its router
 * assigns `req.params` before `req.baseUrl`, and `req.route` after both; accessors on the application's own request
 * prototype see the three at the right moment and put the parameters' names back.
 */
import type { Request, RequestHandler } from 'express';
import type { Metrics } from '../create-metrics.ts';
import type { HttpExchange } from '../http/recorder.ts';
import { trackResponse } from '../http/track-response.ts';

/** Options of {@link expressMetrics}. */
export interface ExpressMetricsOptions {
  readonly metrics: Metrics;
}

const state: unique symbol = Symbol('weir.metrics.express');

interface State {
  readonly exchange: HttpExchange;
  baseUrl: string | undefined;
  template: string;
  route: { readonly path: unknown } | undefined;
}

type TrackedRequest = Request & { [state]?: State };

/**
 * The template of a mount from the URL it took and its parameters. Where a fixed segment reads like a parameter's value the
 * rightmost is taken for the parameter, as in `/tenants/:tid`.
 */
export function mountTemplate(url: string, params: Readonly<Record<string, unknown>>): string {
  const segments = url.split('/');
  let end = segments.length;
  for (const [name, value] of Object.entries(params).reverse()) {
    if (typeof value !== 'string') continue;
    for (let index = end - 1; index > 0; index -= 1) {
      if (decode(segments[index] as string) !== value) continue;
      segments[index] = `:${name}`;
      end = index;
      break;
    }
  }
  return segments.join('/');
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function routePath(path: unknown): string {
  if (Array.isArray(path)) return path.map(routePath).join('|');
  return typeof path === 'string' ? path : String(path);
}

const patched = new WeakSet<object>();

function watch(prototype: object): void {
  if (patched.has(prototype)) return;
  patched.add(prototype);
  Object.defineProperty(prototype, 'baseUrl', {
    configurable: true,
    get(this: TrackedRequest) {
      return this[state]?.baseUrl;
    },
    set(this: TrackedRequest, value: string | undefined) {
      const own = this[state];
      if (own === undefined) {
        Object.defineProperty(this, 'baseUrl', {
          value,
          writable: true,
          configurable: true,
          enumerable: true,
        });
        return;
      }
      // The router gives back what it found, which is `undefined` outside any mount.
      const url = value ?? '';
      const before = own.baseUrl ?? '';
      if (!url.startsWith(before))
        own.template = own.template.split('/').slice(0, url.split('/').length).join('/');
      else if (url !== before) own.template += mountTemplate(url.slice(before.length), this.params ?? {});
      own.baseUrl = value;
    },
  });
  Object.defineProperty(prototype, 'route', {
    configurable: true,
    get(this: TrackedRequest) {
      return this[state]?.route;
    },
    set(this: TrackedRequest, value: State['route']) {
      const own = this[state];
      if (own === undefined) {
        Object.defineProperty(this, 'route', { value, writable: true, configurable: true, enumerable: true });
        return;
      }
      own.route = value;
      if (value === undefined) return;
      const path = routePath(value.path);
      own.exchange.route = own.template + (path === '/' && own.template !== '' ? '' : path);
    },
  });
}

/** A middleware; use it before everything that shall be measured. Serve the scrape with `app.get('/metrics', metrics.handler())`. */
export function expressMetrics(options: ExpressMetricsOptions): RequestHandler {
  const { http } = options.metrics;
  return (request: TrackedRequest, response, next) => {
    const exchange = http.begin(request.method, request.headers);
    watch((request.app as unknown as { readonly request: object }).request);
    const baseUrl = request.baseUrl ?? '';
    // The router assigned these before the accessors were there, or to a request that was not followed yet.
    for (const name of ['baseUrl', 'route'] as const) {
      if (Object.hasOwn(request, name)) Reflect.deleteProperty(request, name);
    }
    request[state] = { exchange, baseUrl, template: baseUrl, route: undefined };
    trackResponse(exchange, response);
    http.run(exchange, next);
  };
}
