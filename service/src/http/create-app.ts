import { fastifyMetrics } from '@weir/metrics/fastify';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { auditChanges } from '../auth/audit-changes.ts';
import type { AuditLog } from '../auth/audit-log.ts';
import { guardRequests, originForm } from '../auth/guard-requests.ts';
import type { BenchmarkRunner } from '../benchmarks/benchmark-runner.ts';
import type { RunStore } from '../benchmarks/run-store.ts';
import type { TargetRegistry } from '../discovery/target-registry.ts';
import { messageOf } from '../errors.ts';
import type { SelfMetrics } from '../own-metrics/self-metrics.ts';
import type { PushedJobs } from '../push/pushed-jobs.ts';
import { sqliteCode } from '../store/database.ts';
import { addBenchmarkHistoryRoutes } from './benchmark-history-routes.ts';
import { addBenchmarkResultRoutes } from './benchmark-result-routes.ts';
import { addBenchmarkRoutes } from './benchmark-routes.ts';
import { type ConnectionLimits, closeUnread, connectionLimits, serverLimits } from './connection-limits.ts';
import { describeDiscovery } from './describe-targets.ts';
import { openApiDocument, openApiPage } from './openapi.ts';
import { addPageRoutes } from './page-routes.ts';
import { sendProblem } from './problem.ts';
import { addPrometheusRoutes, type PrometheusRoutesOptions } from './prometheus-routes.ts';
import { addPushRoutes } from './push-routes.ts';
import { addRegistrationRoutes } from './registration-routes.ts';
import { addSecurityHeaders } from './security-headers.ts';

export interface AppOptions extends Omit<PrometheusRoutesOptions, 'observeQuery'> {
  readonly registry: TargetRegistry;
  readonly runner: BenchmarkRunner;
  readonly runs: RunStore;
  readonly metrics: SelfMetrics;
  readonly pushed: PushedJobs;
  readonly audit: AuditLog;
  /** Whether everything that the configuration names is under way. */
  readonly isStarted: () => boolean;
  readonly webRoot: string;
  readonly logger: FastifyBaseLogger;
  /** [connectionLimits] */
  readonly limits?: Partial<ConnectionLimits>;
}

/** The HTTP side of the service, not yet listening. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { engine, metrics, runner, runs } = options;
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

  app.get('/healthz', { config: { role: 'public' } }, async () => ({ status: 'ok' }));
  app.get('/readyz', { config: { role: 'public' } }, async (_request, reply) =>
    engine.isReady
      ? { status: 'ready' }
      : sendProblem(reply, 503, 'Not ready', 'The store is not open. Ask again in a moment.'),
  );
  app.get('/metrics', async (request, reply) => {
    const { contentType, body } = await metrics.render(request.headers.accept);
    return reply.type(contentType).send(body);
  });
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
  app.get('/openapi.json', async () => openApiDocument());
  app.get('/docs/api', async (_request, reply) => reply.type('text/html; charset=utf-8').send(openApiPage()));
  app.get('/sd/targets', async () => describeDiscovery(options.targets.states));
  await addPageRoutes(app, options.webRoot, options.config);
  return app;
}
