/**
 * HTTP metrics for Express 4 and 5.
 *
 * Express forgets the template of a mount: inside `app.use('/tenants/:tid', router)` the base URL reads `/tenants/42`. Its router
 * assigns `req.baseUrl`, then calls the layer, and assigns `req.route` where a route takes the request. Accessors on the application's own
 * request prototype and the layers' own call see the three in that order, and put the template together.
 */
import type { Request, RequestHandler } from 'express';
import type { Metrics } from '../create-metrics.ts';
import type { HttpExchange } from '../http/recorder.ts';
import { trackResponse } from '../http/track-response.ts';
import { type Layer, mountTemplate, pathText, UNKNOWN_MOUNT } from './express-mounts.ts';

/** Options of {@link expressMetrics}. */
export interface ExpressMetricsOptions {
  readonly metrics: Metrics;
}

const state: unique symbol = Symbol('weir.metrics.express');

/** A base URL that the request has now or had in a router outside, with its template. */
interface Mount {
  readonly url: string;
  template: string;
}

interface State {
  readonly exchanges: HttpExchange[];
  baseUrl: string | undefined;
  /** From the outermost to the innermost. */
  readonly mounts: [Mount, ...Mount[]];
  /** The piece of the URL that the layer which is called next has taken. */
  taken: string | undefined;
  route: { readonly path: unknown } | undefined;
}

type TrackedRequest = Request & { [state]?: State };

function stateOf(request: TrackedRequest, baseUrl: string | undefined): State {
  const url = baseUrl ?? '';
  request[state] ??= {
    exchanges: [],
    baseUrl,
    mounts: [{ url, template: url === '' ? '' : UNKNOWN_MOUNT }],
    taken: undefined,
    route: undefined,
  };
  return request[state];
}

function enterUrl(own: State, url: string): void {
  own.taken = undefined;
  const { mounts } = own;
  const known = mounts.findLastIndex((mount) => mount.url === url);
  if (known !== -1) {
    mounts.length = known + 1;
    return;
  }
  const outer = mounts[mounts.length - 1] as Mount;
  if (url.startsWith(outer.url)) own.taken = url.slice(outer.url.length);
  mounts.push({ url, template: outer.template + UNKNOWN_MOUNT });
}

function enterLayer(own: State, layer: Layer, request: Request): void {
  const url = own.taken as string;
  own.taken = undefined;
  const [outer, inner] = own.mounts.slice(-2) as [Mount, Mount];
  inner.template = outer.template + mountTemplate(layer, url, request.params ?? {});
}

function enterRoute(own: State): void {
  const { template } = own.mounts[own.mounts.length - 1] as Mount;
  const path = pathText(own.route?.path);
  const route = template + (path === '/' && template !== '' ? '' : path);
  for (const exchange of own.exchanges) exchange.route = route;
}

const watched = new WeakSet<object>();

function watchRequests(prototype: object): void {
  if (watched.has(prototype)) return;
  watched.add(prototype);
  Object.defineProperty(prototype, 'baseUrl', {
    configurable: true,
    get(this: TrackedRequest) {
      return this[state]?.baseUrl;
    },
    set(this: TrackedRequest, value: string | undefined) {
      const own = stateOf(this, '');
      // The router gives back what it found, which is `undefined` outside any mount.
      if (value !== own.baseUrl) enterUrl(own, value ?? '');
      own.baseUrl = value;
    },
  });
  Object.defineProperty(prototype, 'route', {
    configurable: true,
    get(this: TrackedRequest) {
      return this[state]?.route;
    },
    set(this: TrackedRequest, value: State['route']) {
      const own = stateOf(this, this.baseUrl);
      own.route = value;
      if (value !== undefined) enterRoute(own);
    },
  });
}

type Call = (this: Layer, ...args: unknown[]) => unknown;

// The request is the first argument, or the second, after an error. Express 4 spells the names with an underscore.
const CALLS = { handleRequest: 0, handle_request: 0, handleError: 1, handle_error: 1 } as const;

function watchLayers(prototype: Partial<Record<keyof typeof CALLS, Call>>): void {
  if (watched.has(prototype)) return;
  watched.add(prototype);
  for (const [name, at] of Object.entries(CALLS) as [keyof typeof CALLS, 0 | 1][]) {
    const original = prototype[name];
    if (original === undefined) continue;
    prototype[name] = function (...args) {
      const request = args[at] as TrackedRequest;
      const own = request[state];
      if (own?.taken !== undefined) enterLayer(own, this, request);
      return original.apply(this, args);
    };
  }
}

interface App {
  readonly request: object;
  readonly router: { readonly stack: readonly object[] };
  /** Express 4, whose `router` throws. */
  readonly _router?: App['router'];
}

function watch(app: App): void {
  watchRequests(app.request);
  const [layer] = (app._router ?? app.router).stack;
  if (layer !== undefined) watchLayers(Object.getPrototypeOf(layer) as object);
}

/**
 * A middleware; use it before everything that shall be measured. Serve the scrape with `app.get('/metrics', metrics.handler())`. Where it runs
 * twice on a request, in an app and in one mounted on it, the request counts once.
 */
export function expressMetrics(options: ExpressMetricsOptions): RequestHandler {
  const { http } = options.metrics;
  return (request: TrackedRequest, response, next) => {
    watch(request.app as unknown as App);
    const own = stateOf(request, request.baseUrl);
    // The router assigned these before the accessors were there.
    if (Object.hasOwn(request, 'route')) own.route = request.route as State['route'];
    for (const name of ['baseUrl', 'route'] as const) Reflect.deleteProperty(request, name);
    const exchange = trackResponse(http, request, response);
    if (!own.exchanges.includes(exchange)) own.exchanges.push(exchange);
    if (own.route !== undefined) enterRoute(own);
    http.run(exchange, next);
  };
}
