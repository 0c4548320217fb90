import type { IncomingMessage, ServerResponse } from 'node:http';
import { fastifyMetrics } from '@weir/metrics/fastify';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { AuditLog } from '../auth/audit-log.ts';
import type { BenchmarkRunner } from '../benchmarks/benchmark-runner.ts';
import type { RunStore } from '../benchmarks/run-store.ts';
import { messageOf } from '../errors.ts';
import type { SelfMetrics } from '../exchange/own-metrics.ts';
import type { PushedJobs } from '../exchange/pushed-jobs.ts';
import type { TargetRegistry } from '../exchange/target-registry.ts';
import { sqliteCode } from '../store/database.ts';
import { sendProblem } from './answers.ts';
import { addBenchmarkHistoryRoutes } from './benchmark-history-routes.ts';
import { addBenchmarkResultRoutes } from './benchmark-result-routes.ts';
import { addBenchmarkRoutes } from './benchmark-routes.ts';
import { describeRoutes } from './describe-routes.ts';
import { auditChanges, guardRequests, originForm } from './guard-requests.ts';
import { addPageRoutes } from './page-routes.ts';
import { addPrometheusRoutes, type PrometheusRoutesOptions } from './prometheus-routes.ts';
import { addPushRoutes } from './push-routes.ts';
import { addRegistrationRoutes } from './registration-routes.ts';
import { addServiceRoutes } from './status-routes.ts';

interface AppOptions extends Omit<PrometheusRoutesOptions, 'observeQuery'> {
  readonly registry: TargetRegistry;
  readonly runner: BenchmarkRunner;
  readonly runs: RunStore;
  readonly metrics: SelfMetrics;
  readonly pushed: PushedJobs;
  readonly audit: AuditLog;
  /** Whether every part that the configuration names has started. */
  readonly isStarted: () => boolean;
  readonly webRoot: string;
  readonly logger: FastifyBaseLogger;
  /** @defaultValue {@link connectionLimits} */
  readonly limits?: Partial<ConnectionLimits>;
}

/** The HTTP side of the service, not yet listening. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { metrics, runner, runs } = options;
  const limits = { ...connectionLimits, ...options.limits };
  const app = Fastify({
    ...serverLimits(limits),
    rewriteUrl: (request) => originForm(request.url ?? '/'),
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1_048_576,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 1_000 },
    // What fails before routing (a malformed escape in the path) passes neither error nor not-found handler.
    frameworkErrors: (error, _request, reply) =>
      sendProblem(reply, error.statusCode ?? 400, 'Bad request', error.message),
  });
  closeUnread(app, limits);
  await app.register(fastifyMetrics, { metrics: metrics.metrics, path: false });
  addSecurityHeaders(app);
  guardRequests(app, options.config);
  auditChanges(app, options.audit);
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return sendProblem(reply, status, 'Bad request', error.message);
    if (sqliteCode(error) !== undefined)
      return sendProblem(reply, 503, 'Storage refuses', `${messageOf(error)}. Free space on the disk.`);
    request.log.error({ err: error }, 'request failed');
    return sendProblem(reply, 500, 'Internal error', 'The service failed; its log has the reason.');
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 404, 'Not found', `No route for ${request.method} ${request.url.split('?')[0]}.`),
  );

  await describeRoutes(app);
  addServiceRoutes(app, options);
  await app.register(
    (api, _options, done) => {
      const observeQuery = (endpoint: string, seconds: number): void =>
        metrics.observeQuery(endpoint, seconds);
      addPrometheusRoutes(api, { ...options, observeQuery });
      done();
    },
    { prefix: '/api/v1' },
  );
  addBenchmarkRoutes(app, { runner, runs });
  addBenchmarkHistoryRoutes(app, runs);
  addBenchmarkResultRoutes(app, { runs, now: options.now });
  addPushRoutes(app, options);
  addRegistrationRoutes(app, {
    ...options,
    observeRegistration: (outcome) => metrics.observeRegistration(outcome),
  });
  await addPageRoutes(app, options.webRoot, options.config);
  return app;
}

/** How long a client may take, in milliseconds. */
export interface ConnectionLimits {
  /** From the first byte of a connection or request to the end of its head. */
  readonly headMs: number;
  /** From the first byte of a request to the last of its body. */
  readonly requestMs: number;
  /** For the rest of a body whose request has been answered already: the client may still be sending it. */
  readonly unreadMs: number;
  /** Without a byte in either direction, while a request is answered. Event streams send one every 15 s. */
  readonly idleMs: number;
}

export const connectionLimits: ConnectionLimits = {
  headMs: 15_000,
  requestMs: 60_000,
  unreadMs: 5_000,
  idleMs: 180_000,
};

/** The limits as options of Fastify and of Node's server, which closes connections that exceed them. */
export function serverLimits({ headMs, requestMs, idleMs }: ConnectionLimits): {
  readonly requestTimeout: number;
  readonly connectionTimeout: number;
  readonly http: { readonly headersTimeout: number; readonly connectionsCheckingInterval: number };
} {
  return {
    requestTimeout: requestMs,
    connectionTimeout: idleMs,
    http: { headersTimeout: headMs, connectionsCheckingInterval: Math.min(5_000, Math.ceil(headMs / 4)) },
  };
}

/**
 * Keeps the connection open when a request is answered before its body has arrived: a client that is still sending would
 * otherwise lose the answer. The rest of the body is discarded. The connection is closed if the body does not end within `unreadMs`.
 */
function closeUnread(app: FastifyInstance, { unreadMs }: ConnectionLimits): void {
  app.addHook('onSend', async (request, reply) => {
    // Fastify closes after every body that it refuses.
    if (!request.raw.complete) reply.removeHeader('connection');
  });
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    response.once('finish', () => {
      if (request.complete) return;
      request.resume();
      const timer = setTimeout(() => {
        if (!request.complete) request.socket.destroy();
      }, unreadMs).unref();
      request.once('close', () => clearTimeout(timer));
    });
  });
}

const headers = {
  'content-security-policy':
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** Sets the headers on every answer. */
function addSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(headers);
  });
}
