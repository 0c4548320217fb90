import { format, parse } from '@weir/promql';
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import type { Config } from '../config/config.ts';
import type { TargetPool } from '../exchange/target-pool.ts';
import type { GuardedClient } from '../network/guarded-client.ts';
import type { RuleQuery } from '../rules/rule-api.ts';
import type { EngineClient } from '../threads/engine-client.ts';
import type { ApiData, SelectorQuery } from '../threads/engine-protocol.ts';
import { badData, sendData, sendError, sendValue } from './answers.ts';
import { addBackend, type WithBackend } from './backend.ts';
import { objectSchema, pathParameters, prometheusSchema, type Schema } from './describe-routes.ts';
import { ApiParameters, unescapeLabelName } from './prometheus-parameters.ts';
import { addStatusRoutes } from './status-routes.ts';

export interface PrometheusRoutesOptions {
  readonly engine: EngineClient;
  readonly client: GuardedClient;
  readonly targets: TargetPool;
  /** The configuration in force. */
  readonly config: () => Config;
  readonly startedMs: number;
  readonly version: string;
  readonly now: () => number;
  /** Seconds a query took, for the service's own metrics. */
  readonly observeQuery: (endpoint: string, seconds: number) => void;
}

/** Routes below `/api/v1`, as Prometheus 3 answers them. */
export function addPrometheusRoutes(app: FastifyInstance, options: PrometheusRoutesOptions): void {
  app.setErrorHandler((error, _request, reply) => sendError(reply, error));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  // As in Go, a body of any other type carries no parameters: those of the URL count.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null, undefined));

  const withBackend = addBackend(app, options);
  const routes = new ApiRoutes(app, options.observeQuery);
  addQueryRoutes(routes, options);
  addSeriesRoutes(routes, options);
  addRuleRoutes(routes, options, withBackend);
  addStatusRoutes(app, options);
  app.setNotFoundHandler((_request, reply) =>
    sendError(reply, Object.assign(new Error('no such endpoint'), { statusCode: 404 })),
  );
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Reads the parameters of a request. `gone` is aborted when the client closes the connection. */
type Answer = (parameters: ApiParameters, request: FastifyRequest, gone: AbortSignal) => Promise<ApiData>;

/** The routes of the API, with the methods and the answers that they share. */
class ApiRoutes {
  readonly #app: FastifyInstance;
  readonly #observeQuery: PrometheusRoutesOptions['observeQuery'];

  constructor(app: FastifyInstance, observeQuery: PrometheusRoutesOptions['observeQuery']) {
    this.#app = app;
    this.#observeQuery = observeQuery;
  }

  get(url: string, schema: FastifySchema, handler: Handler): void {
    this.#app.get(url, { config: { role: 'read' }, schema }, handler);
  }

  /** By POST, the parameters are a form, so that an expression may be longer than a URL. */
  getAndPost(url: string, schema: FastifySchema, handler: Handler): void {
    this.get(url, schema, handler);
    const { querystring, ...rest } = schema;
    const { properties } = querystring as { properties: object };
    const form = {
      type: ['object', 'null'],
      description: 'Parameters of the URL count as well',
      properties,
    };
    const body = { content: { 'application/x-www-form-urlencoded': { schema: form } } };
    this.#app.post(url, { config: { role: 'read' }, schema: { ...rest, body } }, handler);
  }

  /** A handler that answers data of the engine; `endpoint` names it in the service's own metrics. */
  query(endpoint: string, answer: Answer): Handler {
    return async (request, reply) => {
      const started = performance.now();
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      try {
        const parameters = new ApiParameters(request.url, request.body);
        return sendData(reply, await answer(parameters, request, gone.signal));
      } catch (thrown) {
        return sendError(reply, thrown);
      } finally {
        this.#observeQuery(endpoint, (performance.now() - started) / 1000);
      }
    };
  }
}

const moment = (description: string): Schema => ({
  type: 'string',
  description: `${description}; Unix seconds or RFC 3339`,
});
const start = moment('Start of the range');
const end = moment('End of the range');
const expression = { type: 'string', description: 'A PromQL expression' };
const timeout = { type: 'string', description: 'Seconds or a duration' };
const limit = { type: 'integer', minimum: 0, description: 'Most entries of the answer, 0 for all' };
const names = { type: 'array', items: { type: 'string' } };
const list = { type: 'array', items: { type: 'object' } };
const matchers = { ...names, description: 'Series selectors' };
const resultSchema = objectSchema<{ resultType: string; result: unknown }>({
  resultType: { enum: ['vector', 'matrix', 'scalar', 'string'] },
  result: { type: 'array' },
});

/** Expressions: evaluated, formatted, and the exemplars of their series. */
function addQueryRoutes(routes: ApiRoutes, { engine, now }: PrometheusRoutesOptions): void {
  routes.getAndPost(
    '/query',
    prometheusSchema('Evaluate an expression at one moment', resultSchema, {
      required: ['query'],
      properties: { query: expression, time: moment('Time to evaluate at, now if absent'), timeout, limit },
    }),
    routes.query('query', (parameters, _request, signal) => {
      const request = {
        query: parameters.required('query'),
        timeMs: parameters.timeMs('time') ?? now(),
        timeoutMs: parameters.durationMs('timeout'),
        limit: parameters.limit(),
      };
      return engine.query({ kind: 'instant', request }, signal);
    }),
  );
  routes.getAndPost(
    '/query_range',
    prometheusSchema('Evaluate an expression over a range of time', resultSchema, {
      required: ['query', 'start', 'end', 'step'],
      properties: {
        query: expression,
        start,
        end,
        step: {
          type: 'string',
          description: 'Seconds or a duration between two points, at most 11,000 points',
        },
        timeout,
        limit,
      },
    }),
    routes.query('query_range', (parameters, _request, signal) => {
      const request = {
        query: parameters.required('query'),
        ...parameters.range(),
        timeoutMs: parameters.durationMs('timeout'),
        limit: parameters.limit(),
      };
      return engine.query({ kind: 'range', request }, signal);
    }),
  );
  routes.getAndPost(
    '/query_exemplars',
    prometheusSchema('List the exemplars of series', list, {
      required: ['query'],
      properties: { query: expression, start, end },
    }),
    routes.query('query_exemplars', (parameters, _request, signal) => {
      const request = {
        query: parameters.required('query'),
        startMs: parameters.timeMs('start') ?? Number.MIN_SAFE_INTEGER,
        endMs: parameters.timeMs('end') ?? Number.MAX_SAFE_INTEGER,
      };
      return engine.read('exemplars', request, signal);
    }),
  );
  routes.getAndPost(
    '/format_query',
    prometheusSchema(
      'Format an expression',
      { type: 'string' },
      {
        required: ['query'],
        properties: { query: expression },
      },
    ),
    async (request, reply) => {
      try {
        const text = new ApiParameters(request.url, request.body).required('query');
        return sendValue(reply, format(parse(text)));
      } catch (thrown) {
        return sendError(reply, thrown);
      }
    },
  );
}

/** Names, values and metadata of series. */
function addSeriesRoutes(routes: ApiRoutes, { engine }: PrometheusRoutesOptions): void {
  const selection = { 'match[]': matchers, start, end, limit };
  routes.getAndPost(
    '/labels',
    prometheusSchema('List label names', names, { properties: selection }),
    routes.query('labels', (parameters, _request, signal) =>
      engine.read('labelNames', selectorQuery(parameters), signal),
    ),
  );
  const name = 'Label name; `U__` and the escaped name for characters that a path cannot hold';
  routes.get(
    '/label/:name/values',
    {
      ...prometheusSchema('List the values of a label', names, { properties: selection }),
      params: pathParameters({ name }),
    },
    routes.query('label_values', (parameters, request, signal) => {
      const name = unescapeLabelName((request.params as { name: string }).name);
      if (name === '') throw badData('invalid label name: ""');
      return engine.read('labelValues', { ...selectorQuery(parameters), name }, signal);
    }),
  );
  routes.getAndPost(
    '/series',
    prometheusSchema('List series', list, { required: ['match[]'], properties: selection }),
    routes.query('series', (parameters, _request, signal) => {
      if (parameters.all('match[]').length === 0) throw badData('no match[] parameter provided');
      return engine.read('series', selectorQuery(parameters), signal);
    }),
  );
  routes.get(
    '/metadata',
    prometheusSchema(
      'Get types, units and help texts of metrics',
      { type: 'object' },
      {
        properties: {
          metric: { type: 'string', description: 'Name of one metric, all if absent' },
          limit,
          limit_per_metric: {
            type: 'integer',
            minimum: 0,
            description: 'Most entries for one metric, 0 for all',
          },
        },
      },
    ),
    routes.query('metadata', (parameters, _request, signal) => {
      const request = {
        metric: parameters.text('metric'),
        limit: parameters.limit(),
        limitPerMetric: parameters.limit('limit_per_metric'),
      };
      return engine.read('metadata', request, signal);
    }),
  );
  routes.get(
    '/status/tsdb',
    prometheusSchema('Get the cardinality of the store', { type: 'object' }, { properties: { limit } }),
    routes.query('status_tsdb', (parameters, _request, signal) =>
      engine.read('tsdbStatus', { limit: parameters.limit() }, signal),
    ),
  );
}

/** Rules and alerts of the service and, with a backend, those of the backend. */
function addRuleRoutes(
  routes: ApiRoutes,
  { engine }: PrometheusRoutesOptions,
  withBackend: WithBackend,
): void {
  routes.get(
    '/rules',
    prometheusSchema('List rules with their state', objectSchema<{ groups: unknown }>({ groups: list }), {
      properties: {
        type: { enum: ['alert', 'record'], description: 'Kind of the rules, both if absent' },
        'rule_name[]': names,
        'rule_group[]': names,
        'file[]': names,
        'match[]': matchers,
        exclude_alerts: { type: 'boolean', default: false, description: 'Leave the alerts of each rule out' },
      },
    }),
    routes.query('rules', async (parameters, request, signal) =>
      withBackend(await engine.read('rules', ruleQuery(parameters), signal), request, signal),
    ),
  );
  routes.get(
    '/alerts',
    prometheusSchema('List pending and firing alerts', objectSchema<{ alerts: unknown }>({ alerts: list })),
    routes.query('alerts', async (_parameters, request, signal) =>
      withBackend(await engine.read('alerts', undefined, signal), request, signal),
    ),
  );
}

function ruleQuery(parameters: ApiParameters): RuleQuery {
  const type = parameters.text('type')?.toLowerCase() || undefined;
  if (type !== undefined && type !== 'alert' && type !== 'record')
    throw badData(`invalid parameter "type": not supported value ${JSON.stringify(type)}`);
  return {
    type,
    names: parameters.all('rule_name[]'),
    groups: parameters.all('rule_group[]'),
    files: parameters.all('file[]'),
    match: parameters.all('match[]'),
    excludeAlerts: parameters.flag('exclude_alerts'),
  };
}

function selectorQuery(parameters: ApiParameters): SelectorQuery {
  return {
    match: parameters.all('match[]'),
    startMs: parameters.timeMs('start'),
    endMs: parameters.timeMs('end'),
    limit: parameters.limit(),
  };
}
