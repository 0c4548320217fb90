import fastifySwagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import { version } from '../version.ts';
import type { RouteRole } from './guard-requests.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The whole `schema` of the route. Set by `describeRoutes`. */
    described?: FastifySchema;
  }
}

/** A JSON Schema of 2020-12, as OpenAPI 3.1 uses it. */
export type Schema = Readonly<Record<string, unknown>>;

/**
 * Makes the OpenAPI 3.1 document at `/openapi.json`, and the page at `/docs/api`, from the `schema` and the `role` of every route
 * that is added afterwards.
 *
 * Fastify receives only the part of a `schema` that it shall validate: `params`, and a `body` that is one JSON schema. The other
 * parts only describe:
 * - Handlers read query strings, headers, and bodies described by media type (`content`). Fastify would convert their values and
 *   refuse them in its own words, while the Prometheus API has rules and messages of its own.
 * - Handlers answer as they are. A response schema would make Fastify remove the properties that it does not list.
 */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  app.addSchema(problemSchema);
  app.addSchema(prometheusErrorSchema);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Weir service', version, description: introduction },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'A token made with `weir token`.' },
        },
      },
    },
    refResolver: { buildLocalReference: (schema) => String(schema.$id) },
    convertConstToEnum: false,
    transform: ({ url, route }) => ({ url, schema: describeRoute(url, route) }),
    transformObject: (made) => {
      const document = (made as unknown as { openapiObject: OpenApiDocument }).openapiObject;
      for (const { requestBody } of operationsOf(document)) if (requestBody) markOptional(requestBody);
      return document as object;
    },
  });
  app.addHook('onRoute', (route) => {
    const { schema = {} } = route;
    const { params, body } = schema;
    route.config = { ...route.config, described: schema };
    route.schema = {
      ...(params === undefined ? {} : { params }),
      ...(body === undefined || isForHandler(body) ? {} : { body }),
    };
  });

  const schema = { tags: ['Documentation'] };
  app.get(
    '/openapi.json',
    {
      config: { role: 'read' },
      schema: {
        ...schema,
        summary: 'Get the OpenAPI document',
        response: { 200: json('This document', { type: 'object' }) },
      },
    },
    async () => app.swagger(),
  );
  app.get(
    '/docs/api',
    {
      config: { role: 'read' },
      schema: {
        ...schema,
        summary: 'Show the API as a page',
        response: { 200: content('The page', 'text/html', { type: 'string' }) },
      },
    },
    async (_request, reply) =>
      reply.type('text/html; charset=utf-8').send(renderPage(app.swagger() as unknown as OpenApiDocument)),
  );
}

/** The parameters of a path with their descriptions. Each has to match `pattern`, a regular expression. */
export function pathParameters(descriptions: Readonly<Record<string, string>>, pattern?: string): Schema {
  const rule = pattern === undefined ? {} : { pattern };
  return {
    type: 'object',
    properties: mapValues(descriptions, (description) => ({ type: 'string', description, ...rule })),
  };
}

/** An object with the properties of `T`. All are required but those in `optional`. */
export function objectSchema<T extends object>(
  properties: Readonly<Record<keyof T & string, Schema>>,
  optional: readonly (keyof T & string)[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name as keyof T & string));
  return { type: 'object', required, properties };
}

/** An answer with a body of one media type. */
export function content(description: string, mediaType: string, schema: Schema): Schema {
  return { description, content: { [mediaType]: { schema } } };
}

/** An answer with a JSON body. */
export function json(description: string, schema: Schema): Schema {
  return content(description, 'application/json', schema);
}

/** Adds the header `Location` to an answer: the path of what it shows. */
export function withLocation(answer: Schema): Schema {
  return { ...answer, headers: { location: { type: 'string', description: 'Path of the resource' } } };
}

/** An answer without a body. */
export function empty(description: string): Schema {
  return { description, type: 'null' };
}

/** An error as problem details. */
export function problem(description: string): Schema {
  return content(description, 'application/problem+json', { $ref: 'Problem#' });
}

/** An error in the envelope of Prometheus. */
function prometheusError(description: string): Schema {
  return json(description, { $ref: 'PrometheusError#' });
}

