import { PromqlError } from '@weir/promql';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EndpointConfig } from '../config/config.ts';
import { messageOf } from '../errors.ts';
import type { GuardedClient } from '../network/guarded-client.ts';
import type { ApiData } from '../threads/engine-protocol.ts';

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

interface BackendRequest {
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

const proxyTimeoutMs = 120_000;
const passedBack = ['content-type', 'content-encoding', 'cache-control'] as const;

/** Sends a request to the configured server and its answer back, body by stream. It has two minutes, body included. */
export async function proxyToBackend(
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

/** What the service's own alerts may wait for a backend that does not answer. */
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
 * The list that the service answers with, and behind it the backend's. A backend that does not answer is a warning: what the service
 * evaluates itself is shown all the same.
 * @param field Of `data`, which holds the list.
 */
export async function mergeWithBackend(
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
