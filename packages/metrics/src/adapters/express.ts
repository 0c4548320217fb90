/**
 * HTTP metrics for Express 4 and 5.
 *
 * Express keeps no template of a mount: inside `app.use('/tenants/:tid', router)` the base URL reads `/tenants/42`. Its router assigns
 * `req.baseUrl`, then calls the layer, and assigns `req.route` once a route takes the request. Accessors on the application's own request
 * prototype and wrapped layer methods observe the three steps in that order and put the template together.
 */

import type { Request, RequestHandler } from 'express';
import type { Metrics } from '../create-metrics.ts';
import type { HttpExchange } from '../http/recorder.ts';
import { trackResponse } from '../http/track-response.ts';

/** Options of {@link expressMetrics}. */
export interface ExpressMetricsOptions {
  readonly metrics: Metrics;
}

/**
 * A middleware; use it before everything to be measured. Serve the scrape with `app.get('/metrics', metrics.handler())`. A request that passes it
 * twice, in an app and in one mounted on it, counts once.
 */
export function expressMetrics(options: ExpressMetricsOptions): RequestHandler {
  const { http } = options.metrics;
  return (request: TrackedRequest, response, next) => {
    watch(request.app as unknown as App);
    const own = stateOf(request, request.baseUrl);
    // The router assigned these before the accessors existed.
    if (Object.hasOwn(request, 'route')) own.route = request.route as State['route'];
    for (const name of ['baseUrl', 'route'] as const) Reflect.deleteProperty(request, name);
    const exchange = trackResponse(http, request, response);
    if (!own.exchanges.includes(exchange)) own.exchanges.push(exchange);
    if (own.route !== undefined) enterRoute(own);
    http.run(exchange, next);
  };
}

const state: unique symbol = Symbol('weir.metrics.express');

/** The base URL of the current router or of an outer one, with its template. */
interface Mount {
  readonly url: string;
  template: string;
}

interface State {
  readonly exchanges: HttpExchange[];
  baseUrl: string | undefined;
  /** From the outermost to the innermost. */
  readonly mounts: [Mount, ...Mount[]];
  /** The piece of the URL that the next layer to be called has taken. */
  taken: string | undefined;
  route: { readonly path: unknown } | undefined;
}

type TrackedRequest = Request & { [state]?: State };

function stateOf(request: TrackedRequest, baseUrl: string | undefined): State {
  const url = baseUrl ?? '';
  request[state] ??= {
    exchanges: [],
    baseUrl,
    mounts: [{ url, template: url === '' ? '' : unknownMount }],
    taken: undefined,
    route: undefined,
  };
  return request[state];
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
      // The router restores what it found, which is `undefined` outside any mount.
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
  mounts.push({ url, template: outer.template + unknownMount });
}

function enterRoute(own: State): void {
  const { template } = own.mounts[own.mounts.length - 1] as Mount;
  const path = pathText(own.route?.path);
  const route = template + (path === '/' && template !== '' ? '' : path);
  for (const exchange of own.exchanges) exchange.route = route;
}

type Call = (this: Layer, ...args: unknown[]) => unknown;

// The request is the first argument, or the second, after an error. Express 4 spells the names with an underscore.
const layerCalls = { handleRequest: 0, handle_request: 0, handleError: 1, handle_error: 1 } as const;

function watchLayers(prototype: Partial<Record<keyof typeof layerCalls, Call>>): void {
  if (watched.has(prototype)) return;
  watched.add(prototype);
  for (const [name, at] of Object.entries(layerCalls) as [keyof typeof layerCalls, 0 | 1][]) {
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

function enterLayer(own: State, layer: Layer, request: Request): void {
  const url = own.taken as string;
  own.taken = undefined;
  const [outer, inner] = own.mounts.slice(-2) as [Mount, Mount];
  inner.template = outer.template + mountTemplate(layer, url, request.params ?? {});
}

/** The template of a mount that is not known. */
const unknownMount = '/*';

/** The members of a layer of Express' router that are read. */
export interface Layer {
  /** The path as written; since router 2.3. */
  readonly rawPath?: unknown;
  /** One for each path of the layer; Express 5. */
  readonly matchers?: readonly ((path: string) => false | { readonly params: object })[];
  /** Express 4. */
  readonly regexp?: RegExp;
  /** The names of the parameters; until router 2.3. */
  readonly keys?: readonly (string | { readonly name: string | number })[];
}

/**
 * The template, such as `/tenants/:tid`, of the mount `layer` that took `url`, a piece without its trailing slash.
 *
 * Since router 2.3 (Express 5.3) a layer keeps its path as written. Older layers have only the matched piece of the URL and its parameters: each
 * parameter's text is replaced by its name, and the remaining letters, which Express compares without case, become lower case. If a part of the
 * URL might remain, the mount reads `/*`.
 */
export function mountTemplate(layer: Layer, url: string, params: Readonly<Record<string, unknown>>): string {
  const { rawPath } = layer;
  if (rawPath === undefined) return isPattern(layer, url) ? unknownMount : withoutValues(layer, url, params);
  const written = Array.isArray(rawPath) ? (rawPath[matching(layer, url)] ?? rawPath) : rawPath;
  return typeof written === 'string' ? written.replace(/\/+$/, '') : pathText(written);
}

/** A path as written: text, a regular expression, or a list of them. */
function pathText(path: unknown): string {
  if (Array.isArray(path)) return path.map(pathText).join('|');
  return String(path);
}

function matching({ matchers = [] }: Layer, url: string): number {
  return matchers.findIndex((matcher) => matcher(url) !== false);
}

// The program's own regular expression may match anything, in no parameter.
function isPattern(layer: Layer, url: string): boolean {
  const { regexp, matchers } = layer;
  if (regexp !== undefined) return !regexp.source.endsWith(String.raw`\/?(?=\/|$)`);
  const match = matchers?.[matching(layer, url)]?.(url);
  // Parameters of path-to-regexp have no prototype; those of the program's own expression are an ordinary object.
  return match === undefined || match === false || Object.getPrototypeOf(match.params) !== null;
}

function withoutValues({ keys = [] }: Layer, url: string, params: Readonly<Record<string, unknown>>): string {
  let rest = url;
  let template = '';
  for (const key of keys.toReversed()) {
    const name = typeof key === 'object' ? key.name : key;
    const value = params[name];
    if (value === undefined) continue;
    const found = locate(rest, Array.isArray(value) ? value.join('/') : String(value));
    if (found === undefined) return unknownMount;
    template = `:${name}${rest.slice(found.end).toLowerCase()}${template}`;
    rest = rest.slice(0, found.start);
  }
  return rest.toLowerCase() + template;
}

// Whole segments come first, from the right. Elsewhere a value that occurs twice is ambiguous.
function locate(url: string, value: string): { readonly start: number; readonly end: number } | undefined {
  for (const text of new Set([value, encodeURIComponent(value)])) {
    const segment = `${url}/`.lastIndexOf(`/${text}/`);
    if (segment !== -1) return { start: segment + 1, end: segment + 1 + text.length };
    const start = url.indexOf(text);
    if (start !== -1 && start === url.lastIndexOf(text)) return { start, end: start + text.length };
  }
  return undefined;
}
