import { format, parse } from '@weir/promql';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.ts';
import type { EngineClient } from '../engine/engine-client.ts';
import type { ApiData, SelectorQuery } from '../engine/engine-protocol.ts';
import type { GuardedClient } from '../network/guarded-client.ts';
import { proxyToBackend } from '../remote/backend-proxy.ts';
import { backendRequest } from '../remote/backend-request.ts';
import { mergeWithBackend } from '../remote/merge-backend.ts';
import type { RuleQuery } from '../rules/rule-filter.ts';
import type { TargetPool } from '../scrape/target-pool.ts';
import { badData, sendData, sendError, sendValue } from './answers.ts';
import { ApiParameters, unescapeLabelName } from './prometheus-parameters.ts';
import { addStatusRoutes, describeTargets } from './status-routes.ts';

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

/** Routes whose answers are merged with the backend's, and the field of their data that holds the list. */
const mergedLists: Readonly<Record<string, 'groups' | 'alerts'>> = {
  '/api/v1/rules': 'groups',
  '/api/v1/alerts': 'alerts',
};

/** Routes below `/api/v1`, as Prometheus 3 answers them. */
export function addPrometheusRoutes(app: FastifyInstance, options: PrometheusRoutesOptions): void {
  const { engine, now } = options;
  app.setErrorHandler((error, _request, reply) => sendError(reply, error));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  // As in Go, a body of any other type carries no parameters: those of the URL count.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null, undefined));

  const query = (
    endpoint: string,
    answer: (parameters: ApiParameters, request: FastifyRequest, gone: AbortSignal) => Promise<ApiData>,
  ): ((request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>) => {
    return async (request, reply) => {
      const started = performance.now();
      // Nobody waits for the answer any more once the connection is closed.
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      try {
        const parameters = new ApiParameters(request.url, request.body);
        return sendData(reply, await answer(parameters, request, gone.signal));
      } catch (thrown) {
        return sendError(reply, thrown);
      } finally {
        options.observeQuery(endpoint, (performance.now() - started) / 1000);
      }
    };
  };
  const hasOwnRules = (): boolean => options.config().rules.groups.length > 0;
  /** With a backend, lists of rules and alerts hold those that the service evaluates, and the backend's. */
  const withBackend = async (own: ApiData, request: FastifyRequest, gone: AbortSignal): Promise<ApiData> => {
    const { backend } = options.config();
    const field = mergedLists[request.routeOptions.url ?? ''];
    const forwarded = backend === undefined ? undefined : backendRequest(backend.url, request);
    if (backend === undefined || field === undefined || forwarded === undefined) return own;
    return mergeWithBackend(own, field, backend, forwarded, options.client, gone);
  };
  const getAndPost = ['GET', 'POST'];
  app.addHook('preHandler', async (request, reply) => {
    const { backend } = options.config();
    const forwarded = backend === undefined ? undefined : backendRequest(backend.url, request);
    if (backend === undefined || forwarded === undefined) return undefined;
    if (hasOwnRules() && Object.hasOwn(mergedLists, request.routeOptions.url ?? '')) return undefined;
    return proxyToBackend(backend, forwarded, options.client, request, reply);
  });

  app.route({
    method: getAndPost,
    url: '/query',
    handler: query('query', (parameters, _request, signal) => {
      const request = {
        query: parameters.required('query'),
        timeMs: parameters.timeMs('time') ?? now(),
        timeoutMs: parameters.durationMs('timeout'),
        limit: parameters.limit(),
      };
      return engine.query({ kind: 'instant', request }, signal);
    }),
  });
  app.route({
    method: getAndPost,
    url: '/query_range',
    handler: query('query_range', (parameters, _request, signal) => {
      const request = {
        query: parameters.required('query'),
        ...parameters.range(),
        timeoutMs: parameters.durationMs('timeout'),
        limit: parameters.limit(),
      };
      return engine.query({ kind: 'range', request }, signal);
    }),
  });
  app.route({
    method: getAndPost,
    url: '/labels',
    handler: query('labels', (parameters, _request, signal) =>
      engine.read('labelNames', selectorQuery(parameters), signal),
    ),
  });
  app.get<{ Params: { name: string } }>(
    '/label/:name/values',
    query('label_values', (parameters, request, signal) => {
      const name = unescapeLabelName((request.params as { name: string }).name);
      if (name === '') throw badData('invalid label name: ""');
      return engine.read('labelValues', { ...selectorQuery(parameters), name }, signal);
    }),
  );
  app.route({
    method: getAndPost,
    url: '/series',
    handler: query('series', (parameters, _request, signal) => {
      if (parameters.all('match[]').length === 0) throw badData('no match[] parameter provided');
      return engine.read('series', selectorQuery(parameters), signal);
    }),
  });
  app.get(
    '/metadata',
    query('metadata', (parameters, _request, signal) => {
      const request = {
        metric: parameters.text('metric'),
        limit: parameters.limit(),
        limitPerMetric: parameters.limit('limit_per_metric'),
      };
      return engine.read('metadata', request, signal);
    }),
  );
  app.get('/targets', async (request, reply) => {
    const parameters = new ApiParameters(request.url, undefined);
    return sendValue(
      reply,
      describeTargets(options.targets, options.config().scrape, {
        state: parameters.text('state') ?? 'any',
        scrapePool: parameters.text('scrapePool') || undefined,
      }),
    );
  });
  app.route({
    method: getAndPost,
    url: '/query_exemplars',
    handler: query('query_exemplars', (parameters, _request, signal) => {
      const request = {
        query: parameters.required('query'),
        startMs: parameters.timeMs('start') ?? Number.MIN_SAFE_INTEGER,
        endMs: parameters.timeMs('end') ?? Number.MAX_SAFE_INTEGER,
      };
      return engine.read('exemplars', request, signal);
    }),
  });
  app.get(
    '/status/tsdb',
    query('status_tsdb', (parameters, _request, signal) =>
      engine.read('tsdbStatus', { limit: parameters.limit() }, signal),
    ),
  );
  app.get(
    '/rules',
    query('rules', async (parameters, request, signal) =>
      withBackend(await engine.read('rules', ruleQuery(parameters), signal), request, signal),
    ),
  );
  app.get(
    '/alerts',
    query('alerts', async (_parameters, request, signal) =>
      withBackend(await engine.read('alerts', undefined, signal), request, signal),
    ),
  );
  app.route({
    method: getAndPost,
    url: '/format_query',
    handler: async (request, reply) => {
      try {
        const text = new ApiParameters(request.url, request.body).required('query');
        return sendValue(reply, format(parse(text)));
      } catch (thrown) {
        return sendError(reply, thrown);
      }
    },
  });
  addStatusRoutes(app, options.config, options.startedMs, options.version);
  app.setNotFoundHandler((_request, reply) =>
    sendError(reply, Object.assign(new Error('no such endpoint'), { statusCode: 404 })),
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