/** The schema of a route that answers `data` in the envelope of Prometheus; `query` describes its parameters. */
export function prometheusSchema(
  summary: string,
  data: Schema,
  query: {
    readonly required?: readonly string[];
    readonly properties?: Readonly<Record<string, Schema>>;
  } = {},
): FastifySchema {
  const notes = { type: 'array', items: { type: 'string' } };
  return {
    tags: ['Prometheus API'],
    summary,
    ...(query.properties === undefined ? {} : { querystring: { type: 'object', ...query } }),
    response: {
      200: json(
        'The data in the envelope of Prometheus',
        objectSchema<{ status: 'success'; data: unknown; warnings?: string[]; infos?: string[] }>(
          { status: { const: 'success' }, data, warnings: notes, infos: notes },
          ['warnings', 'infos'],
        ),
      ),
      400: prometheusError('A parameter is missing or malformed'),
      422: prometheusError('The query cannot be evaluated'),
      503: prometheusError('The query took too long, or the store is not open'),
    },
  };
}

const introduction =
  'Routes under `/api/v1` answer as the HTTP API of Prometheus 3. Errors of all other routes are problem details (RFC 9457).';

const problemSchema = {
  $id: 'Problem',
  description: 'Problem details (RFC 9457)',
  ...objectSchema<{ type: string; title: string; status: number; detail?: string }>(
    {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string', description: 'The cause and, where there is one, the repair' },
    },
    ['detail'],
  ),
};

const prometheusErrorSchema = {
  $id: 'PrometheusError',
  description: 'An error in the envelope of Prometheus',
  ...objectSchema<{ status: 'error'; errorType: string; error: string }>({
    status: { const: 'error' },
    errorType: { type: 'string' },
    error: { type: 'string' },
  }),
};

/** The description of a route, with its role and the answers that the role brings. */
function describeRoute(url: string, { config = {} }: RouteOptions): FastifySchema {
  // OpenAPI has no path parameter that spans segments.
  if (url.includes('*')) return { hide: true };
  const { described = {}, role = 'read' } = config;
  const own = { ...(described.response as Readonly<Record<string, Schema>>) };
  const failure = url.startsWith('/api/v1/') ? prometheusError : problem;
  const response = { default: failure('Any other error'), ...own, ...refusals(role, failure, own[403]) };
  return { ...described, response, security: role === 'public' ? [] : [{ token: [role] }] };
}

/** The refusals of callers that lack the role, joined with the route's own 403. */
function refusals(
  role: RouteRole,
  failure: (description: string) => Schema,
  own: Schema | undefined,
): Readonly<Record<string, Schema>> {
  if (role === 'public') return {};
  const reasons = [`the token lacks the role \`${role}\``];
  if (role !== 'read') reasons.push('the request comes from a page of another site');
  if (own !== undefined) reasons.push(String(own.description));
  return {
    401: failure('The token is missing or unknown'),
    403: failure(`Refused because ${reasons.join(', or because ')}`),
  };
}

/** Whether a body is described by media type. */
function isForHandler(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'content' in body;
}

interface OpenApiDocument {
  readonly info: { readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly description?: string }[];
  readonly requestBody?: RequestBody;
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
  readonly security: readonly { readonly token: readonly string[] }[];
}

interface RequestBody {
  required: boolean;
  readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
}

function operationsOf({ paths }: OpenApiDocument): Operation[] {
  return Object.values(paths).flatMap((methods) => Object.values(methods));
}

/** A body whose schema permits null may be left out. @fastify/swagger calls every body required. */
function markOptional(body: RequestBody): void {
  body.required = !Object.values(body.content).some(({ schema }) => [schema.type].flat().includes('null'));
}

/** The document as a page without scripts. */
function renderPage(document: OpenApiDocument): string {
  const sections = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => renderOperation(method, path, operation)),
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Weir API</title><style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}h2{font-size:1rem;margin-bottom:0}section{border-top:1px solid color-mix(in srgb,currentColor 20%,transparent)}</style></head><body><h1>Weir API</h1><p>As <a href="/openapi.json">OpenAPI 3.1</a>. ${escapeHtml(document.info.description)}</p>${sections.join('')}</body></html>`;
}

function renderOperation(method: string, path: string, operation: Operation): string {
  const { summary, security, parameters = [], responses } = operation;
  const role = security[0]?.token[0] ?? 'public';
  const given = parameters.map(
    ({ name, description = '' }) => `<li><code>${escapeHtml(name)}</code> ${escapeHtml(description)}</li>`,
  );
  const answers = Object.entries(responses).map(
    ([status, { description }]) => `<li><b>${status}</b> ${escapeHtml(description)}</li>`,
  );
  return `<section><h2><code>${method.toUpperCase()} ${escapeHtml(path)}</code></h2><p>${escapeHtml(summary)}. Role: ${role}.</p><ul>${given.join('')}</ul><ul>${answers.join('')}</ul></section>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function mapValues<T, R>(values: Readonly<Record<string, T>>, change: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}
