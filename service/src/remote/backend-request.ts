import { PromqlError } from '@weir/promql';
import type { FastifyRequest } from 'fastify';

/** What every reader of series may ask with. */
const selection = ['match[]', 'start', 'end', 'limit'];
/** Of a query: those of Prometheus, and those by which Thanos deduplicates. */
const evaluation = [
  'query',
  'timeout',
  'limit',
  'lookback_delta',
  'stats',
  'dedup',
  'partial_response',
  'max_source_resolution',
];

/**
 * What a backend is asked for, by the routes below `/api/v1` as the service registers them, with the parameters that are sent
 * on. Their methods are those of the routes: GET, and POST with a form. Nothing else reaches a backend.
 */
const backendRoutes: Readonly<Record<string, readonly string[]>> = {
  '/query': ['time', ...evaluation],
  '/query_range': ['start', 'end', 'step', ...evaluation],
  '/query_exemplars': ['query', 'start', 'end'],
  '/format_query': ['query'],
  '/labels': selection,
  '/label/:name/values': selection,
  '/series': selection,
  '/metadata': ['metric', 'limit', 'limit_per_metric'],
  '/rules': ['type', 'rule_name[]', 'rule_group[]', 'file[]', 'match[]', 'exclude_alerts'],
  '/alerts': [],
  '/status/buildinfo': [],
  '/status/tsdb': ['limit'],
};

export interface BackendRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  /** A form, on POST. */
  readonly body: string | undefined;
}

const prefix = '/api/v1';

/**
 * The request to a backend that answers a request of ours, or `undefined` where the service answers itself. It is made from the
 * route that matched and from known parameters; of the caller's request target nothing is copied. Parameters of the backend's
 * own URL are sent with each request and cannot be replaced.
 * @throws PromqlError `bad_data` for a label without a name.
 */
export function backendRequest(backend: URL, request: FastifyRequest): BackendRequest | undefined {
  const route = request.is404 ? '' : (request.routeOptions.url?.slice(prefix.length) ?? '');
  const names = Object.hasOwn(backendRoutes, route) ? backendRoutes[route] : undefined;
  if (names === undefined) return undefined;
  const parameters = new URLSearchParams();
  const query = new URLSearchParams(request.url.split('?').slice(1).join('?'));
  const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
  // The form's values stand first, as in Go's request.Form.
  for (const [name, value] of [...form, ...query])
    if (names.includes(name) && !backend.searchParams.has(name)) parameters.append(name, value);
  const url = new URL(backend);
  const { name } = request.params as { readonly name?: string };
  const path = name === undefined ? route : `/label/${labelSegment(name)}/values`;
  url.pathname = backend.pathname.replace(/\/$/, '') + prefix + path;
  url.hash = '';
  const method = request.method === 'POST' ? 'POST' : 'GET';
  if (method === 'GET')
    for (const [parameter, value] of parameters) url.searchParams.append(parameter, value);
  return { method, url, body: method === 'POST' ? parameters.toString() : undefined };
}

/**
 * A label's name as one segment of a path. Names beyond letters, digits and `_ : . -` are escaped as Prometheus 3 reads them
 * (`U__`), so that no server on the way takes a part of one for a separator.
 */
function labelSegment(name: string): string {
  if (name === '') throw new PromqlError('bad_data', 'invalid label name: ""');
  if (/^[\w:.-]*[\w:-][\w:.-]*$/.test(name)) return name;
  const escaped = Array.from(name.toWellFormed(), (char) => {
    if (char === '_') return '__';
    return /[a-zA-Z0-9:]/.test(char) ? char : `_${(char.codePointAt(0) as number).toString(16)}_`;
  });
  return `U__${escaped.join('')}`;
}
