import { PromqlError } from '@weir/promql';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config, EndpointConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import type { GuardedClient } from '../network/guarded-client.ts';
import type { ApiData } from '../threads/engine-protocol.ts';

interface BackendOptions {
  readonly client: GuardedClient;
  readonly config: () => Config;
}

/** Adds the backend's rules or alerts to those of the service. `gone` is aborted when the client closes the connection. */
export type WithBackend = (own: ApiData, request: FastifyRequest, gone: AbortSignal) => Promise<ApiData>;

/** Routes whose lists are merged when the service has rules of its own, and the field of `data` that holds the list. */
const mergedLists: Readonly<Record<string, 'groups' | 'alerts'>> = {
  '/api/v1/rules': 'groups',
  '/api/v1/alerts': 'alerts',
};

/** Lets the configured backend answer the routes of `app`, and returns what merges its lists with the service's own. */
export function addBackend(app: FastifyInstance, { client, config }: BackendOptions): WithBackend {
  app.addHook('preHandler', async (request, reply) => {
    const { backend, rules } = config();
    const forwarded = backend === undefined ? undefined : backendRequest(backend.url, request);
    if (backend === undefined || forwarded === undefined) return undefined;
    const isMerged = Object.hasOwn(mergedLists, request.routeOptions.url ?? '');
    if (isMerged && rules.groups.length > 0) return undefined;
    return proxyToBackend(backend, forwarded, client, request, reply);
  });
  return async (own, request, gone) => {
    const { backend } = config();
    const field = mergedLists[request.routeOptions.url ?? ''];
    const forwarded = backend === undefined ? undefined : backendRequest(backend.url, request);
    if (backend === undefined || field === undefined || forwarded === undefined) return own;
    return mergeWithBackend(own, field, backend, forwarded, client, gone);
  };
}

/** Parameters of every route that selects series. */
const selection = ['match[]', 'start', 'end', 'limit'];
/** Parameters of a query, with those of Thanos' deduplication. */
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
 * The routes below `/api/v1` that a backend answers, with the parameters that are forwarded. Nothing else reaches a backend.
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

interface BackendRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  /** A form, on POST. */
  readonly body: string | undefined;
}

const prefix = '/api/v1';

/**
 * The request to the backend, or `undefined` where the service answers itself. It is built from the matched route and from known
 * parameters; nothing of the caller's request target is copied. Parameters of the backend's own URL are sent with each request
 * and cannot be replaced.
 * @throws PromqlError `bad_data` for a label without a name.
 */
function backendRequest(backend: URL, request: FastifyRequest): BackendRequest | undefined {
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
 * A label name as one segment of a path. Names with other characters than letters, digits and `_ : . -` are escaped as in
 * Prometheus 3 (`U__`), so that no server on the way reads a part of the name as a separator.
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

const proxyTimeoutMs = 120_000;
const passedBack = ['content-type', 'content-encoding', 'cache-control'] as const;

/** Forwards a request to the backend and streams the answer back. The backend has two minutes, body included. */
async function proxyToBackend(
  backend: EndpointConfig,
  { method, url, body }: BackendRequest,
  client: GuardedClient,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const encoding = request.headers['accept-encoding'];
  try {
    const answer = await client.request(url, {
      method,
      headers: {
        accept: 'application/json',
        ...(encoding === undefined ? {} : { 'accept-encoding': encoding }),
        ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...backend.headers,
      },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.any([gone.signal, AbortSignal.timeout(proxyTimeoutMs)]),
    });
    for (const name of passedBack) {
      const value = answer.headers[name];
      if (value !== undefined) reply.header(name, value);
    }
    return reply.code(answer.statusCode ?? 502).send(answer);
  } catch (thrown) {
    const error = `the backend did not answer: ${messageOf(thrown)}`;
    return reply
      .code(502)
      .type('application/json')
      .send(JSON.stringify({ status: 'error', errorType: 'unavailable', error }));
  }
}

/** How long the service's own alerts wait for the backend. */
const mergeTimeoutMs = 5_000;
const maxBytes = 16_777_216;

interface Envelope {
  readonly status?: unknown;
  readonly error?: unknown;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

/**
 * The service's list, followed by the backend's. A backend that does not answer is a warning beside the service's own list.
 * @param field Of `data`, which holds the list.
 */
async function mergeWithBackend(
  own: ApiData,
  field: 'groups' | 'alerts',
  backend: EndpointConfig,
  request: BackendRequest,
  client: GuardedClient,
  gone: AbortSignal,
): Promise<ApiData> {
  try {
    const { data = {}, warnings = [], infos = [] } = await ask(backend, request, client, gone);
    const theirs = data[field];
    if (!Array.isArray(theirs)) throw new RangeError(`it answered without \`${field}\``);
    const ours = JSON.parse(new TextDecoder().decode(own.data)) as Record<string, readonly unknown[]>;
    const merged = { ...data, [field]: [...(ours[field] ?? []), ...theirs] };
    return {
      data: new TextEncoder().encode(JSON.stringify(merged)),
      warnings: [...own.warnings, ...warnings],
      infos: [...own.infos, ...infos],
    };
  } catch (thrown) {
    const warning = `the backend's ${field} are missing: ${messageOf(thrown)}`;
    return { ...own, warnings: [...own.warnings, warning] };
  }
}

async function ask(
  backend: EndpointConfig,
  { url }: BackendRequest,
  client: GuardedClient,
  gone: AbortSignal,
): Promise<Envelope> {
  const answer = await client.request(url, {
    headers: { accept: 'application/json', ...backend.headers },
    signal: AbortSignal.any([gone, AbortSignal.timeout(mergeTimeoutMs)]),
  });
  const parts: Buffer[] = [];
  let total = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    total += part.length;
    if (total > maxBytes) throw new RangeError(`it answered with more than ${maxBytes} bytes`);
    parts.push(part);
  }
  const status = answer.statusCode ?? 0;
  let envelope: Envelope | null;
  try {
    envelope = JSON.parse(Buffer.concat(parts).toString()) as Envelope | null;
  } catch {
    throw new RangeError(`it answered ${status} without JSON`);
  }
  if (envelope?.status === 'success') return envelope;
  throw new RangeError(typeof envelope?.error === 'string' ? envelope.error : `it answered ${status}`);
}
